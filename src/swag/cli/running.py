"""One run: everything checked first, a bar while it goes, the picture and a trace at its end."""

import json
import logging
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from swag.cli.bars import run_bar
from swag.cli.groups import OutputOptions
from swag.cli.interruption import interrupted, stop_asked
from swag.config import settings
from swag.errors import CheckpointError, ResourceError, SettingsError
from swag.files import remove
from swag.image import check_writable
from swag.run import (
    NO_STEP,
    SECONDS,
    Task,
    Update,
    is_unfinished,
    iterate,
    load_checkpoint,
    taken,
    with_checkpoints,
)
from swag.spec import is_code
from swag.tiling import is_out_of_memory


@dataclass(frozen=True)
class Output:
    """Where a run's picture goes, and what is printed; `resume` is a checkpoint to go on from."""

    path: Path
    overwrite: bool
    quiet: bool
    as_json: bool
    resume: Path | None = None
    every: float = SECONDS
    metadata: bool = True

    @classmethod
    def of(cls, options: OutputOptions, path: Path, resume: Path | None = None) -> "Output":
        """What the options of a command say, for a picture at `path`."""
        return cls(
            path=path,
            overwrite=options.overwrite,
            quiet=options.quiet,
            as_json=options.json,
            resume=resume,
            every=options.checkpoint_every,
            metadata=not options.no_metadata,
        )

    @property
    def shown(self) -> bool:
        """Whether a bar is shown."""
        return not (self.quiet or self.as_json)

    @property
    def checkpoint(self) -> Path:
        """Where the run's own checkpoint is kept."""
        return self.path.with_name(self.path.name + ".ckpt")

    @property
    def replaces(self) -> bool:
        """Whether a picture that is there may be replaced: one that is yet to be finished may."""
        return self.overwrite or (self.resume is not None and is_unfinished(self.path))

    def check(self) -> None:
        """Refuse, before any work, a place that cannot be written, or another run's checkpoint."""
        check_writable(self.path, overwrite=self.replaces)
        if self.resume is None and self.checkpoint.exists() and not self.overwrite:
            raise SettingsError(
                f"{self.checkpoint} is there, of a run that was interrupted; go on with --resume "
                f"{self.checkpoint}, or say --overwrite to begin anew"
            )


def run_and_save(
    task: Task,
    content: Path | None,
    style: Sequence[Path] | None,
    overrides: dict[str, Any],
    output: Output,
    pictures: Mapping[str, Any] | None = None,
) -> None:
    """Check everything, run, and write the picture; an interrupted run keeps its best one.

    `pictures` are those beside content and style, by the names `iterate` has for them; `like`
    among them is a picture that is to be made again.

    Raises:
        SwagError: a setting, a picture, a backbone, or a place that cannot be written.
        typer.Exit: with status 130 after an interruption.
    """
    given = {name: file for name, file in (pictures or {}).items() if file}
    words = _words(task, content, style, given)
    if output.resume is not None:
        given["resume"] = load_checkpoint(output.resume)
    earlier = given.get("resume") or given.get("like")
    chosen = settings(**(overrides if earlier is None else earlier.settings_with(overrides)))
    if is_code(chosen.backbone):  # no checkpoint may name it alone
        words += f" --backbone {shlex.quote(chosen.backbone)}"
    output.check()
    if output.quiet:
        logging.getLogger("swag").setLevel(logging.ERROR)
    steps: list[dict[str, Any]] = []
    try:
        # What `iterate` refuses comes before the bar, so that it is one line.
        with _memory(chosen.size), stop_asked(lambda: bool(steps)) as stopping:
            updates = iterate(
                content, None if style is None else list(style), task=task, **given, **overrides
            )
            with run_bar(chosen, shown=output.shown) as show:
                last, ended = _followed(updates, output, show, steps, stopping=stopping)
            finished = ended and (last.last or not stopping())
            # Still within: a first Ctrl-C waits for the file.
            _finish(last, steps, output, words, finished=finished)
    except KeyboardInterrupt:
        when = f"while {output.path} was written" if steps else "before the first step"
        raise interrupted(f" {when}; {_kept_at(output, words) or 'nothing was written'}") from None


