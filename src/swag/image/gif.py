"""The first frame of a GIF (GIF89a specification, 1990).

Pillow would put long words of a file together in a time that grows with their square.
"""

import io

from swag.errors import ImageError
from swag.image.source import File

_EXTENSION, _FRAME, _CONTROL = 0x21, 0x2C, 0xF9
_HEAD_BYTES, _FRAME_BYTES = 13, 10
_MOST_EXTENSIONS = 4096


def first_frame(file: File, name: str) -> tuple[bytes, bool]:
    """A GIF of the first frame of a GIF alone, with what makes colors of it transparent; and
    whether there are more.

    ImageError if that frame is cut off, or larger than the picture.
    """
    head = _read(file, 0, _HEAD_BYTES, name)
    begin = _HEAD_BYTES + _table_bytes(head[10])
    kind, controls, at = _next_block(file, begin, name)
    if kind != _FRAME:
        raise ImageError(f"{name} is a GIF without a frame")
    frame = _read(file, at, _FRAME_BYTES, name)
    left, top, width, height = (int.from_bytes(frame[i : i + 2], "little") for i in (1, 3, 5, 7))
    screen = [int.from_bytes(head[i : i + 2], "little") for i in (6, 8)]
    if left + width > screen[0] or top + height > screen[1]:
        raise ImageError(f"{name} is damaged: its first frame reaches beyond the picture")
    end = _after_blocks(file, at + _FRAME_BYTES + _table_bytes(frame[9]) + 1, name)
    parts = [(0, begin), *controls[-1:], (at, end - at)]
    data = b"".join(_read(file, start, count, name) for start, count in parts)
    return data + b";", _next_block(file, end, name, end_is_fine=True)[0] == _FRAME


def _next_block(
    file: File, at: int, name: str, *, end_is_fine: bool = False
) -> tuple[int, list[tuple[int, int]], int]:
    """The first byte of the next block that is no extension, and its place; what controls it."""
    controls: list[tuple[int, int]] = []
    for _ in range(_MOST_EXTENSIONS):
        try:
            kind = _read(file, at, 1, name)[0]
            if kind != _EXTENSION:
                return kind, controls, at
            label, end = _read(file, at + 1, 1, name)[0], _after_blocks(file, at + 2, name)
        except ImageError:
            if end_is_fine:
                return 0, controls, at
            raise
        if label == _CONTROL and end - at == 8:
            controls.append((at, end - at))
        at = end
    raise ImageError(f"{name} is damaged: it has more than {_MOST_EXTENSIONS} extensions")


def _after_blocks(file: File, at: int, name: str) -> int:
    """Where a chain of blocks of up to 255 bytes ends."""
    while length := _read(file, at, 1, name)[0]:
        at += 1 + length
    return at + 1


def _read(file: File, at: int, count: int, name: str) -> bytes:
    file.seek(at, io.SEEK_SET)
    data = file.read(count)
    if len(data) < count:
        raise ImageError(f"{name} is truncated: its first frame is not complete")
    return data


def _table_bytes(flags: int) -> int:
    """Bytes of the table of colors that a byte of flags announces."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0
