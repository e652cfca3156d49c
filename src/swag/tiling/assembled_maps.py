"""Whole maps put together from tiles: for losses that need all positions of a layer at once."""

from dataclasses import dataclass

import torch
from torch import Tensor

from swag.losses import Description
from swag.losses.streaming import Means
from swag.objective.layer_loss import LayerView
from swag.tiling.tiles import Tile
from swag.types import FeatureMaps, OwnMask


@dataclass
class AssembledMaps:
    """The maps of some layers, of the sizes `shapes`; the network itself is run in tiles.

    A map is small beside what a network keeps of a picture for its way back. `cotangents` are the
    gradient of a loss with respect to the maps, set once that is known.
    """

    layers: tuple[str, ...]
    shapes: dict[str, torch.Size]
    cotangents: Means = ()
    maps: FeatureMaps | None = None

    @torch.no_grad()
    def add(self, maps: FeatureMaps, tile: Tile) -> None:
        """Put the positions of a tile in their place."""
        if self.maps is None:
            self.maps = {layer: maps[layer].new_zeros(self.shapes[layer]) for layer in self.layers}
        for layer, whole in self.maps.items():
            whole[tile.own(layer)] = maps[layer]

    def leaves(self) -> Means:
        """The maps as leaves of a graph."""
        assert self.maps is not None
        return tuple(whole.detach().requires_grad_() for whole in self.maps.values())

    def pullback(self, maps: FeatureMaps, tile: Tile) -> Tensor:
        """A number whose gradient is that of the loss with respect to the maps of a tile."""
        products = [
            (maps[layer] * cotangent[tile.own(layer)]).sum()
            for layer, cotangent in zip(self.layers, self.cotangents, strict=True)
        ]
        return torch.stack(products).sum()


class AssembledDescription(AssembledMaps):
    """The maps that a view sees."""

    def __init__(
        self, view: LayerView, shapes: dict[str, torch.Size], mask: OwnMask | None = None
    ) -> None:
        super().__init__(view.layers, shapes)
        self.view = view
        self.mask = mask

    def description(self, leaves: Means) -> Description:
        """What the loss keeps of the maps."""
        return self.view.describe(dict(zip(self.layers, leaves, strict=True)), self.mask)
