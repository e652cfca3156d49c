"""Train a painter: photos are painted in one pass, and the loss of an optimization is lowered."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from swag.backbones import Backbone, weights_fingerprint
from swag.instant import Gaussian, InstantNetwork, transport
from swag.instant.network import Residual
from swag.instant.painter import transport_share
from swag.types import FeatureMap, Image, PerImage
from swag_lab.training import checkpoint
from swag_lab.training.distillation.crops import Pictures
from swag_lab.training.instant.examples import Examples, pictures
from swag_lab.training.instant.loss import painting_errors
from swag_lab.training.instant.recipe import PainterRecipe
from swag_lab.training.loop import USUAL, Cadence
from swag_lab.training.one_pass import Averaged, OnePassProgress, create_or_resume, initialize_by_he


@dataclass(frozen=True)
class PainterProgress(OnePassProgress):
    """One line of the log, with errors as shares of the span."""

    reconstruction: float
    rate: float
    pictures_per_second: float


@torch.no_grad()
def initialize(network: InstantNetwork) -> None:
    """Random weights by He et al. 2015; small if a large output would leave [0, 1] at once."""
    initialize_by_he(network)
    for module in network.modules():
        if isinstance(module, Residual):
            module.second.weight *= 0.3
    network.paint.weight *= 0.05


def painted_batch(
    network: InstantNetwork, photos: Image, paintings: Image, strength: PerImage, *, whole: bool
) -> tuple[Image, Image]:
    """The photos in the style of the paintings, and the reconstructed paintings.

    Unless `whole`, no gradient goes through the paintings, which saves time in every other step.
    """
    styles: list[Gaussian] = []

    def record(_: int, features: FeatureMap) -> FeatureMap:
        styles.append(Gaussian.of(features))
        return features

    def transport_maps(stage: int, features: FeatureMap) -> FeatureMap:
        shares = torch.stack([torch.as_tensor(transport_share(float(s))) for s in strength])
        return transport(Gaussian.of(features), styles[stage]).share(shares)(features)

    with torch.set_grad_enabled(whole):
        reconstructed = network(paintings, record)
    return network(photos, transport_maps), reconstructed


def train_painter(
    network: Backbone,
    recipe: PainterRecipe,
    photos: Pictures,
    paintings: Pictures,
    *,
    out: Path,
    device: str = "cpu",
    cadence: Cadence = USUAL,
) -> Iterator[PainterProgress]:
    """Train a painter through a frozen network, yielding a line of the log now and then.

    Resumes from the checkpoint `out` if it exists; the log is beside it, ending in `.jsonl`.
    On one kind of machine an interrupted training ends with the bits of an uninterrupted one.

    Raises:
        WeightsError: `out` is damaged, or holds a training with another recipe or network.
    """
    recipe = replace(recipe, backbone=network.name, fingerprint=weights_fingerprint(network))
    network.to(device)
    model, optimizer, first = create_or_resume(
        InstantNetwork, initialize, recipe, out, device=device
    )
    examples = Examples(recipe, network, photos, paintings)
    mean_errors: Tensor | None = None
    count, since = 0, time.perf_counter()
    for step in range(first, recipe.steps):
        step_errors = _step(model, optimizer, examples, step)
        mean_errors = step_errors if mean_errors is None else mean_errors.lerp(step_errors, 0.02)
        count, completed = count + recipe.batch, step + 1
        if completed % cadence.save == 0 or completed == recipe.steps:
            checkpoint.save_training(
                out, model, optimizer, recipe, step=completed, planned=recipe.steps, earlier=[]
            )
        if completed % cadence.log == 0 or completed == recipe.steps:
            style, content, reconstruction = mean_errors.tolist()
            speed, since, count = count / (time.perf_counter() - since), time.perf_counter(), 0
            line = PainterProgress(
                step=completed,
                steps=recipe.steps,
                size=recipe.size,
                style=style,
                content=content,
                reconstruction=reconstruction,
                rate=recipe.rate(step),
                pictures_per_second=speed,
            )
            checkpoint.write_line(out.with_suffix(".jsonl"), line)
            yield line


def _step(
    model: Averaged[InstantNetwork], optimizer: torch.optim.Optimizer, examples: Examples, step: int
) -> Tensor:
    """Paint a batch and update the weights; returns its style, content and reconstruction error."""
    recipe, batch = examples.recipe, examples.batch(step)
    device = next(model.parameters()).device
    strength = batch.strength.to(device)
    photos, paintings = pictures(batch.photos, device), pictures(batch.paintings, device)
    result, reconstructed = painted_batch(
        model.network, photos, paintings, strength, whole=step % 2 == 0
    )
    errors = painting_errors(examples.network, result, batch)
    reconstruction = (reconstructed - paintings).square().mean()
    total = 3 * errors.total(recipe, strength) + recipe.reconstruction * reconstruction
    model.update(total, optimizer, recipe, step)
    return torch.stack([errors.style.mean(), errors.content.mean(), reconstruction]).detach()