def _followed(
    updates: Iterator[Update],
    output: Output,
    show: Callable[[Update], None],
    steps: list[dict[str, Any]],
    *,
    stopping: Callable[[], bool],
) -> tuple[Update, bool]:
    """The last update of a run, and whether no KeyboardInterrupt cut it off.

    `steps` gets a line for each step.

    Raises:
        KeyboardInterrupt: before the first step.
        SettingsError: the run makes none.
    """
    last: Update | None = None
    ended = True
    try:
        for last in with_checkpoints(updates, output.checkpoint, every=output.every, failed=_warn):
            steps.append(last.trace_entry)
            show(last)
            if stopping() and not last.last:
                _keep(last, output)
                break
    except KeyboardInterrupt:
        if last is None:
            raise
        ended = last.last
    if last is None:
        raise SettingsError(NO_STEP)
    return last, ended


def _keep(last: Update, output: Output) -> None:
    """The checkpoint of a run that is stopped between two steps."""
    try:
        last.save_checkpoint(output.checkpoint)
    except CheckpointError as error:
        _warn(error)


def _warn(error: CheckpointError) -> None:
    typer.echo(f"swag: warning: {error}; the run goes on", err=True)


def _finish(
    last: Update, steps: list[dict[str, Any]], output: Output, words: str, *, finished: bool
) -> None:
    """Write the picture, and say where it is: elsewhere, if its place was taken meanwhile."""
    result = last.result(steps, finished=finished)
    path = result.keep(output.path, overwrite=output.replaces, metadata=output.metadata)
    if path != output.path:
        typer.echo(f"swag: warning: {taken(output.path, path)}", err=True)
    if finished:
        remove(output.checkpoint)
    if output.as_json:
        trace = {
            "output": str(path),
            "finished": finished,
            "seconds": steps[-1]["seconds"],
            "settings": result.config,
            "fallbacks": list(result.fallbacks),
            "steps": steps,
        }
        typer.echo(json.dumps(trace, indent=1))
    elif finished and not output.quiet:
        typer.echo(str(path))
    if not finished:
        raise interrupted(_how_to_go_on(last, output, words, path))


def _how_to_go_on(last: Update, output: Output, words: str, path: Path) -> str:
    height, width = last.size
    said = (
        f" at step {last.index + 1} of {last.steps}; the picture so far, {width} x {height} "
        f"pixels, is {path}"
    )
    kept = _kept_at(output, words)
    return f"{said}; {kept}" if kept else said


def _kept_at(output: Output, words: str) -> str:
    """The command that goes on from the run's checkpoint; empty if there is none."""
    if not output.checkpoint.exists():
        return ""
    more = "" if output.metadata else " --no-metadata --overwrite"
    return f"go on with: {words} --resume {shlex.quote(str(output.checkpoint))}{more}"


def _words(
    task: Task, content: Path | None, style: Sequence[Path] | None, pictures: Mapping[str, Any]
) -> str:
    """The command that names these pictures again; settings are in the checkpoint."""
    words = ["swag", task, *(str(path) for path in (content, *(style or ())) if path is not None)]
    for name, files in pictures.items():
        if name == "like":
            continue  # its settings are in the checkpoint, too
        for file in files if isinstance(files, list) else [files]:
            words += [f"--{name.replace('_', '-')}", str(file)]
    return shlex.join(words)


@contextmanager
def _memory(size: int) -> Iterator[None]:
    """Say what to do where a picture is too large for the device."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise ResourceError(
            f"there is not enough memory for {size} pixels with this backbone; give a smaller "
            "--size or another --device"
        ) from error
