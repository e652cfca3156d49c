"""The program `swag`: its commands; heavy modules are imported when a command runs.

Exit status: 0 done; 1 a mistake of the user or in a file, one line on standard error; 2 unknown
words on the command line; 130 interrupted, with the results so far kept.
"""

import atexit
import codecs
import gc
import io
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from importlib.metadata import entry_points
from typing import Annotated, Any, NoReturn, ParamSpec, TypeVar

import typer
from typer.core import TyperGroup

from swag import __version__
from swag.allocation import keep_freed_memory
from swag.cli import apply, batch, export, listings, rerun, stylize, video, web
from swag.errors import SwagError
from swag.messages import own_lines
from swag.threads import wait_briefly

P = ParamSpec("P")
T = TypeVar("T")


class Program(TyperGroup):
    """The group of commands; a SwagError ends any of them with one line and status 1."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command of the context."""
        try:
            with own_lines():
                return super().invoke(ctx)
        except SwagError as error:
            typer.echo(f"swag: {error}", err=True)
            raise typer.Exit(1) from error


def after_torch(command: Callable[P, T]) -> Callable[P, T]:
    """The command, which imports torch first, with the garbage collector at rest.

    While torch is imported, the collector walks its hundred thousands of objects again and again,
    and finds nothing: a sixth of the time. It does not walk them while the command runs either.
    """

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        gc.disable()
        try:
            import torch  # noqa: F401
        finally:
            gc.freeze()
            gc.enable()
        try:
            return command(*args, **kwargs)
        finally:
            gc.unfreeze()

    return run


app = typer.Typer(
    cls=Program,
    name="swag",
    help="Neural style transfer with any network.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    # A defect shows Python's own traceback, which can be copied into a report.
    pretty_exceptions_enable=False,
)

PICTURES = (
    stylize.stylize,
    stylize.texture,
    stylize.reconstruct,
    apply.apply,
    video.video,
    batch.batch,
    rerun.rerun,
    export.export,
    web.web,
)
LISTS = (
    listings.backbones,
    listings.losses,
    listings.smoothings,
    listings.presets,
    listings.methods,
    listings.settings,
)
for made in PICTURES:
    app.command(rich_help_panel="Make a picture")(after_torch(made))
for made in LISTS:
    app.command(rich_help_panel="List what there is to choose from")(made)
for command in entry_points(group="swag.commands"):  # those of the laboratory
    app.command(name=command.name, rich_help_panel="Study")(command.load())


def _version(requested: bool) -> bool:
    if requested:
        typer.echo(f"swag {__version__}")
        raise typer.Exit
    return requested


@app.callback()
def program(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Neural style transfer with any network."""


def main() -> None:
    """Run the command line and end the process with its exit status."""
    wait_briefly()
    keep_freed_memory()
    print_any_name()
    try:
        app(prog_name="swag")
    except SystemExit as end:
        _exit(end.code)


def _exit(status: str | int | None) -> NoReturn:
    """End the process, at once if torch is loaded and no other thread runs.

    This skips Python's teardown of modules, which for those of torch takes a fifth of a second.
    """
    if isinstance(status, int) and "torch" in sys.modules and threading.active_count() == 1:
        atexit._run_exitfuncs()
        with suppress(OSError):  # Python reports streams that cannot be written
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            os._exit(status)
    sys.exit(status)


def print_any_name() -> None:
    """Let standard output print any file name: as its own bytes, or else as escapes."""
    codecs.register_error("any-name", _bytes_or_escapes)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="any-name")


def _bytes_or_escapes(error: UnicodeError) -> tuple[str | bytes, int]:
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeEncodeError:
        return codecs.lookup_error("backslashreplace")(error)
