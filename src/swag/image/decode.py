"""From a file to strips of samples: its header judged first, then its first picture decoded.

PNG and JPEG are decoded by libpng and libjpeg, TIFF by tifffile, the others by Pillow: its plugins
are called by name instead of through its `open`, which would also try formats that are not wanted
and warn about large pictures in words that are not ours.
"""

import io
import logging
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from PIL import AvifImagePlugin, BmpImagePlugin, GifImagePlugin, WebPImagePlugin
from PIL.Image import Image
from PIL.ImageFile import ImageFile

from swag.errors import ImageError
from swag.image import avif, gif, jpeg, png, tiff, vips
from swag.image.color_space import DeclaredColors, colors_of_avif, profile_of
from swag.image.formats import HEAD_BYTES, container, webp_size
from swag.image.limits import LARGE_PIXELS, Limits, check_inner, check_size, most_bytes
from swag.image.picture import (
    Array,
    Header,
    Raster,
    Stored,
    exif_of,
    of_samples,
    orientation_of,
    sliced,
)
from swag.image.source import File, read_start, reason
from swag.messages import one_line

_PLUGINS: dict[str, type[ImageFile]] = {
    "WEBP": WebPImagePlugin.WebPImageFile,
    "AVIF": AvifImagePlugin.AvifImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
}
_HEADER_BYTES = 1 << 12
"""Bytes before the pixels of a BMP, and more than enough to read the size of the others."""
_CHATTY = ("PIL.PngImagePlugin", "PIL.TiffImagePlugin", "imagecodecs", "pyvips", "tifffile")
for _name in _CHATTY:  # what a thread of theirs says later is not for the terminal, either
    logging.getLogger(_name).addHandler(logging.NullHandler())
_lock = threading.Lock()  # the filters of warnings belong to the whole process


@contextmanager
def guarded(name: str) -> Iterator[None]:
    """Inside, what a decoder raises becomes an ImageError; its logs and warnings are dropped.

    Decoders of damaged files raise nearly every exception there is, and document none.
    """
    loggers = [logging.getLogger(logger) for logger in _CHATTY]
    with _lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        was_disabled = [logger.disabled for logger in loggers]
        try:
            for logger in loggers:
                logger.disabled = True
            yield
        except ImageError:
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno is not None:  # not the decoder's
                raise ImageError(f"cannot read {name}: {reason(error)}") from error
            raise ImageError(f"{name} is damaged or truncated ({one_line(error)})") from error
        finally:
            for logger, disabled in zip(loggers, was_disabled, strict=True):
                logger.disabled = disabled


def decode(file: File, name: str, limits: Limits) -> Stored:
    """Decode the first picture of a file; ImageError if it has none, is damaged or too large.

    Strips are decoded when they are asked for, if the format allows it, and raise then; the file
    must stay open.
    """
    with guarded(name):
        kind = container(file.read(HEAD_BYTES), name)
        if kind == "TIFF":
            stored = tiff.decode(file, name, limits)
        elif kind in ("PNG", "JPEG"):
            stored = _decode_rows(file, kind, name, limits)
        else:
            stored = _decode_pillow(file, kind, name, limits)
    for note in filter(None, stored.notes):
        warnings.warn(f"{name}: {note}", stacklevel=2)
    return replace(stored, strips=guarded_strips(stored.strips, name))


def guarded_strips(strips: Iterator[Raster], name: str) -> Iterator[Raster]:
    """Guard the decoder of each strip, and not what is done with it in between."""
    while True:
        with guarded(name):
            strip = next(strips, None)
        if strip is None:
            return
        yield strip


def _decode_rows(file: File, kind: str, name: str, limits: Limits) -> Stored:
    """Decode a PNG or JPEG: a large one row by row with libvips, if that is installed."""
    read_header = png.png_header if kind == "PNG" else jpeg.jpeg_header
    header = read_header(file, name, limits)
    pixels = header.width * header.height
    if pixels > limits.whole and not vips.is_available():
        raise ImageError(
            f"{name} has {header.width} x {header.height} pixels, more than the limit of "
            f"{limits.whole}; shrink it, or `pip install 'swag-style[large]'`, with which the "
            f"limit is {limits.strips}"
        )
    if header.by_rows and pixels > LARGE_PIXELS and vips.is_available():
        strips = vips.strips(file, kind, header, name)
    else:
        strips = _decode_whole(file, kind, header, name)
    return Stored(
        header.height, header.width, strips, orientation=header.orientation, notes=(header.note,)
    )


