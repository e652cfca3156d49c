"""The objective in tiles: the same terms and the same gradient, in the memory of one tile.

    field = measure_receptive_field(with_pixels(network.extract), layers, like=photo)
    objective = TiledObjective.of(field, 1024, terms, start=photo, style=painting)
    objective(picture)                                as `Objective`

A first pass adds up what the losses need of each tile; a second one, for the gradient, propagates
it to the pixels: two passes forward and one backward, where the whole picture takes one of each.
Layers behind a cut, where the maps are small, can be left out of the tiles: see `tail`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from swag.fallbacks import Fallbacks
from swag.losses import PENALTIES
from swag.objective.layer_loss import LayerLoss
from swag.objective.loss_term import LossTerm
from swag.objective.targets import make_layer_losses
from swag.precision import to_float64
from swag.tiling.network_tail import NetworkTail
from swag.tiling.receptive_field import ReceptiveField
from swag.tiling.tiled_feature_source import TiledFeatureSource
from swag.tiling.tiled_forward import TiledForward
from swag.tiling.tiled_pass import TiledPass
from swag.types import Image, OwnImage


@dataclass(frozen=True)
class TiledObjective:
    """The terms of a loss with their targets, read in tiles; call it with a picture."""

    tiled_pass: TiledPass
    parts: tuple[LayerLoss, ...]
    penalties: Mapping[str, float] = field(default_factory=dict)
    tail: NetworkTail | None = None

    @classmethod
    def of(
        cls,
        receptive_field: ReceptiveField,
        side: int,
        terms: Iterable[LossTerm],
        *,
        start: OwnImage,
        style: OwnImage,
        penalties: Mapping[str, float] | None = None,
        tail: NetworkTail | None = None,
        fallbacks: Fallbacks | None = None,
    ) -> "TiledObjective":
        """Describe the targets of all terms, as `Objective.of`, in tiles of `side` pixels.

        `receptive_field` is that of all layers of the terms but those of the `tail`, whose cut is
        one of them. Smoothings are fitted to maps of at most 2^24 entries: larger ones, which take
        minutes to sort, to evenly spaced positions. Smaller tiles are noted in `fallbacks`.
        """
        tiled_pass = TiledPass(receptive_field, side, fallbacks)
        source = TiledFeatureSource(tiled_pass, tail)
        parts = [part for term in terms for part in make_layer_losses(term, source, start, style)]
        return cls(tiled_pass, tuple(parts), dict(penalties or {}), tail)

    @property
    def names(self) -> list[str]:
        """The names of the terms."""
        penalties = [name for name, weight in self.penalties.items() if weight]
        return list(dict.fromkeys([part.term for part in self.parts] + penalties))

    def __call__(self, image: Image) -> dict[str, Tensor]:
        """The weighted terms at a picture, float64 scalars."""
        values: Tensor = _Terms.apply(image, self)
        return dict(zip(self.names, values.unbind(), strict=True))


class _Terms(torch.autograd.Function):
    """The values of all terms at a picture, with their gradient in tiles."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, objective: TiledObjective) -> Tensor:
        ctx.save_for_backward(image)
        ctx.objective = objective
        ctx.tiled_forward = TiledForward.at(
            image,
            objective.parts,
            objective.tiled_pass,
            objective.tail,
            graph=ctx.needs_input_grad[0],
        )
        values = dict.fromkeys(objective.names, to_float64(image.new_zeros(())))
        for part, error in ctx.tiled_forward.errors():
            values[part.term] = values[part.term] + error
        for strip in _strips(objective, image):
            values[strip.name] = values[strip.name] + strip.cost
        return torch.stack(list(values.values()))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradients: Tensor) -> tuple[Tensor, None]:
        (image,) = ctx.saved_tensors
        objective: TiledObjective = ctx.objective
        weights = dict(zip(objective.names, gradients.unbind(), strict=True))
        gradient = objective.tiled_pass.gradient(image, ctx.tiled_forward.pullback(weights))
        with torch.enable_grad():
            for strip in _strips(objective, image):
                (cotangent,) = torch.autograd.grad(strip.cost, strip.pixels, weights[strip.name])
                gradient[:, :, strip.rows] += cotangent
        return gradient, None


class _Strip(NamedTuple):
    """The share of some rows in a penalty; `pixels` are `rows` of the picture."""

    name: str
    cost: Tensor
    pixels: Tensor
    rows: slice


def _strips(objective: TiledObjective, image: Tensor) -> Iterator[_Strip]:
    """The penalties of a picture, strip by strip."""
    rows, columns = image.shape[-2:]
    height = max(1, objective.tiled_pass.side**2 // columns)
    for name, weight in objective.penalties.items():
        if not weight:
            continue
        penalty = PENALTIES[name]
        for top in range(0, rows, height):
            strip_rows = slice(top, top + height + penalty.below)
            pixels = image[:, :, strip_rows].detach().requires_grad_(torch.is_grad_enabled())
            cost = to_float64(penalty.cost(pixels)[:, :, :height].sum()) * (weight / image.numel())
            yield _Strip(name, cost, pixels, strip_rows)
