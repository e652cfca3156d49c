"""The directory of a TIFF: which of its pictures is read, and the tags that are needed for it.

TIFF 6.0 (Adobe, 1992), section 2. A file holds a chain of directories, one for each picture, with
tags whose values may stand anywhere and be of any length: what counts is read here, by itself.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from swag.errors import ImageError
from swag.image.raster import MAX_PROFILE_BYTES
from swag.image.source import File

_BYTES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
"""Bytes of a value of each type."""
_LETTERS = {1: "B", 3: "H", 4: "I", 16: "Q"}
_REDUCED, _OLD_REDUCED, _WIDTH, _HEIGHT, _COLORS = 254, 255, 256, 257, 262
_MAKER, _SUB_DIRECTORIES, _PROFILE, _DNG = 271, 330, 34675, 50706
_SEGMENTS = (273, 279, 324, 325)
_SMALL = (
    254,
    256,
    257,
    258,
    259,
    262,
    266,
    274,
    277,
    278,
    284,
    292,
    293,
    317,
    322,
    323,
    338,
    339,
    529,
    530,
    532,
    32997,
    32998,
)
_LIMITS = dict.fromkeys(_SMALL, 1 << 10) | {320: 3 << 17, 347: 1 << 16}
"""Tags that are needed, and the most bytes of each."""
_WORDS = {270: 60_000, 700: 60_000}
_RAW_COLORS = (32803, 34892)
_MOST_PAGES, _MOST_TAGS = 1000, 1 << 12


@dataclass(frozen=True)
class Tag:
    """A tag: how many values of a type, and those that fit into it, or where they stand."""

    number: int
    type: int
    count: int
    value: bytes


@dataclass(frozen=True)
class Directory:
    """A directory: where it begins, its tags, and how numbers of its file are written."""

    start: int
    tags: Mapping[int, Tag]
    next: int
    order: str
    big: bool

    def integer(self, number: int, default: int = 0) -> int:
        """The value of a tag that has one."""
        tag = self.tags.get(number)
        if tag is None or tag.count != 1 or tag.type not in _LETTERS:
            return default
        if _BYTES[tag.type] > len(tag.value):  # it stands elsewhere
            return default
        return int(struct.unpack_from(self.order + _LETTERS[tag.type], tag.value)[0])

    def table(self, name: str, *, words: bool) -> bytes:
        """The directory's bytes with no tags but those that are needed, and nothing after it."""
        most = max(
            1024, 8 * self.integer(_HEIGHT), self.integer(_WIDTH) * self.integer(_HEIGHT) // 32
        )
        limits = (
            _LIMITS | dict.fromkeys(_SEGMENTS, 8 * min(most, 1 << 22)) | (_WORDS if words else {})
        )
        kept = []
        for tag in self.tags.values():
            length = tag.count * _BYTES.get(tag.type, 1)
            if tag.number == _PROFILE:
                count = min(length, MAX_PROFILE_BYTES + 1)  # one too many is told as such
                kept.append(Tag(tag.number, 7, count, tag.value))
            elif tag.number in limits and length <= limits[tag.number]:
                kept.append(tag)
            elif tag.number in limits and tag.number not in _WORDS:
                raise ImageError(f"{name} is damaged: its tag {tag.number} has {tag.count} values")
        form = self.order + ("HHQ8s" if self.big else "HHI4s")
        entries = (struct.pack(form, tag.number, tag.type, tag.count, tag.value) for tag in kept)
        head = struct.pack(self.order + ("Q" if self.big else "H"), len(kept))
        return head + b"".join(entries) + bytes(8 if self.big else 4)


def chosen(file: File, name: str) -> Directory:
    """The directory of the picture that is read: the first that is not a reduced one, if any.

    ImageError for camera raw, which is told by its name, and for a chain that leads nowhere.
    """
    first: Directory | None = None
    for page in _pages(file, name):
        first = first or page
        if page.integer(_COLORS) in _RAW_COLORS or _DNG in page.tags:
            raise _raw(name, "DNG" if _DNG in page.tags else "")
        if not (page.integer(_REDUCED) & 1 or page.integer(_OLD_REDUCED) == 2):
            return page
    assert first is not None
    if _SUB_DIRECTORIES in first.tags:  # where cameras put the picture itself
        raise _raw(name, "")
    return first


def _raw(name: str, kind: str) -> ImageError:
    return ImageError(
        f"{name} is a camera raw file{kind and f' ({kind})'}, which is not read; develop it to a "
        "TIFF or PNG first"
    )


def _pages(file: File, name: str) -> Iterator[Directory]:
    """The directories of the chain, each once."""
    file.seek(0)
    head = file.read(16)
    order = "<" if head[:2] == b"II" else ">"
    big = 43 in head[2:4]
    if head[8:10] == b"CR":
        raise _raw(name, "CR2")
    form, at = (order + "Q", 8) if big else (order + "I", 4)
    if len(head) < 16:
        raise ImageError(f"{name} is truncated: it ends within its first 16 bytes")
    (start,) = struct.unpack_from(form, head, at)
    seen: set[int] = set()
    while start and start not in seen and len(seen) < _MOST_PAGES:
        if start < at + struct.calcsize(form):
            raise ImageError(f"{name} is damaged: its directory begins within its head")
        seen.add(start)
        page = _directory(file, start, order, big=big, name=name)
        yield page
        start = page.next
    if not seen:
        raise ImageError(f"{name} is damaged: it has no directory")


def _directory(file: File, start: int, order: str, *, big: bool, name: str) -> Directory:
    count, form, offset = (order + x for x in (("Q", "HHQ8s", "Q") if big else ("H", "HHI4s", "I")))
    file.seek(start)
    head = file.read(struct.calcsize(count))
    number = struct.unpack(count, head)[0] if len(head) == struct.calcsize(count) else 0
    size = struct.calcsize(form)
    data = file.read(number * size) if 0 < number <= _MOST_TAGS else b""
    if len(data) < number * size or not data:
        raise ImageError(f"{name} is damaged or truncated: a directory of it has {number} tags")
    tags = {entry[0]: Tag(*entry) for entry in struct.iter_unpack(form, data)}
    rest = file.read(struct.calcsize(offset))
    following = struct.unpack(offset, rest)[0] if len(rest) == struct.calcsize(offset) else 0
    return Directory(start=start, tags=tags, next=following, order=order, big=big)
