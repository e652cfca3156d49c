"""From samples to the bytes of a file, for each format that is written.

Every file carries an sRGB profile, the texts it is given, and nothing of the picture it was made
from: no EXIF, no position, no time.
"""

import difflib
import io
import os
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import imagecodecs
import tifffile
from PIL import Image

from swag.errors import ImageError
from swag.image.colour import srgb_profile
from swag.image.metadata import XMP, as_description, as_exif, xmp_of
from swag.image.raster import Array
from swag.image.source import label

Text = Mapping[str, str]

_XMP_TAG = 700


@dataclass(frozen=True)
class Format:
    """A format that is written: what it can hold, and how samples become its bytes."""

    name: str
    extensions: tuple[str, ...]
    depths: tuple[int, ...]
    longest_side: int
    holds_alpha: bool
    encode: Callable[[Array, int, Text], bytes]


def _png(samples: Array, quality: int, text: Text) -> bytes:
    """Lossless, so `quality` says nothing. Profile and texts follow the first 33 bytes."""
    plain = bytes(imagecodecs.png_encode(samples, level=6))
    chunks = _chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(srgb_profile()))
    for key, value in text.items():
        # keyword, no compression, no language, no translated keyword, text
        chunks += _chunk(b"iTXt", key.encode("latin-1") + b"\0\0\0\0\0" + value.encode())
    return plain[:33] + chunks + plain[33:]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _jpeg(samples: Array, quality: int, text: Text) -> bytes:
    return _pillow("JPEG", samples, text, quality=quality, subsampling="4:4:4")


def _webp(samples: Array, quality: int, text: Text) -> bytes:
    """4:2:0, since lossy WebP has nothing else; colours under transparent pixels are kept."""
    return _pillow("WEBP", samples, text, quality=quality, method=4, exact=True)


def _avif(samples: Array, quality: int, text: Text) -> bytes:
    return _pillow("AVIF", samples, text, quality=quality, subsampling="4:4:4")


def _pillow(kind: str, samples: Array, text: Text, **options: Any) -> bytes:
    stream = io.BytesIO()
    image = Image.fromarray(samples)
    if xmp := xmp_of(text):
        options["xmp"] = xmp
    image.save(stream, kind, icc_profile=srgb_profile(), exif=as_exif(text), **options)
    return stream.getvalue()


def _tiff(samples: Array, quality: int, text: Text) -> bytes:
    """Lossless, so `quality` says nothing."""
    stream = io.BytesIO()
    tifffile.imwrite(
        stream,
        samples,
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
    return stream.getvalue()


FORMATS = (
    Format("PNG", (".png",), (8, 16), 1_000_000, True, _png),
    Format("JPEG", (".jpg", ".jpeg"), (8,), 65_500, False, _jpeg),
    Format("WebP", (".webp",), (8,), 16_383, True, _webp),
    Format("AVIF", (".avif",), (8,), 32_768, True, _avif),
    Format("TIFF", (".tif", ".tiff"), (8, 16), 1_000_000, True, _tiff),
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
