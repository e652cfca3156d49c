"""Progress bars on standard error."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from swag.batch import Outcome
from swag.config import Settings
from swag.losses import PENALTIES
from swag.run import Update
from swag.schedule import Scale, plan


@contextmanager
def run_bar(settings: Settings, *, shown: bool) -> Iterator[Callable[[Update], None]]:
    """A bar of scale, steps, losses and time left; gives what to call with each update."""
    scales = plan(settings.size, settings.steps, settings.scales)
    with make_bar(TextColumn("{task.fields[losses]}"), shown=shown) as progress:
        bar = progress.add_task("preparing", total=None, losses="")

        def show(update: Update) -> None:
            progress.update(
                bar,
                description=f"scale {update.scale + 1}/{update.scales} ({max(update.size)} px) "
                f"{update.index + 1}/{update.steps}",
                total=work(scales),
                completed=work_done(scales, update.scale, update.index + 1),
                losses=_losses(update.losses),
            )

        yield show


@dataclass
class BatchBar:
    """A bar over the jobs of a batch."""

    progress: Progress
    task: TaskID
    failed: int = 0

    def seen(self, update: Update) -> None:
        """Show where the job under way is."""
        self.progress.update(
            self.task, now=f"{max(update.size)} px, step {update.index + 1}/{update.steps}"
        )

    def done(self, outcome: Outcome) -> None:
        """Move on by one job."""
        self.failed += outcome.state == "failed"
        said = f"{self.failed} failed" if self.failed else outcome.output
        self.progress.update(self.task, advance=1, now=said)


@contextmanager
def batch_bar(jobs: int, *, shown: bool) -> Iterator[BatchBar]:
    """A bar of jobs done, failed and under way, and time left."""
    with make_bar(
        TextColumn("{task.completed}/{task.total} {task.fields[now]}"), shown=shown
    ) as bar:
        yield BatchBar(bar, bar.add_task("pictures", total=jobs, now=""))


def work(scales: Sequence[Scale]) -> int:
    """Pixels over all steps, by which time left is told: a step at twice the size is four."""
    return sum(scale.steps * scale.size**2 for scale in scales)


def work_done(scales: Sequence[Scale], number: int, steps: int) -> int:
    """What of `work` is behind us in the scale of this number, after so many steps in all."""
    earlier = scales[:number]
    within = steps - sum(scale.steps for scale in earlier)
    return work(earlier) + within * scales[number].size ** 2


def _losses(losses: Mapping[str, float]) -> str:
    """The terms between pictures; penalties are left to the trace."""
    terms = {name: loss for name, loss in losses.items() if name not in PENALTIES}
    return ", ".join(f"{name} {loss:.3g}" for name, loss in terms.items())


def make_bar(*columns: TextColumn, shown: bool) -> Progress:
    """A bar that fits into 80 columns, and shows nothing where nobody can watch it move."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=14),
        *columns,
        TimeRemainingColumn(),
        console=console,
        disable=not (shown and console.is_terminal),
    )


@contextmanager
def count_bar(total: int, *, shown: bool) -> Iterator[Callable[[str], None]]:
    """A bar of items done; gives what to call with the name of each."""
    with make_bar(TextColumn("{task.completed}/{task.total}"), shown=shown) as progress:
        bar = progress.add_task("preparing", total=total)

        def show(name: str) -> None:
            progress.update(bar, description=name[:40], advance=1)

        yield show
