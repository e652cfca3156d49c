"""Read a picture from a path, bytes, a file, a Pillow picture, an array or a tensor."""

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from swag.errors import ImageError
from swag.image.decode import decode, from_pillow, guarded, guarded_strips
from swag.image.limits import Limits, check_size
from swag.image.picture import Array, Picture, Raster, Stored, of_samples, orientation_of, sliced
from swag.image.resize import fitted
from swag.image.source import File, Readable, label, open_path, reason, searchable
from swag.image.strips import assembled, resize_strips, upright_size
from swag.messages import one_line
from swag.types import StrPath

Source = StrPath | bytes | bytearray | memoryview | Readable | Image | Picture | Array | Tensor
Named = tuple[Stored, str]
_FLOATS = (torch.float16, torch.float32, torch.float64)
"""Types of floating point that NumPy has, too."""


def read(
    source: Source, *, size: int | tuple[int, int] | None = None, max_pixels: int | None = None
) -> Picture:
    """Read a picture as sRGB in [0, 1], upright, with its alpha if it has one.

    `source` is a path, the bytes of a file, a binary file object, a Pillow picture, a Picture, an
    array (height, width, channels) or a tensor (channels, height, width), both with 1 to 4
    channels (gray, gray and alpha, RGB, RGB and alpha) of unsigned integers or of floats in
    [0, 1]; or a batch of one such tensor.

    Files are PNG, JPEG, WebP, TIFF, AVIF, GIF or BMP, of any mode. Of several pictures in a file
    the first is read; an animated GIF gives a UserWarning.
    All 16 bits of deep PNG and TIFF are kept; 10 and 12 bits of AVIF are read as 8.
    The EXIF orientation is applied. An embedded profile, gamma and primaries of PNG and AVIF, and
    the Adobe RGB of Exif are converted to sRGB; a broken profile is ignored with a UserWarning. A
    float TIFF must hold values in [0, 1].

    `size` is the long side of the result in pixels, with the picture's aspect ratio. Smaller
    pictures are enlarged, so that a setting gives the same scale of style for every file. A pair
    is the exact (height, width), which may change the aspect ratio. Resampling is bicubic, clamped
    to [0, 1]. Colors are weighted by their alpha, so that hidden colors do not bleed; transparent
    parts of the result get the colors of visible parts around. Without a size, hidden colors are
    those of the file.

    The picture is converted strip by strip. TIFF is also decoded strip by strip, and so are large
    PNG and JPEG if the extra `large` is installed; these are never held as a whole if `size` makes
    them smaller.

    ImageError, one line: there is nothing to read; the file has another format, is damaged or
    truncated; it has no pixels, or more than `max_pixels` according to its header. The default of
    `max_pixels` is MAX_PIXELS; for a file that is read strip by strip and made smaller it is
    MOST_PIXELS.
    """
    limits = Limits.of(max_pixels, smaller=size is not None)
    with _opened(source, limits) as (stored, name):
        if size is None:
            return _checked(assembled(stored, name), name)
        return _checked(resize_strips(stored, name, _target(stored, size, limits), limits), name)


def size_in_file(source: Source, *, max_pixels: int | None = None) -> tuple[int, int]:
    """Width and height of a picture in upright position. ImageError as for `read`."""
    with _opened(source, Limits.of(max_pixels, smaller=True)) as (stored, _):
        height, width = upright_size(stored)
    return width, height


def read_hashed(
    source: Source, *, size: int | tuple[int, int] | None = None, max_pixels: int | None = None
) -> tuple[Picture, str]:
    """Read a picture, and return its SHA-256, too: see `read`.

    The SHA-256 is that of the bytes of a file, which is opened once and must not change meanwhile,
    or of the pixels if there is no file.
    """
    if isinstance(source, str | os.PathLike):
        name = label(source)
        with open_path(source) as file:
            state = _state(file)
            picture = read(file, size=size, max_pixels=max_pixels)
            file.seek(0)
            try:
                digest = hashlib.file_digest(file, "sha256")
            except OSError as error:
                raise ImageError(f"cannot read {name}: {reason(error)}") from error
            if _state(file) != state:
                raise ImageError(f"{name} was changed while it was read; try again")
        return picture, digest.hexdigest()
    picture = read(source, size=size, max_pixels=max_pixels)
    if isinstance(source, bytes | bytearray | memoryview):
        return picture, hashlib.sha256(source).hexdigest()
    pixels = hashlib.sha256(repr(tuple(picture.pixels.shape)).encode())
    for layer in (picture.pixels, picture.alpha):
        if layer is not None:
            pixels.update(layer.contiguous().numpy().tobytes())
    return picture, pixels.hexdigest()


