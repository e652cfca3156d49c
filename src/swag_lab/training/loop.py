"""Train a network of the family as a classifier, for the features that it learns.

Each source of pictures has a linear head of its own on the shared network. The heads are kept
in checkpoints, so that a training can resume, and dropped from the weights that are shipped.
"""

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from swag.backbones import Normalize
from swag.backbones.family import (
    Architecture,
    ThinNetwork,
    start_as_shortcuts,
    start_near_identity,
)
from swag.types import Image, Scalar
from swag_lab.training import checkpoint
from swag_lab.training.batches import TrainingBatch, batch_of, batches
from swag_lab.training.data import PictureSource, as_images, center
from swag_lab.training.recipe import Recipe
from swag_lab.training.start import begin


@dataclass(frozen=True)
class Progress(checkpoint.ProgressLine):
    """One line of the training log; `top1` is measured now and then, in [0, 1]."""

    loss: float
    rate: float
    pictures_per_second: float
    top1: float | None = None

    @property
    def summary(self) -> str:
        """Loss and accuracy in words."""
        top1 = "" if self.top1 is None else f", top-1 {self.top1:.1%}"
        return f"loss {self.loss:.3f}{top1}"


@dataclass(frozen=True)
class Cadence:
    """After how many steps a training logs, measures its accuracy, and writes a checkpoint."""

    log: int = 50
    measure: int = 1000
    save: int = 500


USUAL = Cadence()


class Classifier(nn.Module):
    """The network, and a linear head for each source."""

    def __init__(self, architecture: Architecture, classes: Mapping[str, int]) -> None:
        super().__init__()
        self.network = ThinNetwork(architecture)
        start_as_shortcuts(self.network)
        width = architecture.widths[-1]
        self.heads = nn.ModuleDict({name: nn.Linear(width, n) for name, n in classes.items()})
        self.normalize = Normalize()

    def normalized(self, images: Image) -> Image:
        """The input of the network for pictures in sRGB [0, 1]."""
        x: Tensor = self.normalize(images)
        return x.contiguous(memory_format=torch.channels_last)

    def forward(self, images: Image, source: str) -> Float[Tensor, "b classes"]:
        """Scores of the classes of `source`, for pictures in sRGB [0, 1]."""
        x = self.network(self.normalized(images))
        scores: Tensor = self.heads[source](x.mean((2, 3)))
        return scores


def train(
    architecture: Architecture,
    recipe: Recipe,
    sources: Mapping[str, PictureSource],
    *,
    out: Path,
    validation: PictureSource | None = None,
    device: str = "cpu",
    start: Path | None = None,
    cadence: Cadence = USUAL,
) -> Iterator[Progress]:
    """Train, yielding a `Progress` now and then; resumes from the checkpoint `out` if it exists.

    Batches come from `sources["main"]`, and in the detail phase from every other source by turns.
    `start` is a checkpoint or exported weights to begin with; without it, weights are drawn from
    the recipe's seed. Checkpoints go to `out`, lines of the log to `out` with the ending
    `.jsonl`. WeightsError: `out` or `start` belongs to another training, or is damaged.
    """
    steps = recipe.steps(len(sources["main"]))
    model = _initialized(architecture, sources, recipe).to(device)
    model = model.to(memory_format=torch.channels_last)
    optimizer = _optimizer(model, recipe)
    batch = batch_of(recipe, sources, 0, steps)
    first, earlier = _restore(model, optimizer, recipe, out, start=start, batch=batch)
    count, since = 0, time.perf_counter()
    workers = 0 if device == "cpu" else os.cpu_count() or 1
    remaining = batches(recipe, sources, first, steps, workers=workers)
    for completed, batch in enumerate(remaining, start=first + 1):
        rate = optimizer.param_groups[0]["lr"] = recipe.rate(completed - 1, steps)
        loss = _update(model, optimizer, batch, recipe.label_smoothing)
        count += len(batch[0])
        if completed % cadence.save == 0 or completed == steps:
            checkpoint.save_training(
                out, model, optimizer, recipe, step=completed, planned=steps, earlier=earlier
            )
        if completed % cadence.log == 0 or completed == steps:
            speed, since, count = count / (time.perf_counter() - since), time.perf_counter(), 0
            due = completed % cadence.measure == 0 or completed == steps
            top1 = accuracy(model, validation) if due and validation is not None else None
            size = batch[0].shape[-1]
            progress = Progress(
                step=completed,
                steps=steps,
                size=size,
                loss=loss.item(),
                rate=rate,
                pictures_per_second=speed,
                top1=top1,
            )
            checkpoint.write_line(out.with_suffix(".jsonl"), progress)
            yield progress


def _initialized(
    architecture: Architecture, sources: Mapping[str, PictureSource], recipe: Recipe
) -> Classifier:
    classes = {name: source.classes for name, source in sources.items()}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        model = Classifier(architecture, classes)
    if recipe.near_identity:
        start_near_identity(model.network)
    return model


def _optimizer(model: Classifier, recipe: Recipe) -> torch.optim.Optimizer:
    return torch.optim.SGD(
        model.parameters(),
        lr=recipe.peak_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=recipe.momentum > 0,
    )


def _restore(
    model: Classifier,
    optimizer: torch.optim.Optimizer,
    recipe: Recipe,
    out: Path,
    start: Path | None,
    batch: TrainingBatch,
) -> tuple[int, list[dict[str, Any]]]:
    """Load the weights to begin with; returns the first step and the trainings before this one."""
    if out.exists():
        state = checkpoint.load_training(out)
        checkpoint.restore(state, out, model, optimizer, recipe=recipe)
        return int(state["step"]), state.get("earlier", [])
    if start is None:
        return 0, []
    images = model.normalized(batch[0].to(next(model.parameters()).device))
    return 0, begin(model, model.network, start, images)


def _update(
    model: Classifier,
    optimizer: torch.optim.Optimizer,
    batch: TrainingBatch,
    label_smoothing: float,
) -> Scalar:
    device = next(model.parameters()).device
    model.train()
    with torch.autocast(device.type, dtype=torch.bfloat16):
        scores = model(batch[0].to(device), batch[2])
    labels = batch[1].to(device)
    loss = cross_entropy(scores.float(), labels, label_smoothing=label_smoothing)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return loss.detach()


@torch.no_grad()
def accuracy(
    model: Classifier, validation: PictureSource, *, size: int = 64, batch: int = 250
) -> float:
    """Share of the validation pictures whose class has the highest score (top-1), in [0, 1]."""
    device = next(model.parameters()).device
    model.eval()
    correct = 0
    for start in range(0, len(validation), batch):
        pictures = validation.pictures[start : start + batch]
        images = as_images([center(picture, size) for picture in pictures]).to(device)
        with torch.autocast(device.type, dtype=torch.bfloat16):
            predicted = model(images, "main").argmax(1).cpu()
        correct += int((predicted == validation.labels[start : start + batch]).sum())
    return correct / len(validation)
