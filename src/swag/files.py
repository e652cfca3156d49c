"""Files that are whole or absent."""

import contextlib
import hashlib
import os
import secrets
from collections.abc import Callable
from typing import IO

from swag.types import StrPath


def write_whole(
    path: StrPath,
    write: Callable[[IO[bytes]], object],
    *,
    check: Callable[[], object] | None = None,
) -> None:
    """Let `write` fill a file that appears at `path` only when it is complete and on the disk.

    The bytes go to a temporary file in the same folder, are synced, and take the name in one
    step, after `check` has had a last look; on any failure the temporary file is removed and an
    older file at `path` stays. A link at `path` stays, and the file it leads to is replaced.
    """
    descriptor, temporary = open_temporary(path)
    try:
        # Opened by its name, since there are libraries that look for it.
        with open(temporary, "wb", opener=lambda *_: descriptor) as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        if check is not None:
            check()
        os.replace(temporary, os.path.realpath(path))
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    _sync_folder(os.path.dirname(temporary))


def remove(path: StrPath) -> None:
    """Remove a file if it is there, with what killed processes left of it half written."""
    _sweep(*_place(path))
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def open_temporary(path: StrPath) -> tuple[int, str]:
    """A new file in the folder where the path leads, open for writing, and its name.

    Those for the same path that a killed process left behind are removed.
    """
    folder, key = _place(path)
    _sweep(folder, key)
    temporary = os.path.join(folder, f"{key}{os.getpid()}-{secrets.token_hex(4)}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    return os.open(temporary, flags, 0o666), temporary


def _place(path: StrPath) -> tuple[str, str]:
    """The folder of the temporary files for a path, and how their names begin."""
    folder, name = os.path.split(os.path.realpath(path))
    return folder, f".swag-{hashlib.sha256(os.fsencode(name)).hexdigest()[:12]}-"


def _sweep(folder: str, key: str) -> None:
    """Remove the temporary files of this place whose processes have ended."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if name.startswith(key) and name.endswith(".part") and _is_orphan(name[len(key) :]):
                os.unlink(os.path.join(folder, name))


def _is_orphan(name: str) -> bool:
    """Whether the process whose number begins the name has ended; where that cannot be, no."""
    number = name.partition("-")[0]
    if os.name != "posix" or not number.isdecimal():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def _sync_folder(folder: str) -> None:
    """Make the new name outlast a power cut, on systems that can open a folder."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
