"""From a file to samples: its header judged first, then its first picture decoded.

Each format's plugin is called by name instead of through Pillow's `open`, which would also try
formats that are not wanted and warn about large pictures in words that are not ours.
"""

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import imagecodecs
import numpy as np
from PIL import AvifImagePlugin, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin
from PIL.Image import Image
from PIL.ImageFile import ImageFile

from swag.errors import ImageError
from swag.image import tiff
from swag.image.raster import Array, Raster, check_size, one_line
from swag.image.source import File, container

_PLUGINS: dict[str, type[ImageFile]] = {
    "PNG": PngImagePlugin.PngImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "AVIF": AvifImagePlugin.AvifImageFile,
}
_ORIENTATION = 0x0112
_CHATTY = ("PIL.PngImagePlugin", "PIL.TiffImagePlugin", "tifffile")
_one_at_a_time = threading.Lock()  # the filters of warnings belong to the whole process


@contextmanager
def guarded(name: str) -> Iterator[None]:
    """Run another library's decoder: what it raises becomes an ImageError, what it mutters is lost.

    Decoders of damaged files raise nearly every exception there is, and document none.
    """
    loggers = [logging.getLogger(logger) for logger in _CHATTY]
    with _one_at_a_time, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = [logger.disabled for logger in loggers]
        try:
            for logger in loggers:
                logger.disabled = True
            yield
        except ImageError:
            raise
        except Exception as error:
            raise ImageError(f"{name} is damaged or truncated ({one_line(error)})") from error
        finally:
            for logger, disabled in zip(loggers, before, strict=True):
                logger.disabled = disabled


def decode(file: File, name: str, max_pixels: int) -> Raster:
    """Decode the first picture of a file; ImageError if it has none, is damaged or too large."""
    kind = container(file.read(32), name)
    with guarded(name):
        if kind == "TIFF":
            return tiff.decode(file, name, max_pixels)
        image = open_header(file, kind, name, max_pixels)
        image.load()
        if kind == "PNG" and image.mode in ("RGB", "RGBA"):
            file.seek(0)
            deep = _deep_png(image, file)
            if deep is not None:
                return deep
        return from_pillow(image)


def open_header(file: File, kind: str, name: str, max_pixels: int) -> ImageFile:
    """A picture of known format whose header was read and judged, and nothing else."""
    file.seek(0)
    if kind == "WEBP":  # its decoder allocates the whole picture when it opens it
        check_size(name, *_webp_size(file.read(30)), max_pixels)
        file.seek(0)
    image = _PLUGINS[kind](file)
    check_size(name, *image.size, max_pixels)
    return image


def from_pillow(image: Image) -> Raster:
    """The samples of a loaded Pillow picture of any mode, with what it says about itself."""
    profile = image.info.get("icc_profile")
    said: dict[str, Any] = {
        "profile": profile if isinstance(profile, bytes) else None,
        "orientation": _orientation(image),
    }
    if image.mode.startswith("I;16"):
        return _grey16(np.asarray(image).astype(np.uint16), image.info.get("transparency"), said)
    if image.mode == "I":  # what Pillow once made of 16-bit greys
        return _grey16(_from_int32(np.asarray(image)), None, said)
    if image.mode == "F":
        return Raster(np.asarray(image)[..., None], "gray", **said)
    if image.mode == "LAB":  # TIFF's signed a and b; LittleCMS wants them offset
        return Raster(np.asarray(image) ^ np.array([0, 128, 128], np.uint8), "lab", **said)
    if image.mode == "CMYK":
        return Raster(np.asarray(image), "cmyk", **said)
    samples = np.asarray(image.convert(_plain_mode(image)))
    samples = samples.reshape(*samples.shape[:2], -1)
    colours = samples.shape[2] - (samples.shape[2] % 2 == 0)  # LA and RGBA end in their alpha
    alpha = samples[..., colours] if colours < samples.shape[2] else None
    return Raster(samples[..., :colours], "gray" if colours == 1 else "rgb", alpha, **said)


def _plain_mode(image: Image) -> str:
    grey = image.mode in ("1", "L", "LA", "La")
    if image.has_transparency_data:
        return "LA" if grey else "RGBA"
    return "L" if grey else "RGB"


def _grey16(samples: Array, key: object, said: dict[str, Any]) -> Raster:
    alpha = None if key is None else samples != key
    return Raster(samples[..., None], "gray", alpha, **said)


def _from_int32(samples: Array) -> Array:
    if samples.min() < 0 or samples.max() > 65535:
        raise ImageError(
            f"the picture has values from {samples.min()} to {samples.max()}; expected 0 to 65535"
        )
    return samples.astype(np.uint16)


def _deep_png(image: Image, file: File) -> Raster | None:
    """Colours of 16 bits, of which Pillow keeps the upper 8; None for a PNG of fewer bits.

    Pillow has decoded the file before, and so has checked all of it.
    """
    data = file.read()
    if data[24] != 16:  # the bit depth in the first chunk
        return None
    samples = imagecodecs.png_decode(data)  # a transparent colour has become an alpha
    grey = samples.shape[2] == 2
    colours = samples[..., : 1 if grey else 3]
    alpha = samples[..., -1] if samples.shape[2] in (2, 4) else None
    return Raster(
        colours,
        "gray" if grey else "rgb",
        alpha,
        image.info.get("icc_profile"),
        _orientation(image),
    )


def _orientation(image: Image) -> int:
    value = image.getexif().get(_ORIENTATION, 1)
    return value if isinstance(value, int) else 1


def _webp_size(head: bytes) -> tuple[int, int]:
    if head[12:16] == b"VP8X":
        number = [int.from_bytes(head[at : at + 3], "little") for at in (24, 27)]
        return number[0] + 1, number[1] + 1
    if head[12:16] == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    sides = [int.from_bytes(head[at : at + 2], "little") & 0x3FFF for at in (26, 28)]
    return sides[0], sides[1]
