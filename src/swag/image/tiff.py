"""TIFF, by tifffile: all depths, integers up to 32 bits and floats.

Pillow would cut deep colors short, and libtiff behind it writes to standard error by itself.
"""

import math
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import IO, Any, cast

import numpy as np
import tifffile

from swag.errors import ImageError
from swag.image.formats import webp_size
from swag.image.jpeg import is_flat, jpeg_size, lengthened
from swag.image.limits import (
    BYTES_PER_PIXEL,
    MAX_PROFILE_BYTES,
    Limits,
    check_size,
    most_bytes,
    truncated,
    truncated_within,
)
from swag.image.picture import Array, Stored, strip_bounds
from swag.image.source import File, MeteredFile
from swag.image.tiff_colors import COLORS, photometric_of, raster_of, word

_MAX_SAMPLES = 8  # four inks, and some to spare for alpha and masks, which are left out
_ORIENTATION, _DESCRIPTION, _XMP, _PROFILE = 274, 270, 700, 34675
_SUB_DIRECTORIES, _DNG, _RAW_COLORS = 330, 50706, (32803, 34892)
_MOST_PAGES = 32
"""Pages that are looked at for one that is not a reduced picture."""
_DIRECTORY_BYTES = 4 << 20
"""Bytes that are read of a file for its directories."""
_JPEG, _WEBP = 7, 50001
_COMPRESSIONS = {
    1: "none",
    2: "CCITT RLE",
    3: "CCITT G3",
    4: "CCITT G4",
    5: "LZW",
    7: "JPEG",
    8: "deflate",
    32946: "deflate",
    32773: "PackBits",
    50000: "ZSTD",
    _WEBP: "WebP",
}
"""Compressions that are read: no other decoder of imagecodecs is ever started."""
_BLOCK = 16  # to a multiple of which JPEGs are made larger by some
_SEGMENT_BYTES = 32 << 20  # of a strip or tile, whatever the size of the picture


def decode(file: File, name: str, limits: Limits) -> Stored:
    """Decode the first picture of a TIFF, as its strips are asked for.

    Integers of b bits count up to 2^b - 1; floats must lie in [0, 1]. Samples beyond the colors
    and one alpha are left out. Not read: uncompressed YCbCr, and Lab of more than 8 bits.
    """
    metered = MeteredFile(file, _DIRECTORY_BYTES)
    page = _first_page(metered, name)
    _check_header(page, name, limits)
    metered.left = most_bytes(page.imagewidth, page.imagelength)
    _check_complete(page, file, name)
    rows = _rows(page) if _is_plain(page) else _segments(page, name)
    profile = _profile(page)
    return Stored(
        page.imagelength,
        page.imagewidth,
        (raster_of(page, samples, profile) for samples in rows),
        orientation=int(page.tags.valueof(_ORIENTATION, 1)),
    )


def texts(file: File, name: str) -> tuple[object, object]:
    """The description and XMP in a TIFF, of whatever type they are; None if it has none."""
    tags = _first_page(MeteredFile(file, _DIRECTORY_BYTES), name).tags
    return tags.valueof(_DESCRIPTION), tags.valueof(_XMP)


def _first_page(file: MeteredFile, name: str) -> Any:
    """The first page that is not a reduced one, if any; ImageError for camera raw."""
    flags: Any = {"is_lsm": False, "is_ndpi": False, "is_scanimage": False}
    pages: Any = tifffile.TiffFile(cast(IO[bytes], file), **flags).pages
    for page in islice(pages, _MOST_PAGES):
        if page.photometric in _RAW_COLORS or _DNG in page.tags:
            raise _raw(name, " (DNG)" if _DNG in page.tags else "")
        if not page.subfiletype & 1:
            return page
    if _SUB_DIRECTORIES in pages[0].tags:  # where cameras put the picture itself
        raise _raw(name, "")
    return pages[0]


def _raw(name: str, kind: str) -> ImageError:
    return ImageError(
        f"{name} is a camera raw file{kind}, which is not read; develop it to a TIFF or PNG first"
    )


