"""Of a file its decoder is shown only the parts that a picture needs, each of a limited length.

Words, other pictures of the same file, and whatever comes after the end are left out before anybody
else's code reads them: what they claim costs nothing, and what is wrong with them spoils nothing.
"""

import bisect
import io
import struct
import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

from swag.errors import ImageError
from swag.image.complete import MARKER
from swag.image.gif import first_frame
from swag.image.raster import MAX_PROFILE_BYTES
from swag.image.source import BYTES_BESIDES, BYTES_PER_PIXEL, File
from swag.image.tiff_directory import chosen
from swag.messages import one_line

Part = bytes | tuple[int, int]
"""Bytes of ours, or where bytes of the file begin and how many they are."""

_MOST_PARTS = 1 << 20
_WORD_BYTES = 1 << 20
_EXIF_BYTES = 1 << 20
_PNG = {
    b"IHDR": 13,
    b"PLTE": 768,
    b"tRNS": 256,
    b"sRGB": 1,
    b"gAMA": 4,
    b"cHRM": 32,
    b"cICP": 4,
    b"IEND": 0,
    b"eXIf": _EXIF_BYTES,
    b"iCCP": MAX_PROFILE_BYTES,
}
_PNG_WORDS = (b"tEXt", b"zTXt", b"iTXt")
_WEBP = {b"VP8X": 10, b"ANIM": 6, b"EXIF": _EXIF_BYTES, b"ICCP": MAX_PROFILE_BYTES}
_WEBP_PIXELS = (b"VP8 ", b"VP8L", b"ALPH", b"ANMF")
_OPTIONAL = {
    b"eXIf": "orientation",
    b"EXIF": "orientation",
    b"iCCP": "color profile",
    b"ICCP": "color profile",
}
_JPEG_COMMENTS = tuple(bytes([n]) for n in (*range(0xE3, 0xEE), 0xEF, 0xFE))
_JPEG_FRAMES = (b"\xc0", b"\xc1", b"\xc2")
_MOST_SEGMENTS = 1 << 16


class Excerpt(io.RawIOBase):
    """Parts of a file, one after the other, as a file that can be searched."""

    def __init__(self, file: File, parts: Sequence[Part]) -> None:
        self._file, self._parts = file, parts
        lengths = [len(part) if isinstance(part, bytes) else part[1] for part in parts]
        self._starts = list(accumulate(lengths, initial=0))
        self._at = 0

    def readable(self) -> bool:
        """See `io.RawIOBase`."""
        return True

    def seekable(self) -> bool:
        """See `io.RawIOBase`."""
        return True

    def tell(self) -> int:
        """See `io.RawIOBase`."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """See `io.RawIOBase`."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._starts[-1]}[whence]
        if base + offset < 0:
            raise ValueError(f"negative position {base + offset}")
        self._at = base + offset
        return self._at

    def read(self, size: int = -1, /) -> bytes:
        """See `io.RawIOBase`; as much as is asked for, if it is there."""
        end = self._starts[-1] if size < 0 else min(self._at + size, self._starts[-1])
        found = []
        while self._at < end:
            number = bisect.bisect_right(self._starts, self._at) - 1
            part, first = self._parts[number], self._at - self._starts[number]
            length = min(end, self._starts[number + 1]) - self._at
            if isinstance(part, bytes):
                data = part[first : first + length]
            else:
                self._file.seek(part[0] + first)
                data = self._file.read(length)
            if not data:  # the file became shorter
                break
            found.append(data)
            self._at += len(data)
        return b"".join(found)

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        """See `io.RawIOBase`."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def excerpt(file: File, kind: str, name: str, *, words: bool = False) -> File:
    """The parts of a file of this format that its first picture needs; its `words`, if asked for.

    What is left out for its length, and would have changed the picture, is warned of.
    """
    parts = list(_joined(_FORMATS[kind](file, name, words)))
    return io.BufferedReader(Excerpt(file, parts), 1 << 16)


def _joined(parts: Iterator[Part]) -> Iterator[Part]:
    """The same parts, of which those that follow one another in the file are one."""
    last: Part | None = None
    for number, part in enumerate(parts):
        if number == _MOST_PARTS:
            raise ImageError(f"a picture with more than {_MOST_PARTS} parts is not read")
        if isinstance(last, tuple) and isinstance(part, tuple) and sum(last) == part[0]:
            last = last[0], last[1] + part[1]
            continue
        if last is not None:
            yield last
        last = part
    if last is not None:
        yield last


def _size(file: File) -> int:
    return file.seek(0, io.SEEK_END)


def _at(file: File, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)


def _fits(kind: bytes, length: int, most: int, *, room: int, name: str) -> bool:
    """Whether a part is no longer than it may be, and than the `room` that there is; if the picture
    cannot do without, an error."""
    if length > room:
        raise ImageError(f"{name} is truncated: its {kind.decode()} reaches past its end")
    if length <= most:
        return True
    if kind not in _OPTIONAL:
        raise ImageError(
            f"{name} is damaged: its {kind.decode()} has {length} bytes, more than {most}"
        )
    warnings.warn(
        f"{name}: its {_OPTIONAL[kind]} is left out, as it takes {length} bytes, more than {most}",
        stacklevel=2,
    )
    return False


def _check_methods(header: bytes, name: str) -> None:
    """Refuse methods that no PNG has, which decoders refuse, pass over or print words about."""
    for method, most, number in zip(
        ("compression", "filter", "interlace"), (0, 0, 1), header[10:], strict=False
    ):
        if number > most:
            known = "only method 0" if most == 0 else "methods 0 and 1"
            raise ImageError(
                f"{name} is damaged: its header names {method} method {number}, and PNG has {known}"
            )


def _png(file: File, name: str, words: bool) -> Iterator[Part]:
    """A PNG's chunks, up to its end: those of pixels, colors and orientation."""
    limits = _PNG | dict.fromkeys(_PNG_WORDS if words else (), _WORD_BYTES)
    end, at = _size(file), 8
    yield 0, 8
    while len(head := _at(file, at, 8)) == 8:
        length, kind = int.from_bytes(head[:4]), head[4:]
        room = end - at - 12
        if kind == b"IDAT" or (
            kind in limits and _fits(kind, length, limits[kind], room=room, name=name)
        ):
            if kind == b"IHDR":
                _check_methods(_at(file, at + 8, length), name)
            yield at, min(length + 12, end - at)
        elif kind not in limits and not kind[0] & 32:  # that nobody may pass over
            raise ImageError(f"{name} has a chunk {one_line(kind)}, which is not read")
        at += length + 12
        if kind == b"IEND":
            return


