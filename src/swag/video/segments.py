"""The whole segments of a video that is being made, in a folder beside it.

OUT.parts holds `job.json`, what is made from what; `000000.nut`, `000001.nut`, ..., so many frames
each; and beside the last one the state from which the next goes on, `000001.safetensors`. Every
file is whole or absent, and the state is there before its segment: a process may end at any time.
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
from swag.files import remove, write_text, write_whole
from swag.video.coherence import Shown

JOB = "job.json"


@dataclass(frozen=True)
class Parts:
    """The segments of one video in a folder."""

    folder: Path

    def segment(self, number: int) -> Path:
        """Where a segment is, if it is there."""
        return self.folder / f"{number:06}.nut"

    def state(self, number: int) -> Path:
        """Where the state after a segment is, if it is there."""
        return self.folder / f"{number:06}.safetensors"

    @property
    def segments(self) -> list[Path]:
        """All that are there, up to the first that is not."""
        found: list[Path] = []
        while self.segment(len(found)).is_file():
            found.append(self.segment(len(found)))
        return found

    def begin(self, job: Mapping[str, Any], *, overwrite: bool) -> None:
        """Make the folder, or go on with it if it is of this job.

        Raises:
            CheckpointError: it is of another job, and is not to be overwritten.
            ResourceError: it cannot be made.
        """
        text = json.dumps(job, indent=1, sort_keys=True)
        try:
            self.folder.mkdir(exist_ok=True)
            if (self.folder / JOB).exists() or any(self.folder.iterdir()):
                differing = _differing(self.folder / JOB, json.loads(text))
                if not differing:
                    return
                if not overwrite:
                    raise CheckpointError(
                        f"{self.folder} holds parts of a video made with {differing}; give the "
                        "same settings to continue, or --overwrite to start anew"
                    )
                self.clear()
                self.folder.mkdir(exist_ok=True)
            write_text(self.folder / JOB, text)
        except OSError as error:
            raise _refused(self.folder, error) from error

    def last(self) -> Shown | None:
        """The state after the last segment. CheckpointError if it is missing or damaged."""
        done = len(self.segments)
        if done == 0:
            return None
        try:
            state = load(self.state(done - 1).read_bytes())
            return Shown(state["frame"], state["result"])
        except (OSError, KeyError, SafetensorError) as error:
            raise CheckpointError(
                f"{self.state(done - 1)} is missing or damaged; remove {self.folder} to start anew"
            ) from error

    def keep(self, data: bytes, shown: Shown) -> None:
        """Keep a segment, with the state after it. ResourceError if the disk is full."""
        number = len(self.segments)
        state = save({"frame": shown.frame, "result": shown.result})
        try:
            write_whole(self.state(number), lambda file: file.write(state))
            write_whole(self.segment(number), lambda file: file.write(data))
            if number:
                remove(self.state(number - 1))
        except OSError as error:
            raise _refused(self.folder, error) from error

    def clear(self) -> None:
        """Remove what is ours, and the folder if nothing else is in it."""
        for pattern in (JOB, "[0-9]" * 6 + ".nut", "[0-9]" * 6 + ".safetensors"):
            for path in self.folder.glob(pattern):
                remove(path)
        with contextlib.suppress(OSError):
            self.folder.rmdir()


def _differing(path: Path, job: Mapping[str, Any]) -> str:
    """What a job was made with and this one is not, in words; empty if it is the same."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = None
    if not isinstance(known, dict):
        return "something else"
    names = sorted(n for n in {*known, *job} if known.get(n) != job.get(n))
    return " and ".join(f"{n} = {str(known.get(n))[:40]}" for n in names)


def _refused(folder: Path, error: OSError) -> ResourceError:
    return ResourceError(f"cannot write to {str(folder)!r}: {error.strerror or error}")
