"""What is needed of pictures before the first step, such as descriptions, by passes in tiles."""

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
    """What the first step needs of pictures, as in `FeatureCache`, by passes in tiles.

    Maps behind the cut, which are small, are cached.
    """

    tiled_pass: TiledPass
    tail: NetworkTail | None = None
    _samples: list[tuple[Tensor, FeatureMaps]] = field(default_factory=list)
    _deep: list[tuple[Tensor, FeatureMaps]] = field(default_factory=list)

    def sample(self, image: OwnImage, layer: str) -> FeatureMap:
        """See `FeatureSource`: the map at evenly spaced positions, or at all if it is small."""
        if self._is_in_tail(layer):
            return self._maps_of_tail(image)[layer]
        for picture, maps in self._samples:
            if picture is image:
                return maps[layer]
        self._samples.append(
            (image, self._read_maps(image, self.tiled_pass.receptive_field.layers, SAMPLED))
        )
        return self._samples[-1][1][layer]

    def feature_map(self, image: OwnImage, layer: str) -> FeatureMap:
        """See `FeatureSource`."""
        if self._is_in_tail(layer):
            return self._maps_of_tail(image)[layer]
        return self._read_maps(image, [layer], None)[layer]

    def shape(self, image: OwnImage, layer: str) -> torch.Size:
        """See `FeatureSource`."""
        if self._is_in_tail(layer):
            return self._maps_of_tail(image)[layer].shape
        return self.tiled_pass.receptive_field.sizes(image)[layer]

    @torch.no_grad()
    def descriptions(
        self, views: Sequence[LayerView], image: OwnImage, mask: OwnMask | None
    ) -> list[Description]:
        """See `FeatureSource`."""
        front = [view for view in views if self.tail is None or not self.tail.sees(view)]
        accumulators, _ = (
            self.tiled_pass.forward(image, [(view, mask) for view in front])
            if front
            else ([], None)
        )
        descriptions = iter(_detach(x.description(x.leaves())) for x in accumulators)
        return [
            self._tail_description(view, image, mask)
            if self.tail is not None and self.tail.sees(view)
            else next(descriptions)
            for view in views
        ]

    @torch.no_grad()
    def errors(self, parts: Sequence[LayerLoss], image: OwnImage) -> list[float]:
        """See `FeatureSource`."""
        errors = self._forward(parts, image, graph=False).errors()
        by_part = {id(part): float(error) for part, error in errors}
        return [by_part[id(part)] for part in parts]

    def gradient(self, part: LayerLoss, image: OwnImage) -> Tensor:
        """See `FeatureSource`."""
        forward = self._forward([part], image, graph=True)
        weight = to_float64(image.new_ones(()))
        return self.tiled_pass.gradient(image, forward.pullback({part.term: weight}))

    def _forward(self, parts: Sequence[LayerLoss], image: Tensor, *, graph: bool) -> TiledForward:
        return TiledForward.at(image, parts, self.tiled_pass, self.tail, graph=graph)

    def _is_in_tail(self, layer: str) -> bool:
        return self.tail is not None and layer in self.tail.layers

    def _maps_of_tail(self, image: Tensor) -> FeatureMaps:
        """All maps behind the cut, and the map of the cut itself."""
        assert self.tail is not None
        for picture, maps in self._deep:
            if picture is image:
                return maps
        with torch.no_grad():
            front_maps = self._read_maps(image, [self.tail.cut], None)
            self._deep.append((image, self.tail.maps(front_maps)))
        return self._deep[-1][1]

    def _tail_description(self, view: LayerView, image: Tensor, mask: Tensor | None) -> Description:
        """The description of a view that needs a layer behind the cut."""
        maps = self._maps_of_tail(image)
        front = [layer for layer in view.layers if layer not in maps]
        return view.describe(
            {**maps, **self._read_maps(image, front, None)} if front else maps, mask
        )

    @torch.no_grad()
    def _read_maps(self, image: Tensor, layers: Iterable[str], entries: int | None) -> FeatureMaps:
        """The maps at every k-th row and column: about so many `entries` each, or all."""
        shapes = self.tiled_pass.receptive_field.sizes(image)
        steps = {
            layer: 1 if entries is None else ceil(sqrt(shapes[layer].numel() / entries))
            for layer in layers
        }
        sampled: FeatureMaps = {}
        for tile, maps in self.tiled_pass.tiles(image):
            for layer, step in steps.items():
                b, d, h, w = shapes[layer]
                if layer not in sampled:
                    sampled[layer] = maps[layer].new_zeros(b, d, ceil(h / step), ceil(w / step))
                first_row, first_column = (positions.start for positions in tile.in_map(layer)[2:])
                samples = maps[layer][:, :, -first_row % step :: step, -first_column % step :: step]
                top, left = ceil(first_row / step), ceil(first_column / step)
                sampled[layer][
                    :, :, top : top + samples.shape[2], left : left + samples.shape[3]
                ] = samples
        return sampled


def _detach(description: Description) -> Description:
    if isinstance(description, Tensor):
        return description.detach()
    return tuple(part.detach() for part in description)