def _webp(file: File, name: str, words: bool) -> Iterator[Part]:
    """A WebP's chunks: those of the first picture, its colors and orientation."""
    end = min(_size(file), 8 + int.from_bytes(_at(file, 4, 4), "little"))
    limits = _WEBP | ({b"XMP ": _WORD_BYTES} if words else {})
    kept: list[tuple[int, int]] = []
    at, pictures = 12, 0
    while at + 8 <= end and len(kept) < 16:
        head = _at(file, at, 8)
        kind, length = head[:4], int.from_bytes(head[4:], "little")
        whole = 8 + length + length % 2
        pictures += kind == b"ANMF"
        if (kind in _WEBP_PIXELS and pictures <= 1) or (
            kind in limits and _fits(kind, length, limits[kind], room=end - at - 8, name=name)
        ):
            kept.append((at, min(whole, end - at)))
        at += whole
    length = 4 + sum(length for _, length in kept)
    yield b"RIFF" + struct.pack("<I", min(length, (1 << 32) - 1)) + b"WEBP"
    yield from kept


def _jpeg(file: File, name: str, words: bool) -> Iterator[Part]:
    """A JPEG's tables, colors, orientation and data, and an end besides what it has of one."""
    end, at, profile = _size(file), 2, 0
    yield 0, 2
    for _ in range(_MOST_SEGMENTS):
        at = _next_marker(file, at, end)
        head = _at(file, at, 18)
        if head[1:2] == b"\xd9":
            yield at, 2
            break
        length = min(2 + int.from_bytes(head[2:4]), end - at)
        if head[1:2] in _JPEG_FRAMES:  # no more than its pixels can need
            height, width = int.from_bytes(head[5:7]), int.from_bytes(head[7:9])
            end = min(end, at + BYTES_PER_PIXEL * width * height + BYTES_BESIDES)
        profile += length * head[4:].startswith(b"ICC_PROFILE\0")
        if head[1:2] == b"\xda":
            length = _next_marker(file, at + length, end) - at
        if _is_needed(head, words=words) and profile <= MAX_PROFILE_BYTES + (1 << 16):
            yield at, length
        at += length
        if at >= end:
            break
    else:
        raise ImageError(f"{name} is damaged: it has more than {_MOST_SEGMENTS} segments")
    yield b"\xff\xd9"


def _next_marker(file: File, at: int, end: int) -> int:
    """Where the next marker of a JPEG stands, or the end."""
    while at < end and len(data := _at(file, at, 1 << 20)) > 1:
        if found := MARKER.search(data):
            return at + found.start()
        at += len(data) - 1
    return end


def _is_needed(head: bytes, *, words: bool) -> bool:
    """Whether a segment of a JPEG, which begins so, has to do with the picture, or its words."""
    if head[1:2] == b"\xe1":
        return head[4:].startswith(b"Exif\0") or (words and head[4:].startswith(b"http:"))
    if head[1:2] == b"\xe2":
        return head[4:].startswith(b"ICC_PROFILE\0")
    return head[1:2] not in _JPEG_COMMENTS


def _tiff(file: File, name: str, words: bool) -> Iterator[Part]:
    """A TIFF with the directory of one picture and the tags that say how it is stored."""
    page, end = chosen(file, name), _size(file)
    at, form = (8, "Q") if page.big else (4, "I")
    start, table = struct.pack(page.order + form, page.start), page.table(name, words=words)
    yield 0, at
    yield start
    yield at + len(start), page.start - at - len(start)
    yield table
    yield page.start + len(table), max(0, end - page.start - len(table))


def _avif(file: File, name: str, words: bool) -> Iterator[Part]:
    """All of an AVIF, whose parts are found by where they stand."""
    yield 0, _size(file)


def _whole(file: File, name: str, words: bool) -> Iterator[Part]:
    """All of a file of a format that has nothing but its first picture."""
    yield 0, _size(file)


_FORMATS: dict[str, Callable[[File, str, bool], Iterator[Part]]] = {
    "PNG": _png,
    "JPEG": _jpeg,
    "WEBP": _webp,
    "TIFF": _tiff,
    "AVIF": _avif,
    "GIF": first_frame,
    "BMP": _whole,
}
