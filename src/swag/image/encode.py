"""From samples to a file, for each format that is written.

Every file carries an sRGB profile, the texts it is given, and nothing of the picture it was made
from: no EXIF, no position, no time. PNG and TIFF are written strip by strip; the others are
compressed as a whole by their libraries.
"""

import difflib
import io
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import IO, Any

from PIL import Image

from swag.errors import ImageError
from swag.image import png, tiff_writer
from swag.image.color_management import srgb_profile
from swag.image.metadata import as_exif, xmp_of
from swag.image.raster import Samples
from swag.image.source import label

Text = Mapping[str, str]


@dataclass(frozen=True)
class Format:
    """A format that is written: what it can hold, and how samples become a file of it."""

    name: str
    extensions: tuple[str, ...]
    depths: tuple[int, ...]
    longest_side: int
    holds_alpha: bool
    encode: Callable[[Samples, int, Text, IO[bytes]], None]


def _png(samples: Samples, quality: int, text: Text, file: IO[bytes]) -> None:
    """Lossless, so `quality` says nothing."""
    png.encode(samples, text, file)


def _jpeg(samples: Samples, quality: int, text: Text, file: IO[bytes]) -> None:
    _pillow("JPEG", samples, text, file, quality=quality, subsampling="4:4:4")


def _webp(samples: Samples, quality: int, text: Text, file: IO[bytes]) -> None:
    """4:2:0, since lossy WebP has nothing else; colors under transparent pixels are kept."""
    _pillow("WEBP", samples, text, file, quality=quality, method=4, exact=True)


def _avif(samples: Samples, quality: int, text: Text, file: IO[bytes]) -> None:
    _pillow("AVIF", samples, text, file, quality=quality, subsampling="4:4:4")


def _pillow(kind: str, samples: Samples, text: Text, file: IO[bytes], **options: Any) -> None:
    stream = io.BytesIO()
    image = Image.fromarray(samples.whole())
    if xmp := xmp_of(text):
        options["xmp"] = xmp
    image.save(stream, kind, icc_profile=srgb_profile(), exif=as_exif(text), **options)
    file.write(stream.getbuffer())


def _tiff(samples: Samples, quality: int, text: Text, file: IO[bytes]) -> None:
    """Lossless, so `quality` says nothing."""
    tiff_writer.encode(samples, text, file)


FORMATS = (
    Format("PNG", (".png",), (8, 16), 1_000_000, holds_alpha=True, encode=_png),
    Format("JPEG", (".jpg", ".jpeg"), (8,), 65_500, holds_alpha=False, encode=_jpeg),
    Format("WebP", (".webp",), (8,), 16_383, holds_alpha=True, encode=_webp),
    Format("AVIF", (".avif",), (8,), 32_768, holds_alpha=True, encode=_avif),
    Format("TIFF", (".tif", ".tiff"), (8, 16), 1_000_000, holds_alpha=True, encode=_tiff),
)
"""What is written; the longest sides are those that the libraries used here accept."""


def extensions() -> tuple[str, ...]:
    """The file name endings of the formats that are written."""
    return tuple(extension for known in FORMATS for extension in known.extensions)


def format_of(path: str | os.PathLike[str], bits: int) -> Format:
    """The format that a path's extension names; ImageError if none has it, or not that depth."""
    extension = PurePath(path).suffix.lower()
    found = next((known for known in FORMATS if extension in known.extensions), None)
    if found is None:
        near = difflib.get_close_matches(extension, extensions(), 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ImageError(
            f"cannot write {label(path)}: the extension {extension!r} is not one of "
            f"{', '.join(extensions())}{hint}"
        )
    if bits not in found.depths:
        able = " or ".join(known.name for known in FORMATS if bits in known.depths)
        raise ImageError(
            f"cannot write {label(path)} with {bits} bits: {found.name} holds "
            f"{' or '.join(map(str, found.depths))}" + (f"; write {able}" if able else "")
        )
    return found
