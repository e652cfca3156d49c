"""Read a picture from whatever holds one."""

import io
import os

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from swag.errors import ImageError
from swag.image.colour import to_srgb
from swag.image.decode import decode, from_pillow, guarded
from swag.image.raster import MAX_PIXELS, Array, Picture, Raster, check_size, unit
from swag.image.resize import fitted, resize
from swag.image.source import Readable, buffered, label, open_path

Source = (
    str
    | os.PathLike[str]
    | bytes
    | bytearray
    | memoryview
    | Readable
    | Image
    | Picture
    | Array
    | Tensor
)


def read(
    source: Source, *, size: int | tuple[int, int] | None = None, max_pixels: int = MAX_PIXELS
) -> Picture:
    """Read a picture as sRGB in [0, 1], turned upright, with its alpha if it has one.

    `source` is a path, the bytes of a file, a binary file object, a Pillow picture, a Picture, an
    array (height, width, channels) or a tensor (channels, height, width), both with 1 to 4
    channels (grey, grey and alpha, RGB, RGB and alpha) of unsigned integers or of floats in
    [0, 1]; a batch of one tensor is taken, too.

    Files are PNG, JPEG, WebP, TIFF or AVIF, of any mode; of several pictures the first is read.
    All 16 bits of deep PNG and TIFF are kept, AVIF's 10 and 12 bits come out as 8.
    The EXIF orientation is applied, an embedded profile converted to sRGB (a broken one ignored
    with a UserWarning). A float TIFF must hold values in [0, 1].

    `size` is the long side in pixels of the result, whose aspect ratio stays: smaller pictures
    are enlarged, too, so that the same setting gives the same scale of style whatever the file.
    A pair is the exact (height, width), whatever that does to the aspect ratio. Resampling is
    bicubic, clamped to [0, 1]; colours count by their alpha, so that hidden ones do not bleed.

    ImageError, one line: nothing to read there, not a picture of these formats, damaged or
    truncated, without pixels, or more of them than `max_pixels`, before they are decoded.
    """
    picture = _picture(source, max_pixels)
    return picture if size is None else _resized(picture, size, max_pixels)


def _picture(source: Source, max_pixels: int) -> Picture:
    if isinstance(source, Picture):
        joined = [source.pixels] if source.alpha is None else [source.pixels, source.alpha]
        return _from_tensor(torch.cat(joined), "the picture", max_pixels)
    if isinstance(source, Tensor):
        return _from_tensor(source, "the tensor", max_pixels)
    if isinstance(source, np.ndarray):
        return _from_array(source, "the array", max_pixels)
    if isinstance(source, Image):
        return _from_pillow(source, max_pixels)
    return _from_file(source, max_pixels)


def _from_file(source: Source, max_pixels: int) -> Picture:
    if isinstance(source, str | os.PathLike):
        name = label(source)
        with open_path(source) as file:
            return _finished(decode(file, name, max_pixels), name)
    if isinstance(source, bytes | bytearray | memoryview):
        name = f"the picture of {len(source)} bytes"
        return _finished(decode(io.BytesIO(source), name, max_pixels), name)
    if isinstance(source, Readable):
        name = repr(getattr(source, "name", "the file object"))
        return _finished(decode(buffered(source, name, max_pixels), name, max_pixels), name)
    raise ImageError(
        f"cannot read a picture from {type(source).__name__}; expected a path, bytes, a binary "
        "file, a Pillow picture, a Picture, an array or a tensor"
    )


def _from_pillow(image: Image, max_pixels: int) -> Picture:
    name = repr(getattr(image, "filename", "") or "the Pillow picture")
    check_size(name, *image.size, max_pixels)
    with guarded(name):
        image.load()
        raster = from_pillow(image)
    return _finished(raster, name)


def _from_array(array: Array, name: str, max_pixels: int) -> Picture:
    samples = array[..., None] if array.ndim == 2 else array
    if samples.ndim != 3 or samples.shape[2] not in (1, 2, 3, 4):
        raise ImageError(
            f"{name} has shape {tuple(array.shape)}; expected (height, width, channels) with 1 "
            "to 4 channels, or (channels, height, width) for a tensor"
        )
    check_size(name, samples.shape[1], samples.shape[0], max_pixels)
    colours = 1 if samples.shape[2] < 3 else 3
    alpha = samples[..., colours] if colours < samples.shape[2] else None
    return _finished(Raster(samples[..., :colours], "gray" if colours == 1 else "rgb", alpha), name)


def _from_tensor(tensor: Tensor, name: str, max_pixels: int) -> Picture:
    single = tensor[0] if tensor.ndim == 4 and tensor.shape[0] == 1 else tensor
    if single.ndim != 3 or single.shape[0] not in (1, 2, 3, 4):
        raise ImageError(
            f"{name} has shape {tuple(tensor.shape)}; expected (channels, height, width) with 1 to "
            "4 channels, or a batch of one such picture"
        )
    values = single.detach().cpu()
    if values.dtype == torch.bfloat16:  # NumPy has no such type
        values = values.float()
    return _from_array(values.permute(1, 2, 0).numpy(), name, max_pixels)


def _finished(raster: Raster, name: str) -> Picture:
    """Upright tensors of a raster's colours and alpha."""
    colours = _tensor(_upright(to_srgb(raster, name), raster.orientation))
    if raster.alpha is None:
        return Picture(colours)
    alpha = unit(raster.alpha, name)[..., None]
    return Picture(colours, _tensor(_upright(alpha, raster.orientation)))


def _tensor(array: Array) -> Tensor:
    return torch.tensor(np.ascontiguousarray(array.transpose(2, 0, 1)), dtype=torch.float32)


def _upright(array: Array, orientation: int) -> Array:
    """Turn rows and columns as EXIF's orientation asks; numbers it does not know turn nothing."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return array


def _resized(picture: Picture, size: int | tuple[int, int], max_pixels: int) -> Picture:
    if min(size if isinstance(size, tuple) else (size,)) < 1:
        raise ImageError(f"size {size!r} is out of range; expected 1 pixel or more")
    width, height = picture.size
    target = fitted(height, width, size) if isinstance(size, int) else size
    check_size(f"a picture of size={size!r}", target[1], target[0], max_pixels)
    pixels = picture.batch
    if picture.alpha is None:
        return Picture(resize(pixels, target)[0].clamp(0, 1))
    alpha = picture.alpha[None]
    opacity = resize(alpha, target).clamp(0, 1)
    weighted = resize(pixels * alpha, target) / opacity.clamp(min=1 / 255)
    colours = torch.where(opacity > 1 / 255, weighted, resize(pixels, target))
    return Picture(colours[0].clamp(0, 1), opacity[0])
