"""From a file to strips of samples: its header judged first, then its first picture decoded.

Each format's plugin is called by name instead of through Pillow's `open`, which would also try
formats that are not wanted and warn about large pictures in words that are not ours.
"""

import io
import logging
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import imagecodecs
import numpy as np
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)
from PIL.Image import Image
from PIL.ImageFile import ImageFile

from swag.errors import ImageError
from swag.image import avif, tiff, vips
from swag.image.complete import check_jpeg, check_png, has_end, is_flat
from swag.image.declared import DeclaredColors, declared
from swag.image.excerpt import excerpt
from swag.image.raster import (
    LARGE_PIXELS,
    Array,
    Limits,
    Raster,
    Stored,
    check_size,
    of_samples,
    sliced,
)
from swag.image.sizes import webp_size
from swag.image.source import BYTES_BESIDES, BYTES_PER_PIXEL, HEAD_BYTES, File, container, reason
from swag.messages import one_line

_PLUGINS: dict[str, type[ImageFile]] = {
    "PNG": PngImagePlugin.PngImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "AVIF": AvifImagePlugin.AvifImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
}
_ORIENTATION, _EXIF, _INTEROPERABILITY, _COLOR_SPACE = 0x0112, 0x8769, 0xA005, 0xA001
_CHATTY = ("PIL.PngImagePlugin", "PIL.TiffImagePlugin", "imagecodecs", "pyvips", "tifffile")
for _name in _CHATTY:  # what a thread of theirs says later is not for the terminal, either
    logging.getLogger(_name).addHandler(logging.NullHandler())
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
            if isinstance(error, OSError) and error.errno is not None:  # not the decoder's
                raise ImageError(f"cannot read {name}: {reason(error)}") from error
            raise ImageError(f"{name} is damaged or truncated ({one_line(error)})") from error
        finally:
            for logger, disabled in zip(loggers, before, strict=True):
                logger.disabled = disabled


def decode(file: File, name: str, limits: Limits) -> Stored:
    """Decode the first picture of a file; ImageError if it has none, is damaged or too large.

    Strips are decoded when they are asked for, if the format allows it, and raise then; the file
    must stay open.
    """
    try:
        kind = container(file.read(HEAD_BYTES), name)
        shown = excerpt(file, kind, name)
        colors = declared(shown, kind, name)
    except OSError as error:
        raise ImageError(f"cannot read {name}: {reason(error)}") from error
    with guarded(name):
        if kind == "TIFF":
            stored = tiff.decode(shown, name, limits)
        else:
            stored = _decode(shown, kind, name, limits=limits, colors=colors)
    return replace(stored, strips=guarded_strips(stored.strips, name))


def guarded_strips(strips: Iterator[Raster], name: str) -> Iterator[Raster]:
    """Guard the decoder of each strip, and not what is done with it in between."""
    while True:
        with guarded(name):
            strip = next(strips, None)
        if strip is None:
            return
        yield strip


def _decode(
    file: File, kind: str, name: str, *, limits: Limits, colors: DeclaredColors | None
) -> Stored:
    image = open_header(file, kind, name, limits)
    _declare(image, colors)
    width, height = image.size
    by_strips = vips.can_read(kind, image)
    if by_strips and limits.whole < width * height and not vips.is_there():
        raise ImageError(
            f"{name} has {width} x {height} pixels, more than the limit of {limits.whole}; shrink "
            f"it, or `pip install 'swag-style[large]'`, with which the limit is {limits.strips}"
        )
    if not by_strips:
        check_size(name, width, height, limits.whole)
    if by_strips and vips.is_there() and width * height > LARGE_PIXELS:
        orientation = _early_orientation(file, kind, image)
        return Stored(height, width, vips.strips(file, kind, image, name), orientation)
    image.load()
    _check_complete(file, kind, image, name)
    orientation = orientation_of(image)
    if kind == "PNG" and image.mode in ("RGB", "RGBA") and _depth(file) == 16:
        profile = image.info.get("icc_profile")
        del image  # Pillow keeps the upper 8 bits; it has checked all of the file, and can go
        return Stored(height, width, _deep_png(file, profile), orientation)
    return Stored(height, width, from_pillow(image), orientation)


def _declare(image: Image, colors: DeclaredColors | None) -> None:
    """Give a picture the profile of colors that it declares in another way, if it does."""
    if "icc_profile" in image.info and not (colors and colors.overrides):
        return
    gray = image.mode in ("1", "L", "LA", "I") or image.mode.startswith("I;16")
    profile = colors.profile(gray=gray) if colors else None
    if profile is None and not gray and _is_adobe_rgb(image):
        profile = imagecodecs.cms_profile("adobergb")
    if profile is not None:
        image.info["icc_profile"] = profile
    elif colors and colors.overrides:
        image.info.pop("icc_profile", None)


def _is_adobe_rgb(image: Image) -> bool:
    """Whether Exif says so, by the color space, as some do, or the interoperability, as cameras."""
    if "exif" not in image.info:
        return False
    exif = Image.getexif(image)
    try:
        fields = exif.get_ifd(_EXIF)
        if _INTEROPERABILITY not in fields or _COLOR_SPACE not in fields:
            return bool(fields.get(_COLOR_SPACE) == 2)
        by_camera = exif.get_ifd(_INTEROPERABILITY).get(1) == "R03"
    except (LookupError, ValueError, TypeError, OSError, SyntaxError, struct.error):
        return False  # damaged: it says nothing
    return bool(fields[_COLOR_SPACE] == 2 or (by_camera and fields[_COLOR_SPACE] != 1))


