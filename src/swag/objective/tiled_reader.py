"""What has to be known of pictures before the first step, read in tiles."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import ceil, sqrt

import torch
from torch import Tensor

from swag.losses import Description
from swag.objective.behind import Behind
from swag.objective.look import Look
from swag.objective.sweep import Sweep
from swag.objective.view import Part, View
from swag.precision import widened
from swag.types import FeatureMap, FeatureMaps, OwnImage, OwnWhere

SAMPLED = 2**24
"""Entries of a map above which a smoothing is fitted to some of its positions, evenly spaced."""


@dataclass(frozen=True)
class TiledReader:
    """Knows of pictures what the first step needs, as `Reader`, by passes in tiles.

    Maps behind the cut, which are small, are kept.
    """

    sweep: Sweep
    behind: Behind | None = None
    _samples: list[tuple[Tensor, FeatureMaps]] = field(default_factory=list)
    _deep: list[tuple[Tensor, FeatureMaps]] = field(default_factory=list)

    def sample(self, image: OwnImage, layer: str) -> FeatureMap:
        """See `Reading`: the map at evenly spaced positions, all of them where it is small."""
        if self._is_behind(layer):
            return self._maps_behind(image)[layer]
        for picture, maps in self._samples:
            if picture is image:
                return maps[layer]
        self._samples.append((image, self._spaced(image, self.sweep.reach.layers, SAMPLED)))
        return self._samples[-1][1][layer]

    def whole(self, image: OwnImage, layer: str) -> FeatureMap:
        """See `Reading`."""
        if self._is_behind(layer):
            return self._maps_behind(image)[layer]
        return self._spaced(image, [layer], None)[layer]

    def shape(self, image: OwnImage, layer: str) -> torch.Size:
        """See `Reading`."""
        if self._is_behind(layer):
            return self._maps_behind(image)[layer].shape
        return self.sweep.reach.sizes(image)[layer]

    @torch.no_grad()
    def descriptions(
        self, views: Sequence[View], image: OwnImage, where: OwnWhere | None
    ) -> list[Description]:
        """See `Reading`."""
        front = [view for view in views if self.behind is None or not self.behind.sees(view)]
        kept, _ = (
            self.sweep.gather(image, [(view, where) for view in front]) if front else ([], None)
        )
        found = iter(_detached(one.description(one.leaves())) for one in kept)
        return [
            self._described(view, image, where)
            if self.behind is not None and self.behind.sees(view)
            else next(found)
            for view in views
        ]

    @torch.no_grad()
    def errors(self, parts: Sequence[Part], image: OwnImage) -> list[float]:
        """See `Reading`."""
        found = self._look(parts, image, graph=False).errors()
        by_part = {id(part): float(error) for part, error in found}
        return [by_part[id(part)] for part in parts]

    def gradient(self, part: Part, image: OwnImage) -> Tensor:
        """See `Reading`."""
        look = self._look([part], image, graph=True)
        one = widened(image.new_ones(()))
        return self.sweep.gradient(image, look.pull({part.term: one}))

    def _look(self, parts: Sequence[Part], image: Tensor, *, graph: bool) -> Look:
        return Look.at(image, parts, self.sweep, self.behind, graph=graph)

    def _is_behind(self, layer: str) -> bool:
        return self.behind is not None and layer in self.behind.layers

    def _maps_behind(self, image: Tensor) -> FeatureMaps:
        """All maps behind the cut, and that of the cut."""
        assert self.behind is not None
        for picture, maps in self._deep:
            if picture is image:
                return maps
        with torch.no_grad():
            before = self._spaced(image, [self.behind.cut], None)
            self._deep.append((image, self.behind.maps(before)))
        return self._deep[-1][1]

    def _described(self, view: View, image: Tensor, where: Tensor | None) -> Description:
        """What a view sees that needs a layer behind the cut."""
        maps = self._maps_behind(image)
        before = [layer for layer in view.layers if layer not in maps]
        return view.describe(
            {**maps, **self._spaced(image, before, None)} if before else maps, where
        )

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
                    found[layer] = maps[layer].new_zeros(b, d, ceil(h / step), ceil(w / step))
                rows, columns = (own.start for own in tile.own(layer)[2:])
                part = maps[layer][:, :, -rows % step :: step, -columns % step :: step]
                top, left = ceil(rows / step), ceil(columns / step)
                found[layer][:, :, top : top + part.shape[2], left : left + part.shape[3]] = part
        return found


def _detached(description: Description) -> Description:
    if isinstance(description, Tensor):
        return description.detach()
    return tuple(part.detach() for part in description)
