"""One run: everything checked first, a bar while it goes, the picture and a trace at its end."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from swag.cli.bars import run_bar
from swag.cli.interruption import interrupted
from swag.config import settings
from swag.errors import SettingsError
from swag.image import check_writable
from swag.stylize import Result, Task, Update, iterate


@dataclass(frozen=True)
class Output:
    """Where a run's picture goes, and what is printed."""

    path: Path
    overwrite: bool
    quiet: bool
    as_json: bool


def perform(
    task: Task,
    content: Path | None,
    style: Sequence[Path] | None,
    overrides: dict[str, Any],
    output: Output,
    pictures: Mapping[str, Any] | None = None,
) -> None:
    """Check everything, run, and write the picture; an interrupted run keeps its latest one.

    `pictures` are those beside content and style, by the names `iterate` has for them.

    Raises:
        SwagError: a setting, a picture, a backbone, or a place that cannot be written.
        typer.Exit: with status 130 after an interruption.
    """
    chosen = settings(**overrides)
    check_writable(output.path, overwrite=output.overwrite)
    steps: list[dict[str, Any]] = []
    last: Update | None = None
    finished = False
    try:
        shown = not (output.quiet or output.as_json)
        # What `iterate` refuses comes before the bar, so that it is one line.
        with _memory(chosen.size):
            given = {name: file for name, file in (pictures or {}).items() if file is not None}
            updates = iterate(
                content, None if style is None else list(style), task=task, **given, **overrides
            )
            with run_bar(chosen, shown=shown) as show:
                for last in updates:
                    steps.append(_line(last))
                    show(last)
        finished = True
    except KeyboardInterrupt:
        if last is None:
            raise interrupted(" before the first step; nothing was written") from None
    if last is None:
        raise SettingsError("the run made no step; give more steps or another start")
    _finish(last, steps, output, finished=finished)


def _line(update: Update) -> dict[str, Any]:
    """A step of the trace; `size` is (height, width) in pixels."""
    return {
        "step": update.index,
        "scale": update.scale,
        "size": list(update.size),
        "seconds": round(update.seconds, 3),
        "losses": update.losses,
    }


def _finish(last: Update, steps: list[dict[str, Any]], output: Output, *, finished: bool) -> None:
    """Write the picture, and say where it is."""
    result = Result(last.image, last.losses, last.settings, steps)
    result.save(output.path, overwrite=output.overwrite)
    if output.as_json:
        trace = {
            "output": str(output.path),
            "finished": finished,
            "seconds": steps[-1]["seconds"],
            "settings": result.config,
            "steps": steps,
        }
        typer.echo(json.dumps(trace, indent=1))
    elif finished and not output.quiet:
        typer.echo(str(output.path))
    if not finished:
        height, width = last.size
        raise interrupted(
            f" at step {last.index + 1} of {last.steps}; the picture so far, {width} x {height} "
            f"pixels, is {output.path}"
        )


@contextmanager
def _memory(size: int) -> Iterator[None]:
    """Say what to do where a picture is too large for the device."""
    try:
        yield
    except RuntimeError as error:
        # torch has no common type for this: CUDA has its own, the CPU only words.
        if "out of memory" not in str(error) and "allocate memory" not in str(error):
            raise
        raise SettingsError(
            f"there is not enough memory for {size} pixels with this backbone; give a smaller "
            "--size or another --device"
        ) from error
