"""Files that are whole or absent."""

import contextlib
import hashlib
import os
import platform
import secrets
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import IO, Literal

from swag.errors import ResourceError, SettingsError
from swag.types import StrPath

LONGEST_NAME = 255
"""Bytes of a file's name if the system does not tell."""

OLD = 24 * 3600.0
"""Seconds after which a temporary file is abandoned: another machine's lock may not show."""


def write_atomically(
    path: StrPath,
    write: Callable[[IO[bytes]], object],
    *,
    check: Callable[[], object] | None = None,
    replace: bool = True,
) -> None:
    """Let `write` fill a file that appears at `path` only when it is complete and on the disk.

    The bytes go to a temporary file in the same folder, are synced, and take the name in one
    step, after a final call of `check`; on any failure the temporary file is removed and an
    older file at `path` stays. A link at `path` stays, and the file it leads to is replaced.

    Raises:
        FileExistsError: there is a file, however new, and it is not to be replaced.
    """
    descriptor, temporary = open_temporary(path)
    # A duplicate keeps the lock until the file is renamed, on systems that rename open files.
    duplicate = os.dup(descriptor) if os.name == "posix" else None
    try:
        # Opened by its name, which some libraries read.
        with open(temporary, "wb", opener=lambda *_: descriptor) as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        if check is not None:
            check()
        (os.replace if replace else _move_unless_taken)(temporary, os.path.realpath(path))
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    finally:
        if duplicate is not None:
            os.close(duplicate)
    _sync_folder(os.path.dirname(temporary))


def check_name(path: StrPath, suffix: str) -> None:
    """Refuse a name that is too long for `suffix` after it, as files beside it have.

    Raises:
        SettingsError: with `suffix` it has more bytes than names may have in this folder.
    """
    folder, name = os.path.split(os.path.realpath(path))
    try:
        limit = os.pathconf(folder, "PC_NAME_MAX")
    except (AttributeError, OSError, ValueError):  # Windows, or no such folder
        limit = LONGEST_NAME
    length, room = len(os.fsencode(name)), limit - len(suffix)
    if length > room:
        raise SettingsError(
            f"the name {name[:40]!r}... has {length} bytes, and with {suffix} it would be longer "
            f"than the {limit} of this folder; give a name of at most {room} bytes"
        )


def write_text(path: StrPath, text: str) -> None:
    """Write a file of text (UTF-8) whole, see `write_atomically`."""
    write_atomically(path, lambda file: file.write(text.encode()))


def _move_unless_taken(source: str, target: str) -> None:
    """Rename a file unless the new name is taken: of several tries at once, one succeeds."""
    try:
        os.link(source, target)
        os.unlink(source)
    except FileExistsError:
        raise
    except OSError:  # a file system without links: the name is taken first, then filled
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        try:
            os.replace(source, target)
        except BaseException:
            os.unlink(target)
            raise


def create_folder(folder: StrPath) -> None:
    """Create a folder and its parents unless it is there; ResourceError if that fails."""
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise ResourceError(f"cannot create the folder {folder}: {reason}") from error


def remove(path: StrPath) -> None:
    """Remove a file if it is there, and temporary files of it that killed processes left."""
    remove_leftovers(path)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def remove_leftovers(path: StrPath) -> None:
    """Remove what killed processes left beside a file: temporary files, and a claim."""
    _sweep(*_temporary_prefix(path))


def open_temporary(path: StrPath) -> tuple[int, str]:
    """A new file, open for writing, in the folder that the path leads to, and its name.

    Temporary files that a killed process left for the same path are removed. Whoever has
    the new file open holds its lock, which ends with the process.
    """
    folder, prefix = _temporary_prefix(path)
    _sweep(folder, prefix)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    while True:
        temporary = os.path.join(folder, f"{prefix}{_machine()}-{secrets.token_hex(4)}.part")
        descriptor = os.open(temporary, flags, 0o666)
        if lock(descriptor) != "busy" and os.path.exists(temporary):
            return descriptor, temporary
        os.close(descriptor)  # swept between the two calls


@contextlib.contextmanager
def claim(path: StrPath) -> Iterator[None]:
    """Reserve a file, and those kept beside it, for this process.

    The claim ends with the process, however that ends. Without locks nothing is reserved.

    Raises:
        ResourceError: another process holds it.
    """
    folder, prefix = _temporary_prefix(path)
    name = os.path.join(folder, f"{prefix}{_machine()}-claim.part")  # swept if its owner died
    while True:
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT, 0o666)
        if lock(descriptor) == "busy":
            os.close(descriptor)
            raise ResourceError(
                f"another run is writing {os.fspath(path)}; wait until it ends, or give another "
                "name"
            )
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), os.stat(name)):
                break
        os.close(descriptor)  # its last owner removed it between the calls
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(name)
        os.close(descriptor)


def open_at_once(path: str, flags: int) -> int:
    """An `opener` that does not wait if the path is a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0), 0o666)


def _temporary_prefix(path: StrPath) -> tuple[str, str]:
    """The folder of the temporary files for a path, and how their names begin."""
    folder, name = os.path.split(os.path.realpath(path))
    return folder, f".swag-{hashlib.sha256(os.fsencode(name)).hexdigest()[:12]}-"


@cache
def _machine() -> str:
    """An identifier of the kernel, whose processes see each other's locks.

    Process numbers do not identify owners: containers count their own.
    """
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            name = file.read(64)
    except OSError:
        name = platform.node().encode(errors="replace")
    return hashlib.sha256(name).hexdigest()[:8]


def _sweep(folder: str, prefix: str) -> None:
    """Remove the temporary files with this prefix whose processes have ended."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if name.startswith(prefix) and name.endswith(".part"):
                with contextlib.suppress(OSError):
                    _remove_orphan(os.path.join(folder, name), name[len(prefix) :])


def _remove_orphan(temporary: str, name: str) -> None:
    """Remove a temporary file that nobody has open; one of another machine only if it is old."""
    same_machine = name.startswith(f"{_machine()}-")
    descriptor = os.open(temporary, os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0))
    try:
        old = time.time() - os.fstat(descriptor).st_mtime > OLD
        if (same_machine or old) and lock(descriptor) == "held":
            os.unlink(temporary)
    finally:
        os.close(descriptor)


def lock(descriptor: int) -> Literal["held", "busy", "none"]:
    """Lock a file: held by this process, busy with another's lock, or none without locks."""
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return "busy"
    except (ImportError, OSError):
        return "none"
    return "held"


def _sync_folder(folder: str) -> None:
    """Make the new name outlast a power cut, on systems that can open a folder."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
