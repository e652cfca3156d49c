"""Run into a file: checkpoints beside it on the way, the picture at the end."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from swag.errors import CheckpointError, SettingsError
from swag.files import remove
from swag.run.api import NO_STEP
from swag.run.provenance import is_unfinished
from swag.run.update import Result, Update
from swag.run.with_checkpoints import SECONDS, save_or_tell, with_checkpoints

CHECKPOINT = ".ckpt"
"""Suffix of a checkpoint, after the name of its picture."""


@dataclass(frozen=True)
class PictureFile:
    """Path and format of a run's picture.

    The run continues from the checkpoint `resume`, and writes one of its own `every` so many
    seconds. `metadata` says whether settings and hashes are written into the picture.
    """

    path: Path
    overwrite: bool = False
    resume: Path | None = None
    every: float = SECONDS
    metadata: bool = True
    bits: int = 8

    @property
    def checkpoint(self) -> Path:
        """Path of the run's checkpoint."""
        return self.path.with_name(self.path.name + CHECKPOINT)

    @property
    def replaces(self) -> bool:
        """Whether an existing picture may be replaced: an unfinished one of the same run may."""
        return self.overwrite or (self.resume is not None and is_unfinished(self.path))


@dataclass(frozen=True)
class Saved:
    """A picture that was written; `path` differs from the one asked for if that was taken."""

    last_update: Update
    result: Result
    path: Path
    finished: bool


def run_to_file(
    updates: Iterator[Update],
    file: PictureFile,
    *,
    on_update: Callable[[Update], object],
    should_stop: Callable[[], bool],
    on_failure: Callable[[CheckpointError], object] | None = None,
    keep_unfinished: bool = False,
) -> Saved | None:
    """Follow a run to its end, or until it is asked to stop, and write its picture.

    Args:
        updates: The run.
        file: The place of the picture. The checkpoint beside it is removed when the run finishes.
        on_update: Called with each update, after its checkpoint.
        should_stop: Called after each step. Once it is true, a checkpoint is written, and the run
            ends.
        on_failure: Called if a checkpoint cannot be written; the run continues.
        keep_unfinished: Write the best picture so far if the run is stopped, by `should_stop` or by
            KeyboardInterrupt.

    Returns:
        The picture that was written, or None if a run was stopped and `keep_unfinished` is false.

    Raises:
        SettingsError: the run makes no step.
        CheckpointError: a checkpoint cannot be written, and `on_failure` is not given.
        ImageError: the picture cannot be written.
        KeyboardInterrupt: raised before the first step or while the picture is written; at any
            time if `keep_unfinished` is false.
    """
    last: Update | None = None
    interrupted = False
    try:
        for last in with_checkpoints(
            updates, file.checkpoint, every=file.every, on_failure=on_failure
        ):
            on_update(last)
            if should_stop() and not last.last:
                save_or_tell(last, file.checkpoint, on_failure)
                break
    except KeyboardInterrupt:
        if last is None or not keep_unfinished:
            raise
        interrupted = True
    if last is None:
        raise SettingsError(NO_STEP)
    finished = last.last or not (interrupted or should_stop())
    if not (finished or keep_unfinished):
        return None
    result = last.result([], finished=finished)
    path = result.keep(file.path, bits=file.bits, overwrite=file.replaces, metadata=file.metadata)
    if finished:
        remove(file.checkpoint)
    return Saved(last, result, path, finished)
