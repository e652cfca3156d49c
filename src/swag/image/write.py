"""Write a picture, whole or not at all."""

import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO

import numpy as np
import torch
from torch import Tensor

from swag.errors import ImageError
from swag.files import open_temporary, write_atomically
from swag.image.encode import Format, format_of
from swag.image.metadata import XMP, as_xmp, check_texts
from swag.image.picture import Array, Picture, strip_bounds
from swag.image.source import label, reason
from swag.messages import one_line
from swag.types import StrPath


def write(
    path: StrPath,
    picture: Picture | Tensor,
    *,
    bits: int = 8,
    quality: int = 95,
    metadata: Mapping[str, str] | None = None,
    source_type: str | None = None,
    overwrite: bool = True,
) -> None:
    """Write a picture in the format that the path's extension names, with an sRGB profile.

    `picture` is sRGB in [0, 1], a Picture or a tensor (3, height, width), or a batch of one;
    values are clamped and rounded to the nearest step. PNG and TIFF are lossless and hold 8 or
    16 `bits`; JPEG and AVIF (4:4:4) and WebP (4:2:0) hold 8, with `quality` from 1 to 100. All
    formats keep alpha except JPEG, which gets the picture on white.
    `metadata` are names and texts that `read_metadata` returns from every format, and
    `source_type` is IPTC's digital source type, which says how the picture was made.

    The file appears complete or not at all: a temporary file beside it is written, synced to the
    disk and renamed; an existing file stays until then. ImageError, one line: everything that
    `check_writable` refuses, a full disk, a value that is not finite, or a picture larger
    than the format holds.
    """
    texts = _texts(metadata, source_type)
    _check_target(path, overwrite)
    fill = _filler(path, picture, bits, quality, texts=texts)
    with _as_image_errors(path):
        # The target once more at the end: encoding takes a while.
        write_atomically(
            path, fill, check=lambda: _check_target(path, overwrite), replace=overwrite
        )


def encoded(
    name: StrPath,
    picture: Picture | Tensor,
    *,
    bits: int = 8,
    quality: int = 95,
    metadata: Mapping[str, str] | None = None,
    source_type: str | None = None,
) -> bytes:
    """The bytes that `write` would write under this name, whose extension is the format.

    ImageError: see `write`.
    """
    fill = _filler(name, picture, bits, quality, texts=_texts(metadata, source_type))
    with _as_image_errors(name), tempfile.NamedTemporaryFile() as file:
        fill(file)
        file.seek(0)
        return file.read()


def _texts(metadata: Mapping[str, str] | None, source_type: str | None) -> dict[str, str]:
    texts = dict(metadata or {})
    if source_type is not None:
        texts[XMP] = as_xmp(source_type)
    check_texts(texts)
    return texts


def _filler(
    path: StrPath, picture: Picture | Tensor, bits: int, quality: int, *, texts: Mapping[str, str]
) -> Callable[[IO[bytes]], None]:
    """A function that writes the picture to a file; picture and options are checked before."""
    form = format_of(path, bits)
    if not 1 <= quality <= 100:
        raise ImageError(f"quality {quality} is out of range; expected 1 to 100")
    samples = _samples(picture, form, bits)

    def fill(file: IO[bytes]) -> None:
        try:
            form.encode(samples, quality, texts, file)
        except (OSError, ValueError, RuntimeError, MemoryError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # an error of the disk; those of encoders have no number
            raise ImageError(f"{form.name} cannot hold this picture: {one_line(error)}") from error

    return fill


def check_writable(path: StrPath, *, overwrite: bool, bits: int = 8) -> None:
    """Find out before hours of work whether `write` could put a picture here.

    ImageError, one line: an extension that is not written or not with so many bits, a folder that
    is missing or closed to us, something there that is no file, or a file when `overwrite` is
    false. A temporary file is made beside the place and removed, the only test that never errs.
    """
    format_of(path, bits)
    _check_target(path, overwrite)
    with _as_image_errors(path):
        descriptor, temporary = open_temporary(path)
        os.close(descriptor)
        os.unlink(temporary)


@contextmanager
def _as_image_errors(path: StrPath) -> Iterator[None]:
    try:
        yield
    except FileExistsError as error:
        raise ImageError(
            f"{label(path)} exists; choose another name, or allow overwriting it (--overwrite, "
            "overwrite=True)"
        ) from error
    except (OSError, ValueError) as error:
        raise ImageError(f"cannot write {label(path)}: {reason(error)}") from error


def _check_target(path: StrPath, overwrite: bool) -> None:
    with _as_image_errors(path):
        try:
            mode = os.stat(path).st_mode
        except FileNotFoundError:
            folder = os.path.dirname(os.path.realpath(path))
            if os.path.isdir(folder):
                return
            raise ImageError(
                f"cannot write {label(path)}: there is no folder {folder!r}; create it"
            ) from None
        if not stat.S_ISREG(mode):
            raise ImageError(
                f"cannot write {label(path)}: what is there is not a file; give another name"
            )
        if not overwrite:
            raise FileExistsError


def _samples(picture: Picture | Tensor, form: Format, bits: int) -> Array:
    """Pixels as unsigned integers (height, width, channels), with the alpha if the format holds
    one; made strip by strip, so that no second copy of the numbers is held."""
    image = picture if isinstance(picture, Picture) else Picture(_single(picture))
    layers = [image.pixels.detach()]
    if image.alpha is not None:
        layers.append(image.alpha.detach())
    if any(layer.shape[1:] != layers[0].shape[1:] for layer in layers):
        raise ImageError(f"colors and alpha differ in size: {[tuple(x.shape) for x in layers]}")
    height, width = layers[0].shape[1:]
    if min(height, width) < 1 or max(height, width) > form.longest_side:
        raise ImageError(
            f"cannot write a picture of {width} x {height} pixels: {form.name} holds sides from 1 "
            f"to {form.longest_side}"
        )
    dtype, working = (np.uint8, torch.float32) if bits == 8 else (np.uint16, torch.float64)
    samples = np.zeros((height, width, 4 if len(layers) == 2 and form.holds_alpha else 3), dtype)
    invalid = 0
    for top, bottom in strip_bounds(height, width):
        invalid += sum(int((~layer[:, top:bottom].isfinite()).sum()) for layer in layers)
        if invalid:
            continue
        values = torch.cat([layer[:, top:bottom].cpu().to(working) for layer in layers]).clamp(0, 1)
        if len(values) == 4 and not form.holds_alpha:
            values = 1 - (1 - values[:3]) * values[3:]
        samples[top:bottom] = values.mul(2**bits - 1).round().permute(1, 2, 0).numpy()
    if invalid:
        raise ImageError(f"the picture has {invalid} values that are not finite; it is not written")
    return samples


def _single(pixels: Tensor) -> Tensor:
    if pixels.layout != torch.strided or pixels.is_meta or pixels.is_nested:
        raise ImageError("cannot write a sparse, nested or empty tensor; expected a dense one")
    image = pixels[0] if pixels.ndim == 4 and pixels.shape[0] == 1 else pixels
    if image.ndim != 3 or image.shape[0] != 3 or not image.is_floating_point():
        raise ImageError(
            f"cannot write a tensor of shape {tuple(pixels.shape)} and type {pixels.dtype}; "
            "expected floats (3, height, width), or a batch of one such picture"
        )
    return image
