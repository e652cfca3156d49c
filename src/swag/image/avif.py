"""What an AVIF says about its size, outside and within, before its decoder is started.

The container (ISO 14496-12, 23008-12) declares the size of each picture in a box `ispe`; the AV1
stream within (AV1 specification, 5.5) has one of its own, by which the decoder takes memory.
"""

from collections.abc import Iterator

from swag.errors import ImageError
from swag.image.excerpt import Excerpt
from swag.image.source import File

_CONTAINERS = {
    b"meta": 4,
    b"iprp": 0,
    b"ipco": 0,
    b"moov": 0,
    b"trak": 0,
    b"mdia": 0,
    b"minf": 0,
    b"stbl": 0,
}
"""Boxes that hold boxes, after so many bytes."""
_HEADER_BYTES = 4 << 20
_MOST_UNITS, _UNIT_BYTES = 4096, 1 << 10
"""Units of a stream that are looked at, and bytes of each: a sequence header takes some hundred at
most."""


def size(file: File, name: str) -> tuple[int, int]:
    """Width and height of the largest picture in an AVIF; ImageError if it has one that is larger
    within than it says outside, or tells nothing."""
    found = list(boxes(file, name))
    sizes = [
        (int.from_bytes(body[4:8]), int.from_bytes(body[8:12])) for k, body in found if k == b"ispe"
    ]
    if not sizes:
        raise ImageError(f"{name} is damaged or truncated: it does not say its size")
    width, height = max(width for width, _ in sizes), max(height for _, height in sizes)
    for stream in _streams(file, found):
        for inner in _sequence_sizes(stream):
            if inner[0] > width or inner[1] > height:
                raise ImageError(
                    f"{name} is damaged: its header says {width} x {height} pixels, its data "
                    f"{inner[0]} x {inner[1]}"
                )
    return width, height


def boxes(file: File, name: str) -> Iterator[tuple[bytes, bytes]]:
    """The boxes of a file that say something, with what is in them."""
    end, at = file.seek(0, 2), 0
    while at + 8 <= end:
        file.seek(at)
        head = file.read(16)
        length, kind, skip = int.from_bytes(head[:4]), head[4:8], 8
        if length == 1:
            length, skip = int.from_bytes(head[8:16]), 16
        length = length if length >= skip else end - at  # 0: up to the end
        if kind in _CONTAINERS:
            if length > _HEADER_BYTES:
                raise ImageError(f"{name} is damaged: its header has {length} bytes")
            file.seek(at + skip)
            yield from _inner(file.read(length - skip)[_CONTAINERS[kind] :])
        at += length


def _inner(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        length = length if length >= 8 else len(data) - at
        body = data[at + 8 : at + length]
        yield kind, body
        if kind in _CONTAINERS:
            yield from _inner(body[_CONTAINERS[kind] :])
        at += length


def _streams(file: File, found: list[tuple[bytes, bytes]]) -> Iterator[Excerpt]:
    """The data of pictures, and of anything else that the boxes tell the place of."""
    inside = b"".join(body for kind, body in found if kind == b"idat")
    for kind, body in found:
        if kind == b"iloc":
            for is_inside, extents in _items(body):
                parts = [inside[at : at + n] for at, n in extents] if is_inside else extents
                yield Excerpt(file, parts)
        elif kind in (b"stco", b"co64"):
            at = int.from_bytes(body[8 : 12 if kind == b"stco" else 16])
            yield Excerpt(file, [(at, max(0, file.seek(0, 2) - at))])


def _items(body: bytes) -> Iterator[tuple[bool, list[tuple[int, int]]]]:
    """Items of a box `iloc`: whether they stand in a box of their own, and where its parts do."""
    version, at = body[0] if body else 0, 4

    def number(size: int) -> int:
        nonlocal at
        at += size
        return int.from_bytes(body[at - size : at])

    widths = number(2)
    offset, length, base, index = (widths >> shift & 15 for shift in (12, 8, 4, 0))
    wide = 4 if version == 2 else 2
    for _ in range(number(wide)):
        number(wide)
        method = number(2) & 15 if version else 0
        number(2)
        start, extents = number(base), []
        for _ in range(number(2)):
            number(index if version else 0)
            extents.append((start + number(offset), number(length)))
            if at > len(body):
                return
        yield method == 1, extents


class _Bits:
    """Bits of bytes, from the highest; zeros after the end."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data), 8 * len(data)

    def take(self, count: int) -> int:
        self._left -= count
        return self._value >> self._left & ((1 << count) - 1) if self._left >= 0 else 0


def _sequence_sizes(stream: Excerpt) -> Iterator[tuple[int, int]]:
    """The largest width and height of frames, by each sequence header of an AV1 stream."""
    at = 0
    for _ in range(_MOST_UNITS):
        stream.seek(at)
        unit = stream.read(_UNIT_BYTES)
        if len(unit) < 2:
            return
        kind, extended, sized = unit[0] >> 3 & 15, unit[0] >> 2 & 1, unit[0] >> 1 & 1
        begin, length = 1 + extended, 0
        for shift in range(0, 56 if sized else 0, 7):
            byte = unit[begin] if begin < len(unit) else 0
            length |= (byte & 127) << shift
            begin += 1
            if not byte & 128:
                break
        if kind == 1:
            yield _frame_size(_Bits(unit[begin:]))
        if not sized:
            return
        at += begin + length


def _frame_size(bits: _Bits) -> tuple[int, int]:
    """From a sequence header (5.5.1), of which the rest is passed over."""
    bits.take(4)
    if bits.take(1):  # of a still picture
        bits.take(5)
    else:
        delays = _timing(bits)
        initial = bits.take(1)
        for _ in range(bits.take(5) + 1):
            bits.take(12)
            if bits.take(5) > 7:
                bits.take(1)
            if delays and bits.take(1):
                bits.take(2 * delays + 1)
            if initial and bits.take(1):
                bits.take(4)
    wide, high = bits.take(4) + 1, bits.take(4) + 1
    return bits.take(wide) + 1, bits.take(high) + 1


def _timing(bits: _Bits) -> int:
    """Pass over the timing; the length of the delays of decoders, 0 if there are none."""
    if not bits.take(1):
        return 0
    bits.take(64)
    if bits.take(1):  # a number that begins with as many zeros as it has bits more
        zeros = 0
        while zeros < 32 and not bits.take(1):
            zeros += 1
        bits.take(zeros)
    if not bits.take(1):
        return 0
    length = bits.take(5) + 1
    bits.take(42)
    return length
