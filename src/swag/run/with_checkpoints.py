"""Checkpoints at intervals during a run."""

import os
import time
from collections.abc import Callable, Iterator

from swag.errors import CheckpointError
from swag.run.update import Update

SECONDS = 30.0
STEPS = 50
SHARE = 0.05
"""Largest share of the time that checkpoints take, however large the picture is."""


def with_checkpoints(
    updates: Iterator[Update],
    path: str | os.PathLike[str],
    *,
    every: float = SECONDS,
    on_failure: Callable[[CheckpointError], object] | None = None,
) -> Iterator[Update]:
    """The same updates; before some of them are yielded, a checkpoint is written to `path`.

    It is written when `every` seconds or 50 steps have passed since the last, but seldom enough
    to take no more than a twentieth of the time; with `every` = 0, after each step. None is
    written after the last step, which gives the picture itself.

    Raises:
        CheckpointError: a checkpoint cannot be written, and there is no `on_failure` to call.
    """
    last_time, steps, cost = time.monotonic(), 0, 0.0
    for update in updates:
        steps += 1
        elapsed = time.monotonic() - last_time
        due = elapsed >= every or steps >= STEPS
        if due and not update.last and (elapsed >= cost / SHARE or every == 0):
            start_time = time.monotonic()
            save_or_tell(update, path, on_failure)
            last_time, steps = time.monotonic(), 0
            cost = last_time - start_time
        yield update


def save_or_tell(
    update: Update,
    path: str | os.PathLike[str],
    on_failure: Callable[[CheckpointError], object] | None,
) -> None:
    """Write a checkpoint; if that fails, call `on_failure`, or without it raise CheckpointError."""
    try:
        update.save_checkpoint(path)
    except CheckpointError as error:
        if on_failure is None:
            raise
        on_failure(error)
