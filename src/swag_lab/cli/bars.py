"""The progress bar of trainings."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

from swag.cli.bars import make_bar
from swag.cli.interruption import interrupted


@runtime_checkable
class Line(Protocol):
    """What the bar of a training shows of each line of its log."""

    @property
    def step(self) -> int:
        """Steps done."""

    @property
    def steps(self) -> int:
        """Steps in all."""

    @property
    def size(self) -> int:
        """Side of the pictures in pixels."""

    @property
    def summary(self) -> str:
        """The errors in words."""


@contextmanager
def training_bar(*, shown: bool) -> Iterator[Callable[[Line], None]]:
    """A bar of steps, size, error and time left; gives what to call with each line of the log."""
    with make_bar(shown=shown) as progress:
        bar = progress.add_task("preparing", total=None)

        def show(line: Line) -> None:
            progress.update(
                bar,
                description=f"step {line.step}/{line.steps}, {line.size} px, {line.summary}",
                total=line.steps,
                completed=line.step,
            )

        yield show


def watch(train: Callable[[], Iterator[Line]], out: Path, *, quiet: bool) -> None:
    """Show a training to its end; after Ctrl-C say whether `out` has a checkpoint to go on from."""
    try:
        lines = train()
        with training_bar(shown=not quiet) as show:
            for line in lines:
                show(line)
    except KeyboardInterrupt:
        raise interrupted(f"; {kept(out)}") from None


def kept(out: Path) -> str:
    """What is left of a training that was interrupted, in words."""
    return f"the same command goes on from {out}" if out.exists() else "nothing was kept"
