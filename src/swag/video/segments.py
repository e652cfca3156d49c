"""The complete segments of an unfinished video, in a folder beside it.

OUT.parts holds `job.json`, the inputs and settings; `000000.nut`, `000001.nut`, ..., with equally
many frames; and beside the last one `000001.safetensors`, the state that the next starts from. Each
file is complete or absent, and a state precedes its segment: a process may end at any time.
"""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.numpy import load, save

from swag.errors import CheckpointError, ResourceError
from swag.files import remove, write_atomically, write_text
from swag.video.coherence import StyledFrame

JOB = "job.json"


@dataclass(frozen=True)
class Parts:
    """The segments of one video in a folder."""

    folder: Path

    def segment(self, number: int) -> Path:
        """The path of a segment, which need not exist."""
        return self.folder / f"{number:06}.nut"

    def state(self, number: int) -> Path:
        """The path of the state after a segment, which need not exist."""
        return self.folder / f"{number:06}.safetensors"

    @property
    def segments(self) -> list[Path]:
        """The paths of the segments that exist, up to the first that does not."""
        paths: list[Path] = []
        while self.segment(len(paths)).is_file():
            paths.append(self.segment(len(paths)))
        return paths

    def begin(self, job: Mapping[str, Any], *, overwrite: bool) -> None:
        """Create the folder, or continue with it if it is of this job.

        Raises:
            CheckpointError: the folder is of another job, and is not to be overwritten.
            ResourceError: the folder cannot be created or written.
        """
        text = json.dumps(job, indent=1, sort_keys=True)
        try:
            self.folder.mkdir(exist_ok=True)
            if (self.folder / JOB).exists() or any(self.folder.iterdir()):
                differences = _differences(self.folder / JOB, json.loads(text))
                if not differences:
                    return
                if not overwrite:
                    raise CheckpointError(
                        f"{self.folder} holds parts of a video made with {differences}; give the "
                        "same settings to continue, or --overwrite to start anew"
                    )
                self.clear()
                self.folder.mkdir(exist_ok=True)
            write_text(self.folder / JOB, text)
        except OSError as error:
            raise _write_error(self.folder, error) from error

    def last_frame(self) -> StyledFrame | None:
        """The state after the last segment. CheckpointError if it is missing or damaged."""
        done = len(self.segments)
        if done == 0:
            return None
        try:
            state = load(self.state(done - 1).read_bytes())
            return StyledFrame(state["frame"], state["result"])
        except (OSError, KeyError, SafetensorError) as error:
            raise CheckpointError(
                f"{self.state(done - 1)} is missing or damaged; remove {self.folder} to start anew"
            ) from error

    def keep(self, data: bytes, styled_frame: StyledFrame) -> None:
        """Store a segment and the state after it. ResourceError if the disk is full."""
        number = len(self.segments)
        state = save({"frame": styled_frame.frame, "result": styled_frame.result})
        try:
            write_atomically(self.state(number), lambda file: file.write(state))
            write_atomically(self.segment(number), lambda file: file.write(data))
            if number:
                remove(self.state(number - 1))
        except OSError as error:
            raise _write_error(self.folder, error) from error

    def clear(self) -> None:
        """Remove all files of the job, and the folder if nothing else is in it."""
        for pattern in (JOB, "[0-9]" * 6 + ".nut", "[0-9]" * 6 + ".safetensors"):
            for path in self.folder.glob(pattern):
                remove(path)
        with contextlib.suppress(OSError):
            self.folder.rmdir()


def _differences(path: Path, job: Mapping[str, Any]) -> str:
    """The values of an earlier job that this job does not share, as text; empty if none."""
    try:
        earlier = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        earlier = None
    if not isinstance(earlier, dict):
        return "something else"
    names = sorted(n for n in {*earlier, *job} if earlier.get(n) != job.get(n))
    return " and ".join(f"{n} = {str(earlier.get(n))[:40]}" for n in names)


def _write_error(folder: Path, error: OSError) -> ResourceError:
    return ResourceError(f"cannot write to {str(folder)!r}: {error.strerror or error}")