def _state(file: File) -> tuple[int, int]:
    """Numbers that change if the file is written to."""
    status = os.fstat(file.fileno())
    return status.st_size, status.st_mtime_ns


def _checked(picture: Picture, name: str) -> Picture:
    """The picture; ImageError if a value is outside [0, 1], whatever decoder made it."""
    for layer in (picture.pixels, picture.alpha):
        if layer is None:
            continue
        low, high = (float(value) for value in layer.aminmax())
        if not (low >= 0 and high <= 1):  # false for NaN, too
            raise ImageError(
                f"{name} is damaged: its values are from {low:g} to {high:g}; expected [0, 1]"
            )
    return picture


def _target(stored: Stored, size: int | tuple[int, int], limits: Limits) -> tuple[int, int]:
    if min(size if isinstance(size, tuple) else (size,)) < 1:
        raise ImageError(f"size {size!r} is out of range; expected 1 pixel or more")
    target = fitted(*upright_size(stored), size) if isinstance(size, int) else size
    check_size(f"a picture of size={size!r}", target[1], target[0], limits.whole)
    return target


@contextmanager
def _opened(source: Source, limits: Limits) -> Iterator[Named]:
    """Inside, a stored picture and its name in messages; its file is open for the strips."""
    if isinstance(source, str | os.PathLike):
        name = label(source)
        with open_path(source) as file:
            yield decode(file, name, limits), name
    elif isinstance(source, bytes | bytearray | memoryview):
        name = f"the picture of {len(source)} bytes"
        yield decode(io.BytesIO(source), name, limits), name
    else:
        yield _from_object(source, limits)


def _from_object(source: Source, limits: Limits) -> Named:
    if isinstance(source, Picture):
        layers = [source.pixels] if source.alpha is None else [source.pixels, source.alpha]
        return _from_tensor(torch.cat(layers), "the picture", limits)
    if isinstance(source, Tensor):
        return _from_tensor(source, "the tensor", limits)
    if isinstance(source, np.ndarray):
        return _from_array(source, "the array", limits)
    if isinstance(source, Image):
        return _from_pillow(source, limits)
    if isinstance(source, Readable):
        name = repr(getattr(source, "name", "the file object"))
        file = searchable(source, name, limits.whole)
        return decode(file, name, limits), name
    raise ImageError(
        f"cannot read a picture from {type(source).__name__}; expected a path, bytes, a binary "
        "file, a Pillow picture, a Picture, an array or a tensor"
    )


def _from_pillow(image: Image, limits: Limits) -> Named:
    name = repr(getattr(image, "filename", "") or "the Pillow picture")
    check_size(name, *image.size, limits.whole)
    with guarded(name):
        image.load()
        orientation = orientation_of(image.getexif())
    strips = guarded_strips(from_pillow(image), name)
    return Stored(image.height, image.width, strips, orientation), name


def _from_array(array: Array, name: str, limits: Limits) -> Named:
    if np.ma.is_masked(array):
        raise ImageError(f"{name} is a masked array; fill its masked values first")
    base = np.asarray(array)  # of no subclass, whose operators may be others
    samples = base[..., None] if base.ndim == 2 else base
    if samples.ndim != 3 or samples.shape[2] not in (1, 2, 3, 4):
        raise ImageError(
            f"{name} has shape {tuple(array.shape)}; expected (height, width, channels) with 1 "
            "to 4 channels, or (channels, height, width) for a tensor"
        )
    height, width = samples.shape[:2]
    check_size(name, width, height, limits.whole)
    dtype = samples.dtype.newbyteorder("=")

    def rows(top: int, bottom: int) -> Raster:
        return of_samples(samples[top:bottom].astype(dtype, copy=False))

    return Stored(height, width, sliced(height, width, rows)), name


def _from_tensor(tensor: Tensor, name: str, limits: Limits) -> Named:
    try:
        values = tensor.detach().as_subclass(Tensor)
        single = values[0] if values.ndim == 4 and values.shape[0] == 1 else values
        if single.ndim != 3 or single.shape[0] not in (1, 2, 3, 4):
            raise ImageError(
                f"{name} has shape {tuple(tensor.shape)}; expected (channels, height, width) with "
                "1 to 4 channels, or a batch of one such picture"
            )
        dense = single.cpu().resolve_conj().resolve_neg()
        if dense.is_floating_point() and dense.dtype not in _FLOATS:
            dense = dense.float()
        array = dense.permute(1, 2, 0).numpy()
    except (RuntimeError, TypeError) as error:  # sparse, quantized, nested, without numbers ...
        raise ImageError(
            f"{name} cannot be read ({one_line(error)}); expected a dense tensor of numbers"
        ) from error
    return _from_array(array, name, limits)
