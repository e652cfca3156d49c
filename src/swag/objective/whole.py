"""Whole maps put together from tiles: for losses that need all positions of a layer at once."""

from dataclasses import dataclass

import torch
from torch import Tensor

from swag.losses import Description
from swag.losses.sums import Means
from swag.objective.view import View
from swag.tiles import Tile
from swag.types import FeatureMaps, OwnWhere


@dataclass
class Assembled:
    """The maps of some layers, of the sizes `shapes`; the network itself is run in tiles.

    A map is small beside what a network keeps of a picture for its way back. `pulls` are the
    gradient of a loss with respect to the maps, set once that is known.
    """

    layers: tuple[str, ...]
    shapes: dict[str, torch.Size]
    pulls: Means = ()
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

    def pull(self, maps: FeatureMaps, tile: Tile) -> Tensor:
        """A number whose gradient is that of the loss with respect to the maps of a tile."""
        products = [
            (maps[layer] * pull[tile.own(layer)]).sum()
            for layer, pull in zip(self.layers, self.pulls, strict=True)
        ]
        return torch.stack(products).sum()


class Whole(Assembled):
    """The maps that a view sees."""

    def __init__(
        self, view: View, shapes: dict[str, torch.Size], where: OwnWhere | None = None
    ) -> None:
        super().__init__(view.layers, shapes)
        self.view = view
        self.where = where

    def description(self, leaves: Means) -> Description:
        """What the loss keeps of the maps."""
        return self.view.describe(dict(zip(self.layers, leaves, strict=True)), self.where)