def _profile(page: Any) -> bytes | None:
    """The color profile; one that is too long, or no bytes, as bytes that will be refused as a
    profile."""
    tag = page.tags.get(_PROFILE)
    if tag is None:
        return None
    value = tag.value if tag.count <= MAX_PROFILE_BYTES else bytes(MAX_PROFILE_BYTES + 1)
    return value if isinstance(value, bytes) else b"a number"


def _is_planar(page: Any) -> bool:
    """Whether each channel is stored as a plane of its own."""
    return bool(page.planarconfig != 1 and page.samplesperpixel > 1)


def _is_plain(page: Any) -> bool:
    """Whether rows are stored in final form, one after the other."""
    return bool(page.is_final and not _is_planar(page))


def _rows(page: Any) -> Iterator[Array]:
    """Strips of rows that are stored in final form, whatever the file calls a strip."""
    file, dtype = page.parent.filehandle, page.dtype.newbyteorder(page.parent.byteorder)
    shape = (page.imagewidth, page.samplesperpixel)
    row_bytes = math.prod(shape) * dtype.itemsize
    for top, bottom in strip_bounds(page.imagelength, page.imagewidth):
        file.seek(page.dataoffsets[0] + top * row_bytes)  # tags are read in between, when asked for
        data = file.read((bottom - top) * row_bytes)
        samples = np.frombuffer(data, dtype).reshape(bottom - top, *shape)
        yield samples.astype(page.dtype, copy=False)


