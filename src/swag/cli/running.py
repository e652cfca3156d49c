"""One run: all checks first, a bar while it runs, the picture and its trace at the end."""

import json
import logging
import os
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import typer

from swag.cli.bars import run_bar
from swag.cli.interruption import interruption_exit, stop_on_interrupt
from swag.cli.output import Output, Watcher, go_on_without
from swag.cli.pipes import DASH, read_standard_input, write_standard_output
from swag.config import settings
from swag.errors import SettingsError
from swag.files import claim
from swag.run import (
    NO_STEP,
    SECONDS,
    Saved,
    Task,
    Update,
    iterate,
    load_checkpoint,
    renamed_warning,
    run_to_file,
)
from swag.spec import is_code
from swag.tiling import explain_out_of_memory


def run_and_save(
    task: Task,
    content: Path | None,
    style: Sequence[Path] | None,
    overrides: dict[str, Any],
    output: Output,
    pictures: Mapping[str, Any] | None = None,
) -> None:
    """Check everything, run, and write the picture; an interrupted run keeps its best one.

    `pictures` are further arguments of `iterate`, by name; `like` among them is a picture that is
    to be made again.

    Raises:
        SwagError: a setting, a picture or a backbone is invalid, or a path cannot be written.
        typer.Exit: with status 130 after an interruption.
    """
    extras = {name: file for name, file in (pictures or {}).items() if file}
    command = _command(task, content, style, extras)
    if output.resume is not None:
        extras["resume"] = load_checkpoint(output.resume)
    earlier = extras.get("resume") or extras.get("like")
    chosen = settings(**(overrides if earlier is None else earlier.settings_with(overrides)))
    if is_code(chosen.backbone):  # a checkpoint alone may not name code to run
        command += f" --backbone {shlex.quote(chosen.backbone)}"
    output.check(_inputs(content, style, extras, weights=chosen.weights))
    if output.quiet:
        logging.getLogger("swag").setLevel(logging.ERROR)
    steps: list[int] = []
    workload = f"{chosen.size or 'so many'} pixels with this backbone"
    try:
        # `iterate` raises before the bar is shown, so that its error is one line.
        with (
            nullcontext() if output.piped else claim(output.path),
            explain_out_of_memory(workload, "choose a smaller --size or another --device"),
            stop_on_interrupt(lambda: bool(steps)) as should_stop,
        ):
            photo, styles = _read_sources(content, style, extras.get("max_pixels"))
            updates = iterate(photo, styles, task=task, **extras, **overrides)
            with run_bar(visible=output.shows_bar) as show:
                if output.piped:
                    return _run_to_pipe(updates, output, _handler(output, show, steps), should_stop)
                # Inside `stop_on_interrupt`: a first Ctrl-C waits for the file.
                saved = run_to_file(
                    updates,
                    output,
                    on_update=_handler(output, show, steps),
                    should_stop=should_stop,
                    on_failure=go_on_without,
                    keep_unfinished=True,
                )
            assert saved is not None  # an unfinished picture is written, too
            _report(saved, output, command)
    except KeyboardInterrupt:
        when = f"while writing {output.path}" if steps else "before the first step"
        raise interruption_exit(
            f" {when}; {_hint(output, command) or 'nothing was written'}"
        ) from None


def _run_to_pipe(
    updates: Iterator[Update],
    output: Output,
    on_update: Callable[[Update], None],
    should_stop: Callable[[], bool],
) -> None:
    """Run to the end, and write the picture to standard output; a stopped run writes none."""
    last: Update | None = None
    for last in updates:
        on_update(last)
        if should_stop() and not last.last:
            step = f"step {last.index + 1} of {last.steps}"
            raise interruption_exit(f" at {step}; nothing was written to standard output")
    if last is None:
        raise SettingsError(NO_STEP)
    write_standard_output(
        last.result([]).encoded(output.name, bits=output.bits, metadata=output.metadata)
    )


