"""The size of an AVIF by its container and by its streams, before a decoder is started.

The container (ISO 14496-12, 23008-12) declares the size of each picture in a box `ispe`; the AV1
stream within (AV1 specification, 5.5) has one of its own, by which the decoder takes memory.
"""

import io
from collections.abc import Iterable, Iterator, Sequence

from swag.errors import ImageError
from swag.image.limits import check_inner

Box = tuple[bytes, bytes]
"""The kind of a box, and its content."""

_CONTAINERS = (b"meta", b"iprp", b"ipco", b"moov", b"trak", b"mdia", b"minf", b"stbl")
"""Boxes that hold boxes; in the first of these, they come after 4 bytes."""
_HEADER_BYTES, _DEEPEST = 4 << 20, 8
_MOST_UNITS, _UNIT_BYTES = 4096, 1 << 10
"""Units of a stream that are looked at, and bytes of each: a sequence header takes some hundred at
most."""


def size(found: Sequence[Box], name: str) -> tuple[int, int]:
    """The largest width and height that boxes `ispe` declare; ImageError if there is none."""
    sizes = [
        (int.from_bytes(body[4:8]), int.from_bytes(body[8:12])) for body in bodies(found, b"ispe")
    ]
    if not sizes:
        raise ImageError(f"{name} is damaged or truncated: it does not say its size")
    return max(width for width, _ in sizes), max(height for _, height in sizes)


def check_streams(data: bytes, found: Sequence[Box], name: str) -> None:
    """Refuse a file with a stream whose picture is larger than its boxes say: ImageError."""
    for stream in _streams(data, found, name):
        for inner in _sequence_sizes(stream):
            check_inner(name, size(found, name), inner)


def bodies(found: Iterable[Box], kind: bytes) -> list[bytes]:
    """The contents of the boxes of one kind."""
    return [body for box, body in found if box == kind]


def boxes(file: io.BufferedIOBase, name: str, depth: int = 0) -> Iterator[Box]:
    """The boxes of a file with their contents; those outside of containers (pixels) come empty."""
    end, position = file.seek(0, io.SEEK_END), 0
    while position + 8 <= end:
        file.seek(position)
        head = file.read(16)
        length, kind, skip = int.from_bytes(head[:4]), head[4:8], 8
        if length == 1:
            length, skip = int.from_bytes(head[8:16]), 16
        length = length if length >= skip else end - position  # 0: up to the end
        file.seek(position + skip)
        if kind not in _CONTAINERS:
            yield kind, file.read(length - skip) if depth else b""
        elif length > _HEADER_BYTES or depth > _DEEPEST:
            raise ImageError(f"{name} is damaged: its header has {length} bytes")
        else:
            inner = file.read(length - skip)[4 if kind == b"meta" else 0 :]
            yield from boxes(io.BytesIO(inner), name, depth + 1)
        position += length


def _streams(data: bytes, all_boxes: Sequence[Box], name: str) -> Iterator[memoryview]:
    """The data of pictures, and of all else whose place is in boxes `iloc`, `stco` or `co64`."""
    joined_bytes, item_data = 0, b"".join(bodies(all_boxes, b"idat"))
    for body in bodies(all_boxes, b"iloc"):
        for is_item_data, extents in _items(body):
            source = memoryview(item_data if is_item_data else data)
            parts = [source[start : start + length] for start, length in extents]
            joined_bytes += sum(map(len, parts)) if len(parts) > 1 else 0
            if joined_bytes > len(data):
                raise ImageError(f"{name} is damaged: its pictures share their parts")
            yield parts[0] if len(parts) == 1 else memoryview(b"".join(parts))
    for kind, end in ((b"stco", 12), (b"co64", 16)):
        for body in bodies(all_boxes, kind):
            yield memoryview(data)[int.from_bytes(body[8:end]) :]


def _items(body: bytes) -> Iterator[tuple[bool, list[tuple[int, int]]]]:
    """Items of a box `iloc`: whether the box `idat` holds them, and (offset, length) of parts."""
    version, position = body[0] if body else 0, 4

    def number(size: int) -> int:
        nonlocal position
        position += size
        return int.from_bytes(body[position - size : position])

    sizes = number(2)
    offset_size, length_size, base_size, index_size = (sizes >> bit & 15 for bit in (12, 8, 4, 0))
    id_size = 4 if version == 2 else 2
    for _ in range(number(id_size)):
        number(id_size)
        method = number(2) & 15 if version else 0
        number(2)
        base_offset, extents = number(base_size), []
        for _ in range(number(2)):
            number(index_size if version else 0)
            extents.append((base_offset + number(offset_size), number(length_size)))
            if position > len(body):
                return
        yield method == 1, extents


class _Bits:
    """Bits of bytes, from the highest; zeros after the end."""

    def __init__(self, data: bytes) -> None:
        self._value, self._remaining = int.from_bytes(data), 8 * len(data)

    def take(self, count: int) -> int:
        self._remaining -= count
        return self._value >> self._remaining & ((1 << count) - 1) if self._remaining >= 0 else 0


def _sequence_sizes(stream: memoryview) -> Iterator[tuple[int, int]]:
    """The largest width and height of frames, by each sequence header of an AV1 stream."""
    position = 0
    for _ in range(_MOST_UNITS):
        unit = bytes(stream[position : position + _UNIT_BYTES])
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
        position += begin + length


def _frame_size(bits: _Bits) -> tuple[int, int]:
    """Width and height in a sequence header (5.5.1); all other fields are skipped."""
    bits.take(4)
    if bits.take(1):  # of a still picture
        bits.take(5)
    else:
        delay_bits = _delay_bits(bits)
        has_initial = bits.take(1)
        for _ in range(bits.take(5) + 1):
            bits.take(12)
            if bits.take(5) > 7:
                bits.take(1)
            if delay_bits and bits.take(1):
                bits.take(2 * delay_bits + 1)
            if has_initial and bits.take(1):
                bits.take(4)
    width_bits, height_bits = bits.take(4) + 1, bits.take(4) + 1
    return bits.take(width_bits) + 1, bits.take(height_bits) + 1


def _delay_bits(bits: _Bits) -> int:
    """Skip the timing; returns the bits of a decoder's delays, 0 if there are none."""
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
