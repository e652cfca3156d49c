"""Train a network of one painting: photos pass through it to minimize an optimization's loss."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from swag.instant.style_network import NormalizedResidual, StyleNetwork
from swag_lab.training import checkpoint
from swag_lab.training.one_pass import Averaged, OnePassProgress, create_or_resume, initialize_by_he
from swag_lab.training.style.crops import CropSource


@dataclass(frozen=True)
class StyleProgress(OnePassProgress):
    """One line of the log, with weighted errors."""

    penalties: float
    rate: float
    pictures_per_second: float


@torch.no_grad()
def initialize_style(network: StyleNetwork) -> None:
    """Random weights by He et al. 2015; small in the last layer, so that outputs begin near [0, 1],
    and in residual blocks, so that they begin as nearly the identity."""
    initialize_by_he(network)
    for module in network.modules():
        if isinstance(module, NormalizedResidual):
            module.second.scale.fill_(0.3)
    network.paint.weight *= 0.2


@dataclass(frozen=True)
class StyleCadence:
    """After how many steps a line is logged, and after how many seconds a checkpoint is written."""

    log: int = 10
    seconds: float = 180.0


def train_style(
    crops: CropSource,
    *,
    saved: Path,
    log: Path,
    cadence: StyleCadence,
    show: Callable[[StyleNetwork, int], None],
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[StyleProgress]:
    """Train a network, yielding a line of the log now and then.

    Resumes from the checkpoint `saved` if it exists; lines are added to `log`. `show` gets the
    running mean of the weights and the number of steps whenever the checkpoint is written: after
    some time, at the end, and when the training is to stop. On one kind of machine an interrupted
    training ends with the bits of an uninterrupted one.

    Raises:
        WeightsError: `saved` is damaged, or holds a training with another recipe.
    """
    recipe = crops.recipe
    model, optimizer, first = create_or_resume(
        StyleNetwork, initialize_style, recipe, saved, device=crops.device
    )
    mean_errors: Tensor | None = None
    saved_at = since = time.perf_counter()
    count = 0
    for step in range(first, recipe.steps):
        step_errors = _step(model, optimizer, crops, step)
        mean_errors = step_errors if mean_errors is None else mean_errors.lerp(step_errors, 0.05)
        count, completed = count + recipe.batch, step + 1
        stop, last = should_stop(), completed == recipe.steps
        if stop or last or time.perf_counter() - saved_at >= cadence.seconds:
            checkpoint.save_training(
                saved, model, optimizer, recipe, step=completed, planned=recipe.steps, earlier=[]
            )
            show(model.mean, completed)
            saved_at = time.perf_counter()
        if stop or last or completed % cadence.log == 0:
            style, content, penalties = mean_errors.tolist()
            speed, since, count = count / (time.perf_counter() - since), time.perf_counter(), 0
            line = StyleProgress(
                step=completed,
                steps=recipe.steps,
                size=recipe.size,
                style=style,
                content=content,
                penalties=penalties,
                rate=recipe.rate(step),
                pictures_per_second=speed,
            )
            checkpoint.write_line(log, line)
            yield line
        if stop:
            return


def _step(
    model: Averaged[StyleNetwork], optimizer: torch.optim.Optimizer, crops: CropSource, step: int
) -> Tensor:
    """Paint a batch and update the weights; returns its style and content errors and penalties."""
    recipe, batch = crops.recipe, crops.batch(step)
    errors = crops.objective(model.network(batch.pixels), batch.contents, batch.style_spans)
    model.update(errors.total.mean(), optimizer, recipe, step)
    terms = (errors.style, errors.content, errors.penalties)
    return torch.stack([error.mean() for error in terms]).detach()
