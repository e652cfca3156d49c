"""Descriptions of pictures that are needed before the first step, read in tiles."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import ceil, sqrt

import torch
from torch import Tensor

from swag.losses import Description
from swag.objective.layer_loss import LayerLoss, LayerView
from swag.precision import to_float64
from swag.tiling.network_tail import NetworkTail
from swag.tiling.tiled_forward import TiledForward
from swag.tiling.tiled_pass import TiledPass
from swag.types import FeatureMap, FeatureMaps, OwnImage, OwnMask

SAMPLED = 2**24
"""Entries of a map above which a smoothing is fitted to some of its positions, evenly spaced."""


@dataclass(frozen=True)
class TiledFeatureSource:
    """Knows of pictures what the first step needs, as `FeatureCache`, by passes in tiles.

    Maps behind the cut, which are small, are kept.
    """

    tiled_pass: TiledPass
    tail: NetworkTail | None = None
    _samples: list[tuple[Tensor, FeatureMaps]] = field(default_factory=list)
    _deep: list[tuple[Tensor, FeatureMaps]] = field(default_factory=list)

    def sample(self, image: OwnImage, layer: str) -> FeatureMap:
        """See `FeatureSource`: the map at evenly spaced positions, at all if it is small."""
        if self._is_behind(layer):
            return self._maps_behind(image)[layer]
        for picture, maps in self._samples:
            if picture is image:
                return maps[layer]
        self._samples.append(
            (image, self._spaced(image, self.tiled_pass.receptive_field.layers, SAMPLED))
        )
        return self._samples[-1][1][layer]

    def whole(self, image: OwnImage, layer: str) -> FeatureMap:
        """See `FeatureSource`."""
        if self._is_behind(layer):
            return self._maps_behind(image)[layer]
        return self._spaced(image, [layer], None)[layer]

    def shape(self, image: OwnImage, layer: str) -> torch.Size:
        """See `FeatureSource`."""
        if self._is_behind(layer):
            return self._maps_behind(image)[layer].shape
        return self.tiled_pass.receptive_field.sizes(image)[layer]

    @torch.no_grad()
    def descriptions(
        self, views: Sequence[LayerView], image: OwnImage, mask: OwnMask | None
    ) -> list[Description]:
        """See `FeatureSource`."""
        front = [view for view in views if self.tail is None or not self.tail.sees(view)]
        kept, _ = (
            self.tiled_pass.forward(image, [(view, mask) for view in front])
            if front
            else ([], None)
        )
        found = iter(_detached(one.description(one.leaves())) for one in kept)
        return [
            self._described(view, image, mask)
            if self.tail is not None and self.tail.sees(view)
            else next(found)
            for view in views
        ]

    @torch.no_grad()
    def errors(self, parts: Sequence[LayerLoss], image: OwnImage) -> list[float]:
        """See `FeatureSource`."""
        found = self._look(parts, image, graph=False).errors()
        by_part = {id(part): float(error) for part, error in found}
        return [by_part[id(part)] for part in parts]

    def gradient(self, part: LayerLoss, image: OwnImage) -> Tensor:
        """See `FeatureSource`."""
        look = self._look([part], image, graph=True)
        one = to_float64(image.new_ones(()))
        return self.tiled_pass.gradient(image, look.pullback({part.term: one}))

    def _look(self, parts: Sequence[LayerLoss], image: Tensor, *, graph: bool) -> TiledForward:
        return TiledForward.at(image, parts, self.tiled_pass, self.tail, graph=graph)

    def _is_behind(self, layer: str) -> bool:
        return self.tail is not None and layer in self.tail.layers

    def _maps_behind(self, image: Tensor) -> FeatureMaps:
        """All maps behind the cut, and that of the cut."""
        assert self.tail is not None
        for picture, maps in self._deep:
            if picture is image:
                return maps
        with torch.no_grad():
            before = self._spaced(image, [self.tail.cut], None)
            self._deep.append((image, self.tail.maps(before)))
        return self._deep[-1][1]

    def _described(self, view: LayerView, image: Tensor, mask: Tensor | None) -> Description:
        """What a view sees that needs a layer behind the cut."""
        maps = self._maps_behind(image)
        before = [layer for layer in view.layers if layer not in maps]
        return view.describe(
            {**maps, **self._spaced(image, before, None)} if before else maps, mask
        )

    @torch.no_grad()
    def _spaced(self, image: Tensor, layers: Iterable[str], entries: int | None) -> FeatureMaps:
        """The maps at every k-th row and column, such that each has at most so many entries."""
        shapes = self.tiled_pass.receptive_field.sizes(image)
        steps = {
            layer: 1 if entries is None else ceil(sqrt(shapes[layer].numel() / entries))
            for layer in layers
        }
        found: FeatureMaps = {}
        for tile, maps in self.tiled_pass.tiles(image):
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
