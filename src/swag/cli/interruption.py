"""How every command ends after Ctrl-C."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import typer


def interruption_exit(message: str) -> typer.Exit:
    """Print on standard error what is kept; returns the exit to raise, of status 130."""
    typer.echo(f"swag: interrupted{message}", err=True)
    return typer.Exit(130)


@contextmanager
def stop_on_interrupt(under_way: Callable[[], bool]) -> Iterator[Callable[[], bool]]:
    """Let the current step end after Ctrl-C; yields a function that says if it was pressed.

    Pressed again, or with nothing under way, it raises KeyboardInterrupt at once. Outside the
    main thread, which alone receives signals, nothing changes.
    """
    presses: list[int] = []

    def count_press(number: int, frame: FrameType | None) -> None:
        presses.append(number)
        if len(presses) > 1 or not under_way():
            raise KeyboardInterrupt

    try:
        previous = signal.signal(signal.SIGINT, count_press)
    except ValueError:
        yield lambda: False
        return
    try:
        yield lambda: bool(presses)
    finally:
        signal.signal(signal.SIGINT, previous)
