"""How every command ends after Ctrl-C."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import typer


def interrupted(message: str) -> typer.Exit:
    """Say on standard error what is kept; gives what to raise: exit status 130."""
    typer.echo(f"swag: interrupted{message}", err=True)
    return typer.Exit(130)


@contextmanager
def stop_asked(under_way: Callable[[], bool]) -> Iterator[Callable[[], bool]]:
    """Let the step that is under way end: gives what says whether Ctrl-C was pressed.

    Pressed again, or with nothing under way, it raises KeyboardInterrupt at once. Outside the
    main thread, which alone hears of it, nothing changes.
    """
    presses: list[int] = []

    def heard(number: int, frame: FrameType | None) -> None:
        presses.append(number)
        if len(presses) > 1 or not under_way():
            raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGINT, heard)
    except ValueError:
        yield lambda: False
        return
    try:
        yield lambda: bool(presses)
    finally:
        signal.signal(signal.SIGINT, before)
