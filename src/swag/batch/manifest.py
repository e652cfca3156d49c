"""How far a batch has come: a line for each change, which outlasts the process that wrote it."""

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Literal

from swag.errors import ResourceError

NAME = "manifest.jsonl"

JobState = Literal["running", "done", "there", "failed", "interrupted"]


@dataclass(frozen=True)
class JobResult:
    """What became of a job; `key` stands for its inputs and settings, `error` says what failed.

    `before` is when the picture that was in its place was last changed, if there was one.
    """

    output: str
    state: JobState
    key: str = ""
    error: str = ""
    seconds: float = 0.0
    before: int | None = None


class Manifest:
    """The manifest of a folder: the last line about an output counts.

    A line that was cut off by a kill is no line. One batch at a time has a folder.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self.last: dict[str, JobResult] = {}
        self._file: IO[bytes] | None = None

    def __enter__(self) -> "Manifest":
        try:
            self._file = _locked(self.path)
            self._file.seek(0)
            whole = self._file.read()
        except OSError as error:
            raise ResourceError(f"cannot write {self.path}: {error.strerror}") from error
        for line in whole.splitlines():
            with contextlib.suppress(ValueError, TypeError, RecursionError):
                result = _job_result(json.loads(line))
                self.last[result.output] = result
        if whole and not whole.endswith(b"\n"):
            self._file.write(b"\n")
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, result: JobResult) -> None:
        """Add a line and see it onto the disk. ResourceError if that fails."""
        assert self._file is not None  # within `with`
        self.last[result.output] = result
        try:
            self._file.write(json.dumps(asdict(result)).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise ResourceError(f"cannot write {self.path}: {error.strerror}") from error


def _job_result(line: Any) -> JobResult:
    """The result a line holds. TypeError or ValueError if it holds none."""
    result = JobResult(**line)
    texts = (result.output, result.state, result.key, result.error)
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("not a result")
    return result


def _locked(path: Path) -> IO[bytes]:
    """The file, held until it is closed. ResourceError if another process holds it."""
    file = open(path, "a+b", opener=_open_at_once)
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise ResourceError(
            f"another batch is running in {path.parent}; wait until it ends"
        ) from error
    except (ImportError, OSError):  # a system, or a file system, without locks
        return file
    return file


def _open_at_once(path: str, flags: int) -> int:
    """Open without waiting, should a pipe be in the file's place."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0), 0o666)
