"""The first frame of a GIF (GIF89a specification, 1990).

Pillow would join long texts of a file in a time that is quadratic in their length.
"""

import io

from swag.errors import ImageError
from swag.image.source import File

_EXTENSION, _FRAME, _CONTROL = 0x21, 0x2C, 0xF9
_HEAD_BYTES, _FRAME_BYTES = 13, 10
_MOST_EXTENSIONS = 4096


def first_frame(file: File, name: str) -> tuple[bytes, bool]:
    """A GIF of the first frame alone, with its control extension (transparency); and whether
    there are more frames.

    ImageError if that frame is cut off, or larger than the picture.
    """
    head = _read(file, 0, _HEAD_BYTES, name)
    header_end = _HEAD_BYTES + _table_bytes(head[10])
    kind, controls, offset = _next_block(file, header_end, name)
    if kind != _FRAME:
        raise ImageError(f"{name} is a GIF without a frame")
    frame = _read(file, offset, _FRAME_BYTES, name)
    left, top, width, height = (int.from_bytes(frame[i : i + 2], "little") for i in (1, 3, 5, 7))
    screen = [int.from_bytes(head[i : i + 2], "little") for i in (6, 8)]
    if left + width > screen[0] or top + height > screen[1]:
        raise ImageError(f"{name} is damaged: its first frame reaches beyond the picture")
    frame_end = _blocks_end(file, offset + _FRAME_BYTES + _table_bytes(frame[9]) + 1, name)
    parts = [(0, header_end), *controls[-1:], (offset, frame_end - offset)]
    data = b"".join(_read(file, start, count, name) for start, count in parts)
    return data + b";", _next_block(file, frame_end, name, end_is_fine=True)[0] == _FRAME


def _next_block(
    file: File, offset: int, name: str, *, end_is_fine: bool = False
) -> tuple[int, list[tuple[int, int]], int]:
    """The next block that is no extension: its kind, the parts that control it, its offset."""
    controls: list[tuple[int, int]] = []
    for _ in range(_MOST_EXTENSIONS):
        try:
            kind = _read(file, offset, 1, name)[0]
            if kind != _EXTENSION:
                return kind, controls, offset
            label, end = _read(file, offset + 1, 1, name)[0], _blocks_end(file, offset + 2, name)
        except ImageError:
            if end_is_fine:
                return 0, controls, offset
            raise
        if label == _CONTROL and end - offset == 8:
            controls.append((offset, end - offset))
        offset = end
    raise ImageError(f"{name} is damaged: it has more than {_MOST_EXTENSIONS} extensions")


def _blocks_end(file: File, offset: int, name: str) -> int:
    """The offset behind a chain of blocks of up to 255 bytes."""
    while length := _read(file, offset, 1, name)[0]:
        offset += 1 + length
    return offset + 1


def _read(file: File, offset: int, count: int, name: str) -> bytes:
    file.seek(offset, io.SEEK_SET)
    data = file.read(count)
    if len(data) < count:
        raise ImageError(f"{name} is truncated: its first frame is not complete")
    return data


def _table_bytes(flags: int) -> int:
    """Bytes of the table of colors that a byte of flags announces."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0
