"""The objective in tiles: the same terms and the same gradient, in the memory of one tile.

    reach = probe(with_pixels(network.extract), layers, like=photo)
    objective = TiledObjective.of(reach, 1024, terms, start=photo, style=painting)
    objective(picture)                                as `Objective`

A first pass adds up what the losses need of each tile; a second one, when the gradient is asked
for, brings it to the pixels: two passes forward and one back, where the whole picture takes one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, sqrt
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from swag.losses import PENALTIES, Description
from swag.objective.sweep import Gathered, Sweep
from swag.objective.targets import parts_of
from swag.objective.term import Term
from swag.objective.view import Part, View
from swag.precision import widened
from swag.shapes import FeatureMap, FeatureMaps, Image, OwnImage, OwnWhere
from swag.tiles import Reach

SAMPLED = 2**24
"""Entries of a map above which a smoothing is fitted to some of its positions, evenly spaced."""


@dataclass(frozen=True)
class TiledObjective:
    """The terms of a loss with their targets, read in tiles; call it with a picture."""

    sweep: Sweep
    parts: tuple[Part, ...]
    penalties: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        reach: Reach,
        side: int,
        terms: Iterable[Term],
        *,
        start: OwnImage,
        style: OwnImage,
        penalties: Mapping[str, float] | None = None,
    ) -> "TiledObjective":
        """Describe the targets of all terms, as `Objective.of`, in tiles of `side` pixels.

        `reach` is that of all layers of the terms. Smoothings are fitted to maps of at most 2^24
        entries: larger ones, which take minutes to sort, to evenly spaced positions.
        """
        sweep = Sweep(reach, side)
        read = TiledReader(sweep)
        parts = [part for term in terms for part in parts_of(term, read, start, style)]
        return cls(sweep, tuple(parts), dict(penalties or {}))

    @property
    def fallbacks(self) -> list[str]:
        """When tiles had to be made smaller, in words."""
        return self.sweep.fallbacks

    @property
    def names(self) -> list[str]:
        """The names of the terms."""
        weighed = [name for name, weight in self.penalties.items() if weight]
        return list(dict.fromkeys([part.term for part in self.parts] + weighed))

    def __call__(self, image: Image) -> dict[str, Tensor]:
        """The weighted terms at a picture, float64 scalars."""
        values: Tensor = _Terms.apply(image, self)
        return dict(zip(self.names, values.unbind(), strict=True))

    def gather(self, image: OwnImage) -> list[Gathered]:
        """What the parts need of a picture."""
        return self.sweep.gather(image, [(part.view, part.where) for part in self.parts])


class _Terms(torch.autograd.Function):
    """From a picture to the values of all terms."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, objective: TiledObjective) -> Tensor:
        ctx.save_for_backward(image)
        ctx.objective = objective
        ctx.kept = objective.gather(image)
        values = dict.fromkeys(objective.names, widened(image.new_zeros(())))
        for part, one in zip(objective.parts, ctx.kept, strict=True):
            values[part.term] = values[part.term] + part.error_of(one.description(one.leaves()))
        for strip in _strips(objective, image):
            values[strip.name] = values[strip.name] + strip.cost
        return torch.stack(list(values.values()))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradients: Tensor) -> tuple[Tensor, None]:
        (image,) = ctx.saved_tensors
        objective: TiledObjective = ctx.objective
        by_name = dict(zip(objective.names, gradients.unbind(), strict=True))
        for part, one in zip(objective.parts, ctx.kept, strict=True):
            with torch.enable_grad():
                leaves = one.leaves()
                error = part.error_of(one.description(leaves))
                one.pulls = torch.autograd.grad(error, leaves, by_name[part.term])
        gradient = objective.sweep.gradient(image, ctx.kept)
        with torch.enable_grad():
            for strip in _strips(objective, image):
                (pull,) = torch.autograd.grad(strip.cost, strip.pixels, by_name[strip.name])
                gradient[:, :, strip.rows] += pull
        return gradient, None


