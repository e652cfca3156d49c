"""JPEG (ITU-T T.81), alone or within a TIFF: its header, its pixels, and whether it is complete.

libjpeg silently fills rows that a file lacks with the last color that it has decoded. Only
pictures that look like that are examined.
"""

import re
from collections.abc import Iterator

import imagecodecs
import numpy as np

from swag.errors import ImageError
from swag.image.color_space import DeclaredColors, profile_of
from swag.image.limits import BYTES_BESIDES, Limits, check_size, most_bytes, truncated
from swag.image.picture import Array, Header, exif_of, orientation_of
from swag.image.source import File, read_start

_MARKER = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd7]")
"""Markers that end the data of a scan; restarts are within a scan."""
_SCAN, END = b"\xff\xda", b"\xff\xd9"
_EXIF, _PROFILE = b"\xff\xe1", b"\xff\xe2"
_FRAMES = tuple(b"\xff" + bytes([n]) for n in (0xC0, 0xC1, 0xC2, 0xC9, 0xCA))
_PROGRESSIVE = (b"\xff\xc2", b"\xff\xca")
_OTHER_FRAMES = tuple(
    b"\xff" + bytes([n]) for n in (0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF)
)
_MOST_SEGMENTS = 1 << 16
_PIECE_BYTES, _TAIL_BYTES = 1 << 16, 1 << 10
"""Bytes that libvips is given at once; and last bytes of a file that must have the end marker."""


def jpeg_header(file: File, name: str, limits: Limits) -> Header:
    """Size, colors and orientation of a JPEG; ImageError if it is too large, ValueError as for
    `jpeg_size`."""
    data = read_start(file, BYTES_BESIDES)
    width, height = jpeg_size(data)
    exif, parts, by_rows, components = b"", [], True, 3
    for marker, begin, _ in segments(data):
        body = data[begin + 2 : begin + int.from_bytes(data[begin : begin + 2])]
        if marker in _FRAMES:
            components, by_rows = body[5], by_rows and marker not in _PROGRESSIVE
        elif marker == _EXIF and body.startswith(b"Exif\0\0") and not exif:
            exif = body
        elif marker == _PROFILE and body.startswith(b"ICC_PROFILE\0"):
            parts.append(body[12:])
    check_size(name, width, height, limits.strips if by_rows else limits.whole)
    complete = bool(parts) and int.from_bytes(parts[0][1:2]) == len(parts)
    embedded = b"".join(part[2:] for part in sorted(parts)) if complete else b""
    exif_fields = exif_of(exif)
    return Header(
        width,
        height,
        by_rows=by_rows,
        profile=profile_of(embedded, DeclaredColors(), exif_fields, gray=components == 1),
        orientation=orientation_of(exif_fields),
    )


def decode(file: File, header: Header, name: str) -> Array:
    """All samples of a JPEG (height, width, channels). ImageError if it lacks some of its rows."""
    data = read_start(file, most_bytes(header.width, header.height))
    samples = imagecodecs.jpeg8_decode(data)
    if is_flat(samples) or END not in data[-_TAIL_BYTES:]:
        _check_complete(data, samples, name)
    return samples if samples.ndim == 3 else samples[..., None]


def is_flat(samples: Array) -> bool:
    """Whether the last 2 x 2 pixels of a picture are equal, as those are that libjpeg fills in."""
    corner = samples[-2:, -2:].reshape(-1, samples[0, 0].size)
    return bool((corner == corner[0]).all())


def with_end(file: File) -> Iterator[bytes]:
    """A JPEG, piece by piece, and behind it an end marker, whether it has one or not."""
    file.seek(0)
    yield from iter(lambda: file.read(_PIECE_BYTES), b"")
    yield END


def has_end(file: File) -> bool:
    """Whether a JPEG has its end marker."""
    file.seek(max(0, file.seek(0, 2) - _TAIL_BYTES))
    return END in file.read()


def _check_complete(data: bytes, samples: Array, name: str) -> None:
    """Refuse a JPEG whose data end before its last row, or its last scan."""
    longer = imagecodecs.jpeg8_decode(lengthened(data))
    changed = np.flatnonzero((samples != longer).reshape(len(samples), -1).any(axis=1))
    if len(changed):
        raise truncated(name, int(changed[0]), len(samples))
    if count := _missing_coefficients(data):
        raise ImageError(f"{name} is truncated: {count} of its coefficients are not complete")


def lengthened(data: bytes) -> bytes:
    """A JPEG with more bytes at the end of each scan.

    They change the picture only if its own bytes were not enough.
    """
    parts, begin = [], 0
    for marker, _, end in segments(data):
        if marker == _SCAN:
            parts += [data[begin:end], bytes(range(255))]
            begin = end
    return b"".join([*parts, data[begin:]])


def _missing_coefficients(data: bytes) -> int:
    """The number of coefficients of a progressive JPEG that no scan gives to the last bit."""
    missing: set[tuple[int, int]] = set()
    for marker, begin, end in segments(data):
        body = data[begin + 2 : min(end, begin + 300)]
        if marker in _PROGRESSIVE:
            missing = {(c, n) for c in body[6 : 6 + 3 * body[5] : 3] for n in range(64)}
        elif marker == _SCAN and missing:
            components = body[1 : 1 + 2 * body[0] : 2]
            first, last, bits = body[1 + 2 * body[0] :][:3]
            if not bits & 15:
                missing -= {(c, n) for c in components for n in range(first, last + 1)}
    return len(missing)


def segments(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The segments of a JPEG up to its end: marker, offset of the length, offset of the end."""
    match, count = _MARKER.search(data, 2), 0
    while match and match.group() != END:
        count += 1
        if count > _MOST_SEGMENTS:
            raise ValueError(f"more than {_MOST_SEGMENTS} segments")
        begin = match.end()
        next_match = _MARKER.search(data, begin + int.from_bytes(data[begin : begin + 2]))
        yield match.group(), begin, next_match.start() if next_match else len(data)
        match = next_match


def jpeg_size(data: bytes) -> tuple[int, int]:
    """Width and height of a JPEG of 8 bits, sequential or progressive; the largest, if it has
    several.

    Raises:
        ValueError: it has none, or is of another kind.
    """
    sizes = []
    for marker, begin, _ in segments(data):
        if marker in _OTHER_FRAMES or (
            marker in _FRAMES and data[begin + 2 : begin + 3] != b"\x08"
        ):
            raise ValueError("a JPEG that is not of 8 bits, or lossless")
        if marker in _FRAMES:
            height, width = (int.from_bytes(data[begin + i : begin + i + 2]) for i in (3, 5))
            sizes.append((width, height))
    if not sizes:
        raise ValueError("a JPEG without a size")
    return max(width for width, _ in sizes), max(height for _, height in sizes)
