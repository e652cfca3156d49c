"""One run: everything checked first, a bar while it goes, the picture and a trace at its end."""

import json
import logging
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import typer

from swag.cli.bars import run_bar
from swag.cli.interruption import interrupted, stop_asked
from swag.cli.output import Output, Watcher, go_on_without
from swag.cli.pipes import put_out, taken_in
from swag.config import settings
from swag.errors import SettingsError
from swag.files import claimed
from swag.run import NO_STEP, Saved, Task, Update, iterate, load_checkpoint, run_to_file, taken
from swag.spec import is_code
from swag.tiling import enough_memory


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
    output.check(_inputs(content, style, given, weights=chosen.weights))
    if output.quiet:
        logging.getLogger("swag").setLevel(logging.ERROR)
    steps: list[int] = []
    pixels = f"{chosen.size or 'so many'} pixels with this backbone"
    try:
        # What `iterate` refuses comes before the bar, so that it is one line.
        with (
            nullcontext() if output.piped else claimed(output.path),
            enough_memory(pixels, "choose a smaller --size or another --device"),
            stop_asked(lambda: bool(steps)) as stopping,
        ):
            photo, styles = _taken_in(content, style, given.get("max_pixels"))
            updates = iterate(photo, styles, task=task, **given, **overrides)
            with run_bar(shown=output.shown) as show:
                if output.piped:
                    return _run_to_pipe(updates, output, _watched(output, show, steps), stopping)
                # Still within: a first Ctrl-C waits for the file.
                saved = run_to_file(
                    updates,
                    output,
                    seen=_watched(output, show, steps),
                    stopping=stopping,
                    failed=go_on_without,
                    unfinished=True,
                )
            assert saved is not None  # an unfinished picture is written, too
            _tell(saved, output, words)
    except KeyboardInterrupt:
        when = f"while writing {output.path}" if steps else "before the first step"
        raise interrupted(f" {when}; {_kept_at(output, words) or 'nothing was written'}") from None


def _run_to_pipe(
    updates: Iterator[Update],
    output: Output,
    seen: Callable[[Update], None],
    stopping: Callable[[], bool],
) -> None:
    """Follow a run to its end, and write its picture to standard output: of a stopped run, none."""
    last: Update | None = None
    for last in updates:
        seen(last)
        if stopping() and not last.last:
            step = f"step {last.index + 1} of {last.steps}"
            raise interrupted(f" at {step}; nothing was written to standard output")
    if last is None:
        raise SettingsError(NO_STEP)
    put_out(last.result([]).encoded(output.name, bits=output.bits, metadata=output.metadata))


def _watched(
    output: Output, show: Callable[[Update], None], steps: list[int]
) -> Callable[[Update], None]:
    """What is done after each step, which `steps` gets."""
    watcher = Watcher(output)

    def seen(update: Update) -> None:
        steps.append(update.index)
        show(update)
        if output.as_json:
            typer.echo(json.dumps(update.trace_entry))
        watcher.seen(update)

    return seen


def _tell(saved: Saved, output: Output, words: str) -> None:
    """Say where the picture is: elsewhere, if its place was taken meanwhile."""
    path, result = saved.path, saved.result
    if path != output.path:
        typer.echo(f"swag: warning: {taken(output.path, path)}", err=True)
    if output.as_json:
        end = {
            "output": str(path),
            "finished": saved.finished,
            "seconds": saved.last.trace_entry["seconds"],
            "settings": result.config,
            "fallbacks": list(result.fallbacks),
        }
        typer.echo(json.dumps(end))
    elif saved.finished and not output.quiet:
        typer.echo(str(path))
    if not saved.finished:
        last, (height, width), kept = saved.last, saved.last.size, _kept_at(output, words)
        raise interrupted(
            f" at step {last.index + 1} of {last.steps}; the picture so far, {width} x {height} "
            f"pixels, is {path}" + (f"; {kept}" if kept else "")
        )


def _kept_at(output: Output, words: str) -> str:
    """The command that goes on from the run's checkpoint; empty if there is none."""
    if output.piped or not output.checkpoint.exists():
        return ""
    more = "" if output.metadata else " --no-metadata --overwrite"
    more += "" if output.bits == 8 else f" --bits {output.bits}"
    return f"continue with: {words} --resume {shlex.quote(str(output.checkpoint))}{more}"


def _taken_in(
    content: Path | None, style: Sequence[Path] | None, max_pixels: int | None
) -> tuple[Path | bytes | None, list[Path | bytes] | None]:
    """Photo and styles, those on standard input as bytes."""
    photos = [] if content is None else [content]
    sources = taken_in([*photos, *(style or ())], max_pixels)
    photo = sources.pop(0) if photos else None
    return photo, None if style is None else sources


def _inputs(
    content: Path | None, style: Sequence[Path] | None, pictures: Mapping[str, Any], *, weights: str
) -> list[Path]:
    """The files that a run reads."""
    found = [path for path in (content, *(style or ())) if path is not None]
    for files in pictures.values():
        listed = files if isinstance(files, list) else [files]
        found += [file for file in listed if isinstance(file, Path)]
    if "like" in pictures:
        found.append(Path(pictures["like"].name))
    return [*found, Path(weights)]


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
