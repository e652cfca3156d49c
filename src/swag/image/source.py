"""From a name or object to a seekable binary file, without waiting."""

import difflib
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

from swag.errors import ImageError
from swag.messages import one_line

BYTES_PER_PIXEL = 16  # four samples of 32 bits; no picture within the limit needs more ...
BYTES_BESIDES = 16 << 20  # ... than these and its metadata

HEAD_BYTES = 1024
"""Bytes at the start of a file, from which its format is recognized."""

_SIGNATURES = (
    ("PNG", 0, b"\x89PNG\r\n\x1a\n"),
    ("JPEG", 0, b"\xff\xd8\xff"),
    ("WEBP", 8, b"WEBP"),
    ("TIFF", 0, b"II*\0"),
    ("TIFF", 0, b"MM\0*"),
    ("TIFF", 0, b"II+\0"),
    ("TIFF", 0, b"MM\0+"),
    ("GIF", 0, b"GIF8"),
    ("BMP", 0, b"BM"),
    ("PDF", 0, b"%PDF"),
    ("EPS", 0, b"%!PS"),
    ("EPS", 0, b"\xc5\xd0\xd3\xc6"),
    ("PSD", 0, b"8BPS"),
    ("XCF", 0, b"gimp xcf"),
    ("ICO", 0, b"\0\0\1\0"),
    ("JPEG 2000", 4, b"jP  \r\n"),
    ("JPEG 2000", 0, b"\xff\x4f\xff\x51"),
    ("JPEG XL", 0, b"\xff\x0a"),
    ("JPEG XL", 4, b"JXL \r\n\x87\n"),
    ("JPEG XR", 0, b"II\xbc"),
    ("EXR", 0, b"v/1\x01"),
    ("camera raw (RAF)", 0, b"FUJIFILMCCD-RAW"),
    ("camera raw (ORF)", 0, b"IIR"),
    ("camera raw (ORF)", 0, b"MMOR"),
    ("camera raw (RW2)", 0, b"IIU\0"),
)
_BRANDS = {
    "AVIF": (b"avif", b"avis"),
    "HEIC": (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"),
    "camera raw (CR3)": (b"crx ",),
    "HEIF": (b"mif1", b"msf1", b"mif2"),
    "video": (b"isom", b"iso2", b"mp41", b"mp42", b"qt  ", b"avc1"),
}
"""The first of these formats of which a file of boxes has any brand, main or compatible."""
READABLE = ("PNG", "JPEG", "WEBP", "TIFF", "AVIF", "GIF", "BMP")
"""Formats that are read. No other decoder is ever started: each is a way in for hostile files."""
_CONVERTERS = {
    "HEIC": "heif-convert photo.heic photo.png",
    "HEIF": "heif-convert photo.heif photo.png",
    "JPEG XL": "djxl picture.jxl picture.png",
    "SVG": "rsvg-convert picture.svg -o picture.png",
    "PDF": "pdftoppm -png pages.pdf page",
}


File = io.BufferedReader | io.BytesIO
"""A binary file that can be searched."""


@runtime_checkable
class Readable(Protocol):
    """A binary file object: it has `read`."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes from where the file stands."""
        ...


def container(head: bytes, name: str) -> str:
    """The format, one of READABLE, that the first HEAD_BYTES of a file announce; ImageError if
    none."""
    kind = _kind(head)
    if kind in READABLE:
        return kind
    expected = f"expected one of {', '.join(READABLE)}"
    if kind is None:
        raise ImageError(f"{name} {'is not a picture' if head else 'is empty'}; {expected}")
    way = f"`{_CONVERTERS.get(kind, 'magick picture picture.png')}`"
    if kind.startswith("camera raw"):
        way = "a raw developer that writes TIFF"
    raise ImageError(
        f"{name} is a {kind} file, which is not read; {expected}: convert it, as with {way}"
    )


def _kind(head: bytes) -> str | None:
    if head[4:8] == b"ftyp":
        length = min(int.from_bytes(head[:4]), len(head))
        brands = {head[8:12], *(head[at : at + 4] for at in range(16, length, 4))}
        return next((kind for kind, known in _BRANDS.items() if not brands.isdisjoint(known)), None)
    kind = next((k for k, at, magic in _SIGNATURES if head[at:].startswith(magic)), None)
    is_text = head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
    return "SVG" if kind is None and is_text and b"<svg" in head else kind


def label(path: str | os.PathLike[str]) -> str:
    """A path as messages show it: quoted, on one line."""
    return repr(os.fspath(path))


@contextmanager
def open_path(path: str | os.PathLike[str]) -> Iterator[File]:
    """Open a regular file; a missing one, folder, pipe or device is an ImageError at once."""
    name = label(path)
    try:
        _refuse_special(os.stat(path).st_mode, name)
        file = open(os.fspath(path), "rb", opener=_open_at_once)
    except FileNotFoundError as error:
        raise ImageError(f"there is no file {name}{_similar(path)}") from error
    except (OSError, ValueError) as error:
        raise ImageError(f"cannot open {name}: {reason(error)}") from error
    with file:
        _refuse_special(os.fstat(file.fileno()).st_mode, name)
        yield file


def is_picture(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins as a picture of a format that is read; false if it cannot be opened."""
    try:
        with open_path(path) as file:
            container(file.read(HEAD_BYTES), label(path))
    except (ImageError, OSError):
        return False
    return True


def searchable(source: Readable, name: str, max_pixels: int) -> File:
    """A file object from its start, if it can go back there.

    What cannot be searched is held in memory: first its head, so that no stream is read in vain,
    and never more than a picture of `max_pixels` can need.
    """
    if isinstance(source, io.BufferedReader | io.BytesIO) and source.seekable():
        source.seek(0)
        return source
    limit = BYTES_PER_PIXEL * max_pixels + BYTES_BESIDES
    try:
        if isinstance(source, io.IOBase) and source.seekable():
            source.seek(0)
        head = source.read(HEAD_BYTES)
        if not isinstance(head, bytes):
            raise ImageError(f"{name} gives {type(head).__name__}; open it in binary mode ('rb')")
        container(head, name)
        rest = source.read(limit)
    except (OSError, ValueError) as error:
        raise ImageError(f"cannot read {name}: {one_line(error)}") from error
    if len(rest) == limit:
        raise ImageError(
            f"{name} is longer than {limit} bytes, more than its limit of pixels needs"
        )
    return io.BytesIO(head + rest)


def reason(error: Exception) -> str:
    """Why the operating system refused, without the path and number it adds."""
    return one_line(getattr(error, "strerror", None) or error)


def _open_at_once(path: str, flags: int) -> int:
    """Open without waiting for a writer, should a pipe have taken the file's place meanwhile."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _refuse_special(mode: int, name: str) -> None:
    if stat.S_ISREG(mode):
        return
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a pipe",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFSOCK: "a socket",
    }
    raise ImageError(f"{name} is {kinds.get(stat.S_IFMT(mode), 'special')}; expected a file")


def _similar(path: str | os.PathLike[str]) -> str:
    folder, name = os.path.split(os.fspath(path))
    try:
        near = difflib.get_close_matches(name, os.listdir(folder or "."), n=3)
    except OSError:  # the folder is missing as well, or closed to us
        return f" (there is no folder {folder!r})"
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