def _handler(
    output: Output, show: Callable[[Update], None], steps: list[int]
) -> Callable[[Update], None]:
    """A function to call with each update, which appends its step to `steps`."""
    watcher = Watcher(output)

    def on_update(update: Update) -> None:
        steps.append(update.index)
        show(update)
        if output.as_json:
            typer.echo(json.dumps(update.trace_entry))
        watcher.write_due_pictures(update)

    return on_update


def _report(saved: Saved, output: Output, command: str) -> None:
    """Print the path of the picture: another one if its own was taken meanwhile."""
    path, result = saved.path, saved.result
    if path != output.path:
        typer.echo(f"swag: warning: {renamed_warning(output.path, path)}", err=True)
    if output.as_json:
        summary = {
            "output": str(path),
            "finished": saved.finished,
            "seconds": saved.last_update.trace_entry["seconds"],
            "settings": result.config,
            "fallbacks": list(result.fallbacks),
        }
        typer.echo(json.dumps(summary))
    elif saved.finished and not output.quiet:
        typer.echo(str(path))
    if not saved.finished:
        last, hint = saved.last_update, _hint(output, command)
        height, width = last.size
        raise interruption_exit(
            f" at step {last.index + 1} of {last.steps}; the picture so far, {width} x {height} "
            f"pixels, is {path}" + (f"; {hint}" if hint else "")
        )


def _hint(output: Output, command: str) -> str:
    """The command that continues from the run's checkpoint; empty if there is none."""
    if output.piped or not output.checkpoint.exists():
        return ""
    flags = "" if output.metadata else " --no-metadata --overwrite"
    flags += "" if output.bits == 8 else f" --bits {output.bits}"
    flags += "" if output.every == SECONDS else f" --checkpoint-every {output.every}"
    flags += (" --quiet" if output.quiet else "") + (" --json" if output.as_json else "")
    watch = output.watch
    flags += f" --save-every {watch.save_every}" if watch.save_every else ""
    flags += f" --preview {shlex.quote(str(watch.preview))}" if watch.preview else ""
    return f"continue with: {command} --resume {shlex.quote(str(output.checkpoint))}{flags}"


def _read_sources(
    content: Path | None, style: Sequence[Path] | None, max_pixels: int | None
) -> tuple[Path | bytes | None, list[Path | bytes] | None]:
    """Photo and styles: paths, or the bytes of one on standard input."""
    photos = [] if content is None else [content]
    sources = read_standard_input([*photos, *(style or ())], max_pixels)
    photo = sources.pop(0) if photos else None
    return photo, None if style is None else sources


def _inputs(
    content: Path | None, style: Sequence[Path] | None, pictures: Mapping[str, Any], *, weights: str
) -> list[Path]:
    """The files that a run reads."""
    paths = [path for path in (content, *(style or ())) if path is not None]
    for files in pictures.values():
        listed = files if isinstance(files, list) else [files]
        paths += [file for file in listed if isinstance(file, Path)]
    if "like" in pictures:
        paths.append(Path(pictures["like"].name))
    return [*paths, Path(weights)]


def _command(
    task: Task, content: Path | None, style: Sequence[Path] | None, pictures: Mapping[str, Any]
) -> str:
    """The command line for these pictures, without settings, which the checkpoint holds."""
    paths = [path for path in (content, *(style or ())) if path is not None]
    words = ["swag", task, *map(_operand, paths)]
    for name, files in pictures.items():
        if name == "like":
            continue  # its settings are in the checkpoint, too
        for file in files if isinstance(files, list) else [files]:
            words += [f"--{name.replace('_', '-')}", str(file)]
    return shlex.join(words)


def _operand(path: Path) -> str:
    """A path as a word of a command line, where a dash at its start would be an option's."""
    name = str(path)
    return os.path.join(os.curdir, name) if name.startswith("-") and path != DASH else name