def _segments(page: Any, name: str) -> Iterator[Array]:
    """Strips of rows, each put together from several of the file's own strips or tiles."""
    h, w = page.chunks[:2]
    down, across = _grid(page)
    planes = range(page.samplesperpixel if _is_planar(page) else 1)
    with ThreadPoolExecutor(max(1, page.maxworkers)) as pool:
        decode = _decoder(page, name)
        for top, bottom in strip_bounds(page.imagelength, page.imagewidth, multiple=h):
            strip = np.zeros((bottom - top, page.imagewidth, page.samplesperpixel), page.dtype)
            lines = range(top // h, math.ceil(bottom / h))
            indices = [
                (plane * down + line) * across + column
                for plane in planes
                for line in lines
                for column in range(across)
            ]
            for segment, (plane, _, row, column, _), _ in pool.map(decode, indices):
                channels = slice(plane, plane + 1) if len(planes) > 1 else slice(None)
                target = strip[row - top : row - top + h, column : column + w, channels]
                target[:] = segment[0, : target.shape[0], : target.shape[1]]
            yield strip


def _grid(page: Any) -> tuple[int, int]:
    """The number of strips or tiles, down and across, of the picture or of each of its planes."""
    h, w = page.chunks[:2]
    return math.ceil(page.imagelength / h), math.ceil(page.imagewidth / w)


def _decoder(page: Any, name: str) -> Callable[[int], Any]:
    """A function from the number of a strip or tile to its samples, with their place; several
    threads may call it."""
    tables = {"jpegtables": page.jpegtables, "jpegheader": page.jpegheader}
    file, lock = page.parent.filehandle, threading.Lock()
    down, across = _grid(page)

    def decode(index: int) -> Any:
        with lock:
            file.seek(page.dataoffsets[index])
            data = file.read(page.databytecounts[index])
        top = index // across % down * page.chunks[0]
        bottom = min(top + page.chunks[0], page.imagelength)
        truncation = truncated_within(name, top, bottom, page.imagelength)
        _check_inner(page, data, name)
        try:
            decoded = page.decode(data, index, **tables)
        except tifffile.TiffFileError as error:  # it has fewer samples than it covers
            raise truncation from error
        if page.compression == _JPEG and is_flat(decoded[0][0]):
            longer = page.decode(lengthened(data), index, **tables)
            if not np.array_equal(decoded[0], longer[0]):
                raise truncation
        return decoded

    return decode


def _check_inner(page: Any, data: bytes, name: str) -> None:
    """Refuse a strip or tile whose own picture (JPEG, WebP) is larger than its place."""
    if page.compression not in (_JPEG, _WEBP):
        return
    h, w = page.chunks[:2]
    width, height = jpeg_size(data) if page.compression == _JPEG else webp_size(data[:30])
    if width >= w + _BLOCK or height >= h + _BLOCK:
        raise ImageError(
            f"{name} is damaged: a strip or tile of {w} x {h} pixels has {width} x {height} within"
        )


def _check_header(page: Any, name: str, limits: Limits) -> None:
    check_size(name, page.imagewidth, page.imagelength, limits.strips)
    if page.compression not in _COMPRESSIONS:
        readable = ", ".join(dict.fromkeys(_COMPRESSIONS.values()))
        raise ImageError(
            f"{name} is a TIFF compressed with {word(page.compression)}, which is not read; "
            f"expected one of {readable}: save it with one of these"
        )
    if page.imagedepth != 1 or page.tiledepth > 1 or page.samplesperpixel > _MAX_SAMPLES:
        raise ImageError(
            f"{name} has {page.samplesperpixel} samples per pixel and a depth of "
            f"{page.imagedepth}; expected at most {_MAX_SAMPLES} samples and a depth of 1"
        )
    kind = photometric_of(page)
    if expected := _expected(page):
        raise ImageError(
            f"{name} is a TIFF of {kind} with {page.bitspersample} bits a sample, format "
            f"{word(page.sampleformat)} and compression {word(page.compression)}, which is not "
            f"read; expected {expected}"
        )
    if page.samplesperpixel < COLORS[kind][1]:
        raise ImageError(f"{name} is damaged: {kind} with {page.samplesperpixel} samples per pixel")
    if not _is_plain(page):
        _check_segments(page, name, limits)


def _check_segments(page: Any, name: str, limits: Limits) -> None:
    """Refuse strips and tiles, which are decoded whole, that are larger than the picture needs."""
    h, w = page.chunks[:2]
    subject = f"a {'tile' if page.is_tiled else 'strip'} of {name}"
    check_size(subject, w, h, limits.whole)
    segment_bytes = h * w * page.dtype.itemsize * (1 if _is_planar(page) else page.samplesperpixel)
    pixels = min(limits.whole, page.imagewidth * page.imagelength)
    limit = BYTES_PER_PIXEL * pixels + _SEGMENT_BYTES
    if segment_bytes > limit:
        raise ImageError(f"{subject} takes {segment_bytes} bytes, more than the limit of {limit}")


def _expected(page: Any) -> str:
    """What a page should hold instead, for a message; empty if it can be read."""
    kind, dtype = photometric_of(page), page.dtype
    if kind not in COLORS:
        return f"one of {', '.join(COLORS)}: save it as RGB"
    supported, expectation = dtype == np.uint8, "8 bits"
    if kind == "YCBCR":
        supported = supported and page.compression.name == "JPEG"
        expectation = "8 bits with JPEG compression: save it as RGB"
    elif kind != "CIELAB":
        supported = dtype is not None and dtype.kind in "buf"
        expectation = "unsigned integers of 1 to 64 bits, or floats"
    return "" if supported else expectation


def _check_complete(page: Any, file: File, name: str) -> None:
    """Refuse a file with missing segments, which tifffile fills with zeros, or one whose rows are
    stored in final form in fewer bytes than they take."""
    end = file.seek(0, 2)
    segments = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    expected = math.prod(page.chunked)
    if len(segments) < expected or any(n < 1 or at < 1 or at + n > end for at, n in segments):
        raise ImageError(f"{name} is truncated: its data reaches past its end, or is missing")
    stored_bytes = sum(page.databytecounts)
    if _is_plain(page) and stored_bytes < page.nbytes:
        raise truncated(name, stored_bytes * page.imagelength // page.nbytes, page.imagelength)
