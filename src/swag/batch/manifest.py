"""The manifest of a batch: a line for each change of a job's state, which outlasts the process."""

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Literal

from pydantic import TypeAdapter, ValidationError

from swag.errors import ResourceError
from swag.files import lock, open_at_once

NAME = "manifest.jsonl"

JobState = Literal["running", "done", "there", "failed", "interrupted"]


@dataclass(frozen=True)
class JobResult:
    """The state of a job; `key` is a hash of its inputs and settings, `error` says what failed.

    `before` is when a file that had the name of its picture was last changed, if there was one.
    """

    output: str
    state: JobState
    key: str = ""
    error: str = ""
    seconds: float = 0.0
    before: int | None = None


_LINE = TypeAdapter(JobResult)


class Manifest:
    """The manifest of a folder: the last line about an output counts.

    A line that was cut off by a kill is ignored. A folder has one batch at a time.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self.last: dict[str, JobResult] = {}
        self._file: IO[bytes] | None = None

    def __enter__(self) -> "Manifest":
        try:
            self._file = open(self.path, "a+b", opener=open_at_once)
            if lock(self._file.fileno()) == "busy":
                self._file.close()
                raise ResourceError(
                    f"another batch is running in {self.path.parent}; wait until it ends"
                )
            self._file.seek(0)
            content = self._file.read()
        except OSError as error:
            raise ResourceError(f"cannot write {self.path}: {error.strerror}") from error
        for line in content.splitlines():
            with contextlib.suppress(ValidationError):
                result = _LINE.validate_json(line)
                self.last[result.output] = result
        if content and not content.endswith(b"\n"):
            self._file.write(b"\n")
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, result: JobResult) -> None:
        """Append a line and sync it to the disk. ResourceError if that fails."""
        assert self._file is not None  # within `with`
        self.last[result.output] = result
        try:
            self._file.write(json.dumps(asdict(result)).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise ResourceError(f"cannot write {self.path}: {error.strerror}") from error
