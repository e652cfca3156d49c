"""The loss of a painted batch: that of an optimization, each photo with a painting of its own."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from swag.backbones import Backbone
from swag.losses import PENALTIES, Loss
from swag.losses.loss import Description
from swag.types import Image, PerImage, Scalar
from swag_lab.training.instant.examples import CONTENT, STYLE, Example, PaintingBatch
from swag_lab.training.instant.recipe import PainterRecipe

SMALLEST_SPAN = 0.05
"""As a share of the target's size: more similar photos and paintings count as this far apart."""


@dataclass(frozen=True)
class Errors:
    """Style and content errors as shares of the span between photo and painting; the penalties."""

    style: PerImage
    content: PerImage
    penalties: PerImage

    def total(self, recipe: PainterRecipe, strength: PerImage) -> Scalar:
        """The mean of the weighted sums over pictures, each divided by its weights, so that no
        strength counts more than others."""
        style = recipe.balance * strength
        content = (1 - strength).clamp(min=recipe.least_content)
        total = style * self.style + content * self.content + self.penalties
        mean: Tensor = (total / (style + content)).mean()
        return mean


def painting_errors(network: Backbone, painted: Image, batch: PaintingBatch) -> Errors:
    """The errors of painted photos: from the style of the painting and the content of the photo."""
    layers = [*network.style_layers, *network.content_layers]
    maps = network.extract(painted, list(dict.fromkeys(layers)))
    style = [
        _share(
            STYLE,
            STYLE.describe(maps[layer]),
            _batched_styles(batch.paintings, layer),
            _batched_styles(batch.photos, layer),
        )
        for layer in network.style_layers
    ]
    content = [
        _share(
            CONTENT,
            CONTENT.describe(maps[layer]),
            CONTENT.describe(_batched_contents(batch.photos, layer)),
            CONTENT.describe(_batched_contents(batch.paintings, layer)),
        )
        for layer in network.content_layers
    ]
    penalties = [PENALTIES[name].measure(painted) for name in ("total_variation", "pixel_range")]
    return Errors(
        style=torch.stack(style).mean(0),
        content=torch.stack(content).mean(0),
        penalties=torch.stack(penalties).sum(0),
    )


def _share(loss: Loss, painted: Description, target: Description, other: Description) -> PerImage:
    """An error as a share of the span between the target and the other picture."""
    with torch.no_grad():
        span = loss.compare(other, target)
        unit = torch.maximum(span, SMALLEST_SPAN * loss.target_norm(target))
    error: Tensor = loss.compare(painted, target) / unit
    return error


def _batched_styles(examples: Sequence[Example], layer: str) -> tuple[Tensor, ...]:
    descriptions = [example.style[layer] for example in examples]
    return tuple(torch.cat(parts) for parts in zip(*descriptions, strict=True))


def _batched_contents(examples: Sequence[Example], layer: str) -> Tensor:
    return torch.cat([example.content[layer] for example in examples]).float()
