"""From samples to a file, for each format that is written.

Every file carries an sRGB profile, the texts it is given, and nothing of the picture it was made
from: no EXIF, no position, no time.
"""

import difflib
import io
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import PurePath
from typing import IO, Any

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from swag.errors import ImageError
from swag.image.color_management import srgb_profile
from swag.image.metadata import XMP, as_description, as_exif, xmp_of
from swag.image.picture import Array
from swag.image.source import label
from swag.types import StrPath

Text = Mapping[str, str]

_PNG_LEVEL = 6
_PNG_HEAD_BYTES = 33
"""Signature and header, behind which profile and texts stand."""
_XMP_TAG = 700
_CLASSIC_TIFF_BYTES = (1 << 32) - (1 << 25)
"""Bytes of samples above which a file may outgrow the offsets of a TIFF of 1992."""


@dataclass(frozen=True)
class Format:
    """A format that is written: what it can hold, and how samples become a file of it."""

    name: str
    extensions: tuple[str, ...]
    depths: tuple[int, ...]
    longest_side: int
    holds_alpha: bool
    encode: Callable[[Array, int, Text, IO[bytes]], None]


def _png(samples: Array, quality: int, text: Text, file: IO[bytes]) -> None:
    """Lossless: `quality` is ignored. Pillow writes no colors of 16 bits, libpng does."""
    # imagecodecs allocates too little for narrow pictures; memory that is not used costs nothing.
    buffer: Any = np.empty(2 * (samples.nbytes + len(samples)) + 4096, np.uint8)
    png = memoryview(imagecodecs.png_encode(samples, level=_PNG_LEVEL, out=buffer))
    file.write(png[:_PNG_HEAD_BYTES])
    file.write(_chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(srgb_profile())))
    for key, value in text.items():
        # keyword, no compression, no language, no translated keyword, text
        file.write(_chunk(b"iTXt", key.encode("latin-1") + b"\0\0\0\0\0" + value.encode()))
    file.write(png[_PNG_HEAD_BYTES:])


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _pillow(
    samples: Array, quality: int, text: Text, file: IO[bytes], *, kind: str, **options: Any
) -> None:
    stream = io.BytesIO()
    image = Image.fromarray(samples)
    if xmp := xmp_of(text):
        options["xmp"] = xmp
    options |= {"quality": quality, "icc_profile": srgb_profile(), "exif": as_exif(text)}
    image.save(stream, kind, **options)
    file.write(stream.getbuffer())


_jpeg = partial(_pillow, kind="JPEG", subsampling="4:4:4")
_avif = partial(_pillow, kind="AVIF", subsampling="4:4:4")
# 4:2:0, since lossy WebP has nothing else; colors under transparent pixels are kept.
_webp = partial(_pillow, kind="WEBP", method=4, exact=True)


def _tiff(samples: Array, quality: int, text: Text, file: IO[bytes]) -> None:
    """Lossless: `quality` is ignored."""
    tifffile.imwrite(
        file,
        samples,
        bigtiff=samples.nbytes > _CLASSIC_TIFF_BYTES,
        photometric="rgb",
        extrasamples=["unassalpha"] if samples.shape[2] == 4 else None,
        compression="adobe_deflate",
        predictor=True,
        iccprofile=srgb_profile(),
        description=as_description(text) if text.keys() - {XMP} else None,
        extratags=[(_XMP_TAG, "B", len(xmp), xmp, True)] if (xmp := xmp_of(text)) else None,
        metadata=None,
        software=False,
    )


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
    return tuple(extension for form in FORMATS for extension in form.extensions)


def format_of(path: StrPath, bits: int) -> Format:
    """The format that a path's extension names; ImageError if none has it, or not that depth."""
    extension = PurePath(path).suffix.lower()
    form = next((candidate for candidate in FORMATS if extension in candidate.extensions), None)
    if form is None:
        matches = difflib.get_close_matches(extension, extensions(), 1)
        hint = f"; did you mean {matches[0]}?" if matches else ""
        raise ImageError(
            f"cannot write {label(path)}: the extension {extension!r} is not one of "
            f"{', '.join(extensions())}{hint}"
        )
    if bits not in form.depths:
        able = " or ".join(candidate.name for candidate in FORMATS if bits in candidate.depths)
        raise ImageError(
            f"cannot write {label(path)} with {bits} bits: {form.name} holds "
            f"{' or '.join(map(str, form.depths))}" + (f"; write {able}" if able else "")
        )
    return form
