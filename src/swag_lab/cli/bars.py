"""The progress bar of trainings."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from swag.cli.bars import Bar
from swag.cli.interruption import interruption_exit
from swag_lab.training.checkpoint import ProgressLine


@contextmanager
def training_bar(*, visible: bool) -> Iterator[Callable[[ProgressLine], None]]:
    """A bar of steps, size, error and time left; yields a function to call with each log line."""
    with Bar(visible=visible) as progress:
        bar = progress.add_task("preparing", total=None)

        def show(line: ProgressLine) -> None:
            progress.update(
                bar,
                description=f"step {line.step}/{line.steps}, {line.size} px, {line.summary}",
                total=line.steps,
                completed=line.step,
            )

        yield show


def watch(train: Callable[[], Iterator[ProgressLine]], out: Path, *, quiet: bool) -> None:
    """Show a training to its end; after Ctrl-C, print whether it can continue from `out`."""
    try:
        lines = train()
        with training_bar(visible=not quiet) as show:
            for line in lines:
                show(line)
    except KeyboardInterrupt:
        raise interruption_exit(f"; {resumption_hint(out)}") from None


def resumption_hint(out: Path) -> str:
    """What an interrupted training has kept, as text."""
    return f"the same command goes on from {out}" if out.exists() else "nothing was kept"
