"""Whether a file has data for all of its rows, where its decoder makes up the rest in silence.

Pillow leaves rows of a PNG black if the compressed data end before them, and libjpeg goes on with
the last color that it has seen. Only what looks like that is examined.
"""

import io
import re
import zlib
from collections.abc import Iterator

import imagecodecs
import numpy as np
from PIL.Image import Image

from swag.errors import ImageError
from swag.image.raster import Array
from swag.image.source import File

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PASSES = (
    (0, 8, 0, 8),
    (4, 8, 0, 8),
    (0, 4, 4, 8),
    (2, 4, 0, 4),
    (0, 2, 2, 4),
    (1, 2, 0, 2),
    (0, 1, 1, 2),
)
"""Adam7: of each pass its first column, the step to the next, its first row, the step."""
_PIECE = 1 << 16
MARKER = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd7]")
"""Markers that end the data of a scan of a JPEG; restarts are within a scan."""
_PROGRESSIVE, _SCAN, _END = b"\xff\xc2", b"\xff\xda", b"\xff\xd9"


def truncated(name: str, rows: int, height: int) -> ImageError:
    """The error of a file that fills only so many of its rows."""
    return ImageError(f"{name} is truncated: its data ends after row {rows} of {height}")


def truncated_within(name: str, top: int, bottom: int, height: int) -> ImageError:
    """The same error if only the segment that is too short is known."""
    return ImageError(
        f"{name} is truncated: its data ends within rows {top + 1} to {bottom} of {height}"
    )


def is_flat(samples: Array) -> bool:
    """Whether the last pixels of a picture are alike, as those are that libjpeg fills in."""
    corner = samples[-2:, -2:].reshape(-1, samples[0, 0].size)
    return bool((corner == corner[0]).all())


def has_end(file: File) -> bool:
    """Whether a JPEG has an end marker of its own, before that which an excerpt gives it."""
    file.seek(-4, io.SEEK_END)
    return file.read(2) == _END


def check_jpeg(data: bytes, name: str) -> None:
    """Refuse a JPEG whose data end before its last row, or its last scan."""
    whole, longer = (imagecodecs.jpeg8_decode(x) for x in (data, lengthened(data)))
    changed = np.flatnonzero((whole != longer).reshape(len(whole), -1).any(axis=1))
    if len(changed):
        raise truncated(name, int(changed[0]), len(whole))
    if missing := _missing(data):
        raise ImageError(f"{name} is truncated: {missing} of its coefficients are not complete")


def lengthened(data: bytes) -> bytes:
    """A JPEG with more bytes at the end of each scan.

    They make another picture of it only if its own were not enough.
    """
    parts, begin = [], 0
    for marker, _, end in segments(data):
        if marker == _SCAN:
            parts += [data[begin:end], bytes(range(255))]
            begin = end
    return b"".join([*parts, data[begin:]])


def _missing(data: bytes) -> int:
    """How many coefficients of a progressive JPEG no scan gives to the last bit."""
    wanted: set[tuple[int, int]] = set()
    for marker, begin, end in segments(data):
        body = data[begin + 2 : min(end, begin + 300)]
        if marker == _PROGRESSIVE:
            wanted = {(part, n) for part in body[6 : 6 + 3 * body[5] : 3] for n in range(64)}
        elif marker == _SCAN and wanted:
            parts = body[1 : 1 + 2 * body[0] : 2]
            first, last, bits = body[1 + 2 * body[0] :][:3]
            if not bits & 15:
                wanted -= {(part, n) for part in parts for n in range(first, last + 1)}
    return len(wanted)


def segments(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The segments of a JPEG up to its end: marker, where its length stands, where it ends."""
    found = MARKER.search(data, 2)
    while found and found.group() != _END:
        begin = found.end()
        following = MARKER.search(data, begin + int.from_bytes(data[begin : begin + 2]))
        yield found.group(), begin, following.start() if following else len(data)
        found = following


def check_png(file: File, image: Image, name: str) -> None:
    """Refuse a decoded PNG that lacks rows; its data is counted only if the last row is black."""
    width, height = image.size
    interlaced = bool(image.info.get("interlace"))
    if not interlaced and np.asarray(image.crop((0, height - 1, width, height))).any():
        return
    file.seek(24)  # in the first chunk
    depth, colors = file.read(2)
    bits = depth * _CHANNELS[colors]
    held = expected = 0
    sizes = _interlaced(width, height) if interlaced else [(width, height)]
    rows = [(row, 1 + (columns * bits + 7) // 8) for columns, row in sizes if columns and row]
    expected = sum(count * length for count, length in rows)
    for part in _inflated(_data(file)):
        held += part
        if held >= expected:
            return
    if interlaced:
        raise ImageError(f"{name} is truncated: it has {held} of {expected} bytes of its rows")
    raise truncated(name, held // rows[0][1], height)


def _interlaced(width: int, height: int) -> list[tuple[int, int]]:
    """The columns and rows of each pass."""
    return [
        (len(range(left, width, across)), len(range(top, height, down)))
        for left, across, top, down in _PASSES
    ]


def _data(file: File) -> Iterator[bytes]:
    """The compressed rows of a PNG, in pieces."""
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length = int.from_bytes(head[:4])
        if head[4:] == b"IDAT":
            for at in range(0, length, _PIECE):
                yield file.read(min(_PIECE, length - at))
            length = 0
        file.seek(length + 4, io.SEEK_CUR)


def _inflated(pieces: Iterator[bytes]) -> Iterator[int]:
    """How many bytes each piece becomes; they are never there together."""
    stream = zlib.decompressobj()
    for piece in pieces:
        while piece and not stream.eof:
            yield len(stream.decompress(piece, _PIECE))
            piece = stream.unconsumed_tail