class _Strip(NamedTuple):
    """What some rows of a picture cost under a penalty; `pixels` are `rows` of the picture."""

    name: str
    cost: Tensor
    pixels: Tensor
    rows: slice


def _strips(objective: TiledObjective, image: Tensor) -> Iterator[_Strip]:
    """The penalties of a picture, strip by strip."""
    rows, columns = image.shape[-2:]
    height = max(1, objective.sweep.side**2 // columns)
    for name, weight in objective.penalties.items():
        if not weight:
            continue
        penalty = PENALTIES[name]
        for top in range(0, rows, height):
            seen = slice(top, top + height + penalty.below)
            pixels = image[:, :, seen].detach().requires_grad_(torch.is_grad_enabled())
            cost = widened(penalty.cost(pixels)[:, :, :height].sum()) * (weight / image.numel())
            yield _Strip(name, cost, pixels, seen)


@dataclass(frozen=True)
class TiledReader:
    """Knows of pictures what the first step needs, as `Reader`, by passes in tiles."""

    sweep: Sweep
    _samples: list[tuple[Tensor, FeatureMaps]] = field(default_factory=list)

    def sample(self, image: OwnImage, layer: str) -> FeatureMap:
        """See `Reading`: the map at evenly spaced positions, all of them where it is small."""
        for picture, maps in self._samples:
            if picture is image:
                return maps[layer]
        self._samples.append((image, self._spaced(image, self.sweep.reach.layers, SAMPLED)))
        return self._samples[-1][1][layer]

    def whole(self, image: OwnImage, layer: str) -> FeatureMap:
        """See `Reading`."""
        return self._spaced(image, [layer], None)[layer]

    def shape(self, image: OwnImage, layer: str) -> torch.Size:
        """See `Reading`."""
        return self.sweep.reach.sizes(image)[layer]

    @torch.no_grad()
    def descriptions(
        self, views: Sequence[View], image: OwnImage, where: OwnWhere | None
    ) -> list[Description]:
        """See `Reading`."""
        kept = self.sweep.gather(image, [(view, where) for view in views])
        return [_detached(one.description(one.leaves())) for one in kept]

    @torch.no_grad()
    def errors(self, parts: Sequence[Part], image: OwnImage) -> list[float]:
        """See `Reading`."""
        kept = TiledObjective(self.sweep, tuple(parts)).gather(image)
        described = [one.description(one.leaves()) for one in kept]
        return [float(part.error_of(d).detach()) for part, d in zip(parts, described, strict=True)]

    @torch.enable_grad()
    def gradient(self, part: Part, image: OwnImage) -> Tensor:
        """See `Reading`."""
        pixels = image.detach().clone().requires_grad_()
        (value,) = TiledObjective(self.sweep, (part,))(pixels).values()
        (gradient,) = torch.autograd.grad(value, pixels)
        return gradient

    @torch.no_grad()
    def _spaced(self, image: Tensor, layers: Iterable[str], entries: int | None) -> FeatureMaps:
        """The maps at every k-th row and column, such that each has at most so many entries."""
        shapes = self.sweep.reach.sizes(image)
        steps = {
            layer: 1 if entries is None else ceil(sqrt(shapes[layer].numel() / entries))
            for layer in layers
        }
        found: FeatureMaps = {}
        for tile, maps in self.sweep.tiles(image):
            for layer, step in steps.items():
                b, d, h, w = shapes[layer]
                if layer not in found:
                    found[layer] = maps[layer].new_empty(b, d, ceil(h / step), ceil(w / step))
                rows, columns = (own.start for own in tile.own(layer)[2:])
                part = maps[layer][:, :, -rows % step :: step, -columns % step :: step]
                top, left = ceil(rows / step), ceil(columns / step)
                found[layer][:, :, top : top + part.shape[2], left : left + part.shape[3]] = part
        return found


def _detached(description: Description) -> Description:
    if isinstance(description, Tensor):
        return description.detach()
    return tuple(part.detach() for part in description)
