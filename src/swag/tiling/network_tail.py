"""The tail of a network: small enough to be computed at once, from the whole map of the cut.

Most of the memory of a picture is in the first layers, most of a tile's halo is for the last. So
only the front is computed in tiles: its map at the cut is put together, the tail runs on it as on
a picture, and the gradient with respect to the map goes back into the tiles.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from swag.objective.layer_loss import LayerLoss, LayerView
from swag.tiling.assembled_maps import AssembledMaps
from swag.types import Extract, FeatureMaps


@dataclass(frozen=True)
class NetworkTail:
    """The layers behind the layer `cut`; `extract` takes the map of the cut as its picture."""

    cut: str
    layers: tuple[str, ...]
    extract: Extract

    def sees(self, view: LayerView) -> bool:
        """Whether a view needs a layer behind the cut."""
        return any(layer in self.layers for layer in view.layers)

    def needed(self, views: Iterable[LayerView]) -> tuple[str, ...]:
        """The layers whose maps these views need assembled from tiles, the cut first."""
        front = (layer for view in views for layer in view.layers if layer not in self.layers)
        return tuple(dict.fromkeys((self.cut, *front)))

    def maps(self, before: FeatureMaps) -> FeatureMaps:
        """The maps of all layers: those assembled, the cut's among them, and the tail's."""
        return {**before, **self.extract(before[self.cut], self.layers)}


@dataclass
class TailLosses:
    """The errors of parts behind the cut, with the graph that leads to the maps before it."""

    before: AssembledMaps
    leaves: tuple[Tensor, ...]
    by_part: tuple[tuple[LayerLoss, Tensor], ...]

    @classmethod
    def of(
        cls, tail: NetworkTail, parts: Sequence[LayerLoss], before: AssembledMaps, *, graph: bool
    ) -> "TailLosses":
        """The errors of `parts`; without a graph if no gradient will be needed."""
        leaves = before.leaves()
        with torch.set_grad_enabled(graph):
            maps = tail.maps(dict(zip(before.layers, leaves, strict=True)))
            errors = tuple((part, part.error(maps)) for part in parts)
        return cls(before, leaves, errors)

    def pullback(self, weights: Mapping[str, Tensor]) -> AssembledMaps:
        """The assembled maps with the gradient of the weighted errors; the graph is dropped."""
        total = torch.stack([error * weights[part.term] for part, error in self.by_part]).sum()
        self.before.cotangents = torch.autograd.grad(total, self.leaves)
        self.by_part = ()
        return self.before
