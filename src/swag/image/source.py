"""From a name or object to a seekable binary file, without waiting."""

import difflib
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

from swag.errors import ImageError
from swag.files import open_at_once
from swag.image.formats import HEAD_BYTES, container
from swag.image.limits import most_bytes
from swag.messages import one_line
from swag.types import StrPath

File = io.BufferedReader | io.BytesIO
"""A binary file that can seek."""


@runtime_checkable
class Readable(Protocol):
    """A binary file object: it has `read`."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes from where the file stands."""
        ...


def label(path: StrPath) -> str:
    """A path as messages show it: quoted, on one line."""
    return repr(os.fspath(path))


@contextmanager
def open_path(path: StrPath) -> Iterator[File]:
    """Open a regular file; a missing one, folder, pipe or device is an ImageError at once."""
    name = label(path)
    try:
        _refuse_special(os.stat(path).st_mode, name)
        file = open(os.fspath(path), "rb", opener=open_at_once)
    except FileNotFoundError as error:
        raise ImageError(f"there is no file {name}{_similar(path)}") from error
    except (OSError, ValueError) as error:
        raise ImageError(f"cannot open {name}: {reason(error)}") from error
    with file:
        _refuse_special(os.fstat(file.fileno()).st_mode, name)
        yield file


def is_picture(path: StrPath) -> bool:
    """Whether a file begins as a picture of a format that is read; false if it cannot be opened."""
    try:
        with open_path(path) as file:
            container(file.read(HEAD_BYTES), label(path))
    except (ImageError, OSError):
        return False
    return True


def read_start(file: File, count: int) -> bytes:
    """The first `count` bytes of a file, or all if it has fewer."""
    length = file.seek(0, io.SEEK_END)
    file.seek(0)
    return file.read(min(length, count))


class MeteredFile(io.RawIOBase):
    """A file, read from its start, of which at most `left` more bytes can be read.

    A read of more than these returns nothing, as at the end of the file.
    """

    def __init__(self, file: File, left: int) -> None:
        self._file, self.left = file, left
        file.seek(0)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """See `io.RawIOBase`."""
        return self._file.seek(offset, whence)

    def readinto(self, buffer: Any, /) -> int:
        """See `io.RawIOBase`."""
        if memoryview(buffer).nbytes > self.left:
            return 0
        count = self._file.readinto(buffer)
        self.left -= count
        return count


def searchable(source: Readable, name: str, max_pixels: int) -> File:
    """A file that can seek, from the start of `source`, or from where a stream stands.

    All but a file or BytesIO that can seek is read into memory: first its head, so that no stream
    is read in vain, and never more than a picture of `max_pixels` can need.
    """
    if isinstance(source, io.BufferedReader | io.BytesIO) and source.seekable():
        source.seek(0)
        return source
    limit = most_bytes(max_pixels, 1)
    try:
        if isinstance(source, io.IOBase) and source.seekable():
            source.seek(0)
        head = source.read(HEAD_BYTES)
        if not isinstance(head, bytes):
            raise ImageError(f"{name} gives {type(head).__name__}; open it in binary mode ('rb')")
        container(head, name)
        body = source.read(limit)
    except (OSError, ValueError) as error:
        raise ImageError(f"cannot read {name}: {one_line(error)}") from error
    if len(body) == limit:
        raise ImageError(
            f"{name} is longer than {limit} bytes, more than its limit of pixels needs"
        )
    return io.BytesIO(head + body)


def reason(error: Exception) -> str:
    """Why the operating system refused, without the path and number it adds."""
    return one_line(getattr(error, "strerror", None) or error)


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


def _similar(path: StrPath) -> str:
    folder, name = os.path.split(os.fspath(path))
    try:
        matches = difflib.get_close_matches(name, os.listdir(folder or "."), n=3)
    except OSError:  # the folder is missing as well, or closed to us
        return f" (there is no folder {folder!r})"
    return f"; did you mean {' or '.join(map(repr, matches))}?" if matches else ""
