"""Progress on standard error: a bar in a terminal, a line now and then otherwise."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from swag.batch import JobResult
from swag.losses import PENALTIES
from swag.run import Update
from swag.schedule import Pace, plan

PAUSE = 5.0
"""Seconds between two lines if there is no terminal."""


class TimeLeft(ProgressColumn):
    """The time left, with a label: as the task estimates it, or else from its speed."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        """The text of the column, empty while the time left is unknown."""
        seconds = task.fields.get("seconds_left", task.time_remaining)
        known = seconds is not None and task.total is not None
        return Text(f"{clock(seconds)} left" if known and seconds is not None else "")


class Bar(Progress):
    """A bar that fits into 80 columns, or in a pipe or a log a line every few seconds.

    Without `visible` it prints neither.
    """

    def __init__(self, *columns: TextColumn, visible: bool) -> None:
        console = Console(stderr=True)
        super().__init__(
            TextColumn("{task.description}"),
            BarColumn(bar_width=14),
            TimeLeft(),
            *columns,
            console=console,
            disable=not (visible and console.is_terminal),
        )
        self._has_lines = visible and not console.is_terminal
        self._last = time.monotonic()

    def tell(self, line: Callable[[], str]) -> None:
        """Print a line of words if there is no bar and `PAUSE` has passed since the last line."""
        if self._has_lines and time.monotonic() - self._last >= PAUSE:
            self._last = time.monotonic()
            typer.echo(f"swag: {line()}", err=True)


@contextmanager
def run_bar(*, visible: bool) -> Iterator[Callable[[Update], None]]:
    """A bar of scale, steps, losses and time left; yields a function to call with each update."""
    pace: Pace | None = None
    with Bar(TextColumn("{task.fields[losses]}"), visible=visible) as progress:
        bar = progress.add_task("preparing", total=None, losses="", seconds_left=None)

        def show(update: Update) -> None:
            nonlocal pace
            if not update.steps:
                return  # one pass: done before there is anything to watch
            chosen = update.settings
            pace = pace or Pace(plan(chosen.size, chosen.steps, chosen.scales))
            pace.record(update.index + 1, update.seconds)
            position, losses, seconds = _position(update), _losses(update.losses), pace.seconds_left
            progress.update(
                bar,
                description=position,
                total=1.0,
                completed=pace.share,
                losses=losses,
                seconds_left=seconds,
            )
            progress.tell(lambda: f"{position}, {clock(seconds)} left, {losses}")

        yield show


@dataclass
class BatchBar:
    """A bar over the jobs of a batch."""

    progress: Bar
    task: TaskID
    failed: int = 0

    def show_step(self, update: Update) -> None:
        """Show the size and step of the current job."""
        self._show(f"{max(update.size)} px, step {update.index + 1}/{update.steps}")

    def add_result(self, result: JobResult) -> None:
        """Count a job as done or failed."""
        self.failed += result.state == "failed"
        self.progress.advance(self.task)
        self._show(f"{self.failed} failed" if self.failed else result.output)

    def _show(self, activity: str) -> None:
        self.progress.update(self.task, now=activity)
        task = self.progress.tasks[0]
        self.progress.tell(lambda: f"{task.completed:g}/{task.total:g} pictures, {activity}")


@contextmanager
def batch_bar(jobs: int, *, visible: bool) -> Iterator[BatchBar]:
    """A bar of jobs done, failed and under way, and time left."""
    with Bar(
        TextColumn("{task.completed}/{task.total} {task.fields[now]}"), visible=visible
    ) as bar:
        task = bar.add_task("pictures", total=jobs, now="")
        yield BatchBar(bar, task)


def _position(update: Update) -> str:
    scale = f"scale {update.scale + 1}/{update.scales} ({max(update.size)} px)"
    return f"{scale} {update.index + 1}/{update.steps}"


def _losses(losses: Mapping[str, float]) -> str:
    """The loss terms as text; penalties are only in the trace."""
    terms = {name: loss for name, loss in losses.items() if name not in PENALTIES}
    return ", ".join(f"{name} {loss:.3g}" for name, loss in terms.items())


def clock(seconds: float) -> str:
    """Hours, minutes and seconds, as in 0:21 or 1:02:03."""
    minutes, remainder = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{remainder:02}" if hours else f"{minutes}:{remainder:02}"


@contextmanager
def count_bar(total: int, *, visible: bool) -> Iterator[Callable[[str], None]]:
    """A bar of items done; yields a function to call with the name of each."""
    with Bar(TextColumn("{task.completed}/{task.total}"), visible=visible) as progress:
        bar = progress.add_task("preparing", total=total)

        def show(name: str) -> None:
            progress.update(bar, description=name[:40], advance=1)
            progress.tell(lambda: f"{progress.tasks[0].completed:g}/{total}, {name}")

        yield show


@contextmanager
def frames_bar(*, visible: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar of a video's frames and the time left; yields a function of (frames done, all frames).

    Frames that an earlier run has made do not count for the speed.
    """
    start: tuple[float, int] | None = None
    with Bar(TextColumn("{task.completed:g}/{task.total:g} frames"), visible=visible) as progress:
        bar = progress.add_task("painting", total=0, seconds_left=None)

        def show(done: int, total: int) -> None:
            nonlocal start
            now = time.monotonic()
            start = start or (now, done)
            pace = (now - start[0]) / (done - start[1]) if done > start[1] else None
            seconds_left = None if pace is None else pace * (total - done)
            progress.update(bar, total=total, completed=done, seconds_left=seconds_left)
            estimate = "" if seconds_left is None else f", {clock(seconds_left)} left"
            progress.tell(lambda: f"{done}/{total} frames{estimate}")

        yield show
