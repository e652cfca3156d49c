"""Train a network of one painting: photos go through it, and the loss of an optimization falls."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from swag.instant.style_network import NormalizedResidual, StyleNetwork
from swag_lab.training import checkpoint
from swag_lab.training.one_pass import Averaged, OnePassProgress, begun, initialize_by_he
from swag_lab.training.style.crops import CropSource


@dataclass(frozen=True)
class StyleProgress(OnePassProgress):
    """One line of the log, with weighted errors."""

    penalties: float
    rate: float
    pictures_per_second: float


@torch.no_grad()
def initialize_style(network: StyleNetwork) -> None:
    """Random weights by He et al. 2015; small where a large output would leave [0, 1] at once, and
    where blocks are to begin as nearly the identity."""
    initialize_by_he(network)
    for module in network.modules():
        if isinstance(module, NormalizedResidual):
            module.second.scale.fill_(0.3)
    network.paint.weight *= 0.2


@dataclass(frozen=True)
class StyleCadence:
    """After how many steps a line is logged, and after how many seconds the training is kept."""

    log: int = 10
    seconds: float = 180.0


def train_style(
    crops: CropSource,
    *,
    kept: Path,
    log: Path,
    cadence: StyleCadence,
    show: Callable[[StyleNetwork, int], None],
    stopping: Callable[[], bool] = lambda: False,
) -> Iterator[StyleProgress]:
    """Train a network, yielding a line of the log now and then.

    Goes on from the checkpoint `kept` if it exists; lines are added to `log`. `show` gets the
    running mean of the weights and the number of steps whenever the checkpoint is written: after
    some time, at the end, and when the training is to stop. On one kind of machine an interrupted
    training ends with the bits of one that was not.

    Raises:
        WeightsError: `kept` is damaged, or holds a training with another recipe.
    """
    recipe = crops.recipe
    model, optimizer, first = begun(
        StyleNetwork, initialize_style, recipe, kept, device=crops.device
    )
    recent: Tensor | None = None
    saved = since = time.perf_counter()
    shown = 0
    for step in range(first, recipe.steps):
        found = _step(model, optimizer, crops, step)
        recent = found if recent is None else recent.lerp(found, 0.05)
        shown, done = shown + recipe.batch, step + 1
        stop, last = stopping(), done == recipe.steps
        if stop or last or time.perf_counter() - saved >= cadence.seconds:
            checkpoint.save_training(kept, model, optimizer, recipe, step=done, earlier=[])
            show(model.mean, done)
            saved = time.perf_counter()
        if stop or last or done % cadence.log == 0:
            style, content, penalties = recent.tolist()
            speed, since, shown = shown / (time.perf_counter() - since), time.perf_counter(), 0
            line = StyleProgress(
                step=done,
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
    """Paint a batch and move the weights; its style errors, content errors and penalties."""
    recipe, batch = crops.recipe, crops.batch(step)
    found = crops.objective(model.network(batch.pixels), batch.contents, batch.style_spans)
    model.update(found.total.mean(), optimizer, recipe, step)
    errors = (found.style, found.content, found.penalties)
    return torch.stack([error.mean() for error in errors]).detach()