def _check_complete(file: File, kind: str, image: Image, name: str) -> None:
    """Refuse a decoded picture with rows that its file does not fill."""
    if kind == "PNG":
        check_png(file, image, name)
    width, height = image.size
    corner = image.crop((max(width - 2, 0), max(height - 2, 0), width, height))
    if kind == "JPEG" and (is_flat(np.asarray(corner)) or not has_end(file)):
        file.seek(0)
        check_jpeg(file.read(), name)


def open_header(file: File, kind: str, name: str, limits: Limits) -> ImageFile:
    """A picture of known format whose header was read and judged, and nothing else."""
    limit = limits.strips if kind in ("PNG", "JPEG", "TIFF") else limits.whole
    file.seek(0)
    if kind == "WEBP":  # decoders of these take the file, or the whole picture, when they open it
        _check_sizes(file, name, webp_size(file.read(30)), limit)
    elif kind == "AVIF":
        _check_sizes(file, name, avif.size(file, name), limit)
    file.seek(0)
    image = _PLUGINS[kind](file)
    if kind == "TIFF":  # of which strips are read as they are needed
        check_size(name, *image.size, limit)
    else:
        _check_sizes(file, name, image.size, limit)
    return image


def _check_sizes(file: File, name: str, size: tuple[int, int], limit: int) -> None:
    """Refuse a picture with too many pixels, and a file with more bytes than they can need."""
    check_size(name, *size, limit)
    length, most = file.seek(0, io.SEEK_END), BYTES_PER_PIXEL * size[0] * size[1] + BYTES_BESIDES
    if length > most:
        raise ImageError(
            f"{name} has {length} bytes; {size[0]} x {size[1]} pixels need {most} at most"
        )


def from_pillow(image: Image) -> Iterator[Raster]:
    """The samples of a loaded Pillow picture of any mode, strip by strip."""
    plain, width = _plain_mode(image), image.width
    return sliced(
        image.height,
        width,
        lambda top, bottom: _raster(image.crop((0, top, width, bottom)), plain),
    )


def _raster(image: Image, plain: str) -> Raster:
    found = image.info.get("icc_profile")
    profile = found if isinstance(found, bytes) else None
    if image.mode.startswith("I;16"):
        deep = np.asarray(image).astype(np.uint16)
        return _gray16(deep, image.info.get("transparency"), profile)
    if image.mode == "I":  # what Pillow once made of 16-bit grays
        return _gray16(_from_int32(np.asarray(image)), None, profile)
    if image.mode == "F":
        return Raster(np.asarray(image)[..., None], "gray", None, profile)
    if image.mode == "LAB":  # TIFF's signed a and b; LittleCMS wants them offset
        lab = np.asarray(image) ^ np.array([0, 128, 128], np.uint8)
        return Raster(lab, "lab", None, profile)
    if image.mode == "CMYK":
        return Raster(np.asarray(image), "cmyk", None, profile)
    samples = np.asarray(image.convert(plain))
    return of_samples(samples.reshape(*samples.shape[:2], -1), profile)


def _plain_mode(image: Image) -> str:
    gray = image.mode in ("1", "L", "LA", "La")
    if image.has_transparency_data:
        return "LA" if gray else "RGBA"
    return "L" if gray else "RGB"


def _gray16(samples: Array, key: object, profile: bytes | None) -> Raster:
    alpha = None if key is None else samples != key
    return Raster(samples[..., None], "gray", alpha, profile)


def _from_int32(samples: Array) -> Array:
    if samples.min() < 0 or samples.max() > 65535:
        raise ImageError(
            f"the picture has values from {samples.min()} to {samples.max()}; expected 0 to 65535"
        )
    return samples.astype(np.uint16)


def _depth(file: File) -> int:
    file.seek(24)  # in the first chunk of a PNG
    return file.read(1)[0]


def _deep_png(file: File, profile: bytes | None) -> Iterator[Raster]:
    """Colors of 16 bits."""
    file.seek(0)
    samples = imagecodecs.png_decode(file.read())  # a transparent color has become an alpha
    height, width = samples.shape[:2]
    return sliced(height, width, lambda top, bottom: of_samples(samples[top:bottom], profile))


def orientation_of(image: Image) -> int:
    """The EXIF number of how a picture is turned, 1 if it has none."""
    value = image.getexif().get(_ORIENTATION, 1)
    return value if isinstance(value, int) else 1


def _early_orientation(file: File, kind: str, image: Image) -> int:
    """The orientation of a picture that Pillow is not to decode, as it does to look for it."""
    if kind == "PNG" and "exif" not in image.info:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            length = int.from_bytes(head[:4])
            if head[4:] == b"eXIf":
                image.info["exif"] = file.read(length)
                break
            file.seek(length + 4, io.SEEK_CUR)
    value = Image.getexif(image).get(_ORIENTATION, 1)  # that of PNG decodes, that of all does not
    return value if isinstance(value, int) else 1
