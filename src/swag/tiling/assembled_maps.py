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

    A map is small beside what a network keeps of a picture for its backward pass. `cotangents` are
    the gradient of a loss with respect to the maps, set once it is known.
    """

    layers: tuple[str, ...]
    shapes: dict[str, torch.Size]
    cotangents: Means = ()
    maps: FeatureMaps | None = None

    @torch.no_grad()
    def add(self, maps: FeatureMaps, tile: Tile) -> None:
        """Copy the positions of a tile to their place in the whole maps."""
        if self.maps is None:
            self.maps = {layer: maps[layer].new_zeros(self.shapes[layer]) for layer in self.layers}
        for layer, whole_map in self.maps.items():
            whole_map[tile.in_map(layer)] = maps[layer]

    def leaves(self) -> Means:
        """The whole maps, as leaves of a graph."""
        assert self.maps is not None
        return tuple(whole_map.detach().requires_grad_() for whole_map in self.maps.values())

    def pullback(self, maps: FeatureMaps, tile: Tile) -> Tensor:
        """A scalar whose gradient with respect to a tile's maps is that of the loss."""
        products = [
            (maps[layer] * cotangent[tile.in_map(layer)]).sum()
            for layer, cotangent in zip(self.layers, self.cotangents, strict=True)
        ]
        return torch.stack(products).sum()


class AssembledDescription(AssembledMaps):
    """The whole maps of a view's layers, for its description."""

    def __init__(
        self, view: LayerView, shapes: dict[str, torch.Size], mask: OwnMask | None = None
    ) -> None:
        super().__init__(view.layers, shapes)
        self.view = view
        self.mask = mask

    def description(self, leaves: Means) -> Description:
        """The description of the maps `leaves` that the view's loss compares."""
        return self.view.describe(dict(zip(self.layers, leaves, strict=True)), self.mask)
