"""Output paths of a run, checked before any work: no file that the run reads is replaced."""

import glob
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import typer

from swag.cli.groups import OutputOptions, WatchOptions
from swag.cli.pipes import DASH, check_standard_output, output_name
from swag.errors import ImageError, SettingsError, SwagError
from swag.files import check_name
from swag.image import check_writable
from swag.image.encode import format_of
from swag.run import CHECKPOINT, PictureFile, Update, is_unfinished

PREVIEW_PAUSE = 2.0
"""Least seconds between two previews; a new scale has one at once."""


@dataclass(frozen=True)
class Output(PictureFile):
    """The output path of a run's picture, and what is printed."""

    quiet: bool = False
    as_json: bool = False
    watch: WatchOptions = field(default_factory=WatchOptions)

    @classmethod
    def of(
        cls,
        options: OutputOptions,
        path: Path,
        resume: Path | None = None,
        watch: WatchOptions | None = None,
    ) -> "Output":
        """The output that the options of a command ask for, with the picture at `path`."""
        return cls(
            path=path,
            overwrite=options.overwrite,
            quiet=options.quiet,
            as_json=options.json,
            resume=resume,
            every=options.checkpoint_every,
            metadata=not options.no_metadata,
            bits=options.bits,
            watch=watch or WatchOptions(),
        )

    @property
    def piped(self) -> bool:
        """Whether the picture goes to standard output."""
        return self.path == DASH

    @property
    def name(self) -> str:
        """The path, or for standard output a name that ends in the format. SettingsError."""
        return output_name(self.path, self.watch.format)

    @property
    def shows_bar(self) -> bool:
        """Whether a bar is shown."""
        return not (self.quiet or self.as_json)

    def check(self, inputs: Iterable[Path]) -> None:
        """Refuse, before any work, paths that cannot be written or are read by the same run.

        Raises:
            ImageError: a file cannot be written, or exists.
            SettingsError: the path is an input, its name is too long to name a checkpoint, or
                another run's checkpoint exists.
        """
        inputs = list(inputs)
        if self.piped:
            self._check_pipe()
        else:
            self._check_file(inputs)
        if preview := self.watch.preview:
            if _same_file(preview, self.path):
                raise SettingsError(
                    f"--preview {preview} is the picture that this run writes, too; give another "
                    "name for the preview"
                )
            refuse_input(preview, inputs)
            check_writable(preview, overwrite=self.overwrite or is_unfinished(preview))

    def _check_pipe(self) -> None:
        check_standard_output()
        format_of(self.name, self.bits)
        if self.as_json or self.watch.save_every:
            option = "--json" if self.as_json else "--save-every"
            raise SettingsError(
                f"{option} needs a file for the picture, but the picture goes to standard output; "
                "name a file with -o"
            )

    def _check_file(self, inputs: Sequence[Path]) -> None:
        for path in (self.path, *self._replaced_copies()):
            refuse_input(path, inputs)
        check_name(self.path, ("-12345" if self.watch.save_every else "") + CHECKPOINT)
        check_writable(self.name, overwrite=self.replaces, bits=self.bits)
        if self.resume is None and self.checkpoint.exists() and not self.overwrite:
            raise SettingsError(
                f"{self.checkpoint} of an interrupted run exists; continue with --resume "
                f"{self.checkpoint}, or start a new run with --overwrite"
            )

    def copy_path(self, step: int, steps: int) -> Path:
        """The path of the picture after this step, as `--save-every` writes it."""
        return self.path.with_stem(f"{self.path.stem}-{step:0{len(str(steps))}}")

    def _replaced_copies(self) -> list[Path]:
        """The existing files that `--save-every` would replace if the run has enough steps."""
        every, stem, folder = self.watch.save_every, f"{self.path.stem}-", self.path.parent
        if not (every and self.overwrite):
            return []
        numbered = folder.glob(f"{glob.escape(stem)}*{glob.escape(self.path.suffix)}")
        numbers = {path: path.stem.removeprefix(stem) for path in numbered}
        return [p for p, text in numbers.items() if text.isdecimal() and int(text) % every == 0]


def output_path(
    path: Path | None, resume: Path | None, inputs: Sequence[Path], suffix: str = ""
) -> Path:
    """The path given, or that of a checkpoint's picture, or one named for the inputs.

    In an existing folder, the picture is named for the inputs. Without a path, a picture from
    standard input goes to standard output.
    """
    if path is None and resume is None and DASH in inputs:
        return DASH
    if path is None and resume is not None and resume.suffix == ".ckpt":
        return resume.with_suffix("")
    name = "-".join(file.stem for file in inputs) + suffix + ".png"
    if path is not None and path.is_dir():
        return path / name
    return path or Path(name)


def refuse_input(path: Path, inputs: Iterable[Path]) -> None:
    """Check that a path is no file that the run reads, even by another name. SettingsError.

    Standard input and output are no files.
    """
    for source in inputs:
        if _same_file(path, source):
            raise SettingsError(
                f"{path} would overwrite {source}, which this run reads; give another name"
            )


def _same_file(path: Path, other: Path) -> bool:
    if DASH in (path, other):
        return False
    same = os.path.realpath(path) == os.path.realpath(other)
    return same or (path.exists() and other.exists() and path.samefile(other))


def go_on_without(error: SwagError) -> None:
    """Warn of a file that a run could not write."""
    typer.echo(f"swag: warning: {error}; the run goes on", err=True)


class Watcher:
    """Writes the picture so far to files: numbered ones, and a preview that is replaced."""

    def __init__(self, output: Output) -> None:
        self.output = output
        self._resumes = output.resume is not None
        self._scale = -1
        self._last = 0.0

    def write_due_pictures(self, update: Update) -> None:
        """Write the pictures that are due; if one cannot be written, warn and go on."""
        step, every = update.index + 1, self.output.watch.save_every
        resumes, self._resumes = self._resumes, False
        try:
            if every and step % every == 0 and not update.last:
                copy = self.output.copy_path(step, update.steps)
                # A resumed run begins with the last update before, whose copy is there already.
                if not (resumes and copy.exists()):
                    self._save_copy(update, copy)
            self._preview(update)
        except ImageError as error:
            go_on_without(error)

    def _save_copy(self, update: Update, path: Path) -> None:
        output = self.output
        update.result([], finished=False).keep(
            path, bits=output.bits, overwrite=output.overwrite, metadata=output.metadata
        )

    def _preview(self, update: Update) -> None:
        path, now = self.output.watch.preview, time.monotonic()
        due = update.last or update.scale != self._scale or now - self._last >= PREVIEW_PAUSE
        if path is not None and due:
            result = update.result([], finished=False)
            result.save(path, overwrite=True, metadata=self.output.metadata)
            self._scale, self._last = update.scale, time.monotonic()