def _decode_whole(file: File, kind: str, header: Header, name: str) -> Iterator[Raster]:
    """The strips of a PNG or JPEG that is decoded as a whole."""
    samples = png.decode(file, name) if kind == "PNG" else jpeg.decode(file, header, name)
    check_inner(name, (header.width, header.height), samples.shape[1::-1])
    cmyk = kind == "JPEG" and samples.shape[2] == 4

    def rows(top: int, bottom: int) -> Raster:
        strip = samples[top:bottom]
        if cmyk:  # stored inverted, as Adobe does
            return Raster(255 - strip, "cmyk", None, header.profile)
        return of_samples(strip, header.profile)

    return sliced(header.height, header.width, rows)


def _decode_pillow(file: File, kind: str, name: str, limits: Limits) -> Stored:
    image, note = open_header(file, kind, name, limits)
    declared = DeclaredColors()
    if kind == "AVIF":
        declared = colors_of_avif(avif.bodies(avif.boxes(file, name), b"colr"))
    image.load()
    exif, gray = exif_of(image.info.get("exif")), image.mode in ("1", "L")
    profile = profile_of(image.info.get("icc_profile"), declared, exif, gray=gray)
    image.info["icc_profile"] = profile
    return Stored(
        image.height,
        image.width,
        from_pillow(image),
        orientation=orientation_of(exif),
        notes=(note, declared.note),
    )


def open_header(file: File, kind: str, name: str, limits: Limits) -> tuple[ImageFile, str]:
    """A WebP, AVIF, GIF or BMP whose header was checked, its pixels not yet decoded; and a note if
    there are more pictures."""
    plugin, head, note = _PLUGINS[kind], read_start(file, _HEADER_BYTES), ""
    boxes = list(avif.boxes(file, name)) if kind == "AVIF" else []
    if kind == "AVIF":
        size = avif.size(boxes, name)
    elif kind == "WEBP":
        size = webp_size(head)
    elif kind == "GIF":
        size = struct.unpack_from("<2H", head, 6)
    else:
        size = plugin(io.BytesIO(head)).size
    check_size(name, *size, limits.whole)
    if kind == "GIF":
        data, is_animated = gif.first_frame(file, name)
        note = "it is an animation; its first frame is read" if is_animated else ""
    else:
        data = read_start(file, most_bytes(*size))
    avif.check_streams(data, boxes, name)
    image = plugin(io.BytesIO(data))
    check_inner(name, size, image.size)
    return image, note


def from_pillow(image: Image) -> Iterator[Raster]:
    """The samples of a loaded Pillow picture of any mode, strip by strip."""
    mode, width = _plain_mode(image), image.width
    return sliced(
        image.height, width, lambda top, bottom: _raster(image.crop((0, top, width, bottom)), mode)
    )


def _raster(image: Image, mode: str) -> Raster:
    embedded = image.info.get("icc_profile")
    profile = embedded if isinstance(embedded, bytes) else None
    if image.mode.startswith("I;16"):
        gray, key = np.asarray(image).astype(np.uint16), image.info.get("transparency")
        return Raster(gray[..., None], "gray", None if key is None else gray != key, profile)
    if image.mode == "I":  # what Pillow once made of 16-bit grays
        return Raster(_from_int32(np.asarray(image))[..., None], "gray", None, profile)
    if image.mode == "F":
        return Raster(np.asarray(image)[..., None], "gray", None, profile)
    if image.mode == "LAB":  # TIFF's signed a and b; LittleCMS wants them offset
        lab = np.asarray(image) ^ np.array([0, 128, 128], np.uint8)
        return Raster(lab, "lab", None, profile)
    if image.mode == "CMYK":
        return Raster(np.asarray(image), "cmyk", None, profile)
    samples = np.asarray(image.convert(mode))
    return of_samples(samples.reshape(*samples.shape[:2], -1), profile)


def _plain_mode(image: Image) -> str:
    gray = image.mode in ("1", "L", "LA", "La")
    if image.has_transparency_data:
        return "LA" if gray else "RGBA"
    return "L" if gray else "RGB"


def _from_int32(samples: Array) -> Array:
    if samples.min() < 0 or samples.max() > 65535:
        raise ImageError(
            f"the picture has values from {samples.min()} to {samples.max()}; expected 0 to 65535"
        )
    return samples.astype(np.uint16)
