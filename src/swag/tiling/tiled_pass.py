"""Passes over a picture in tiles, which become smaller if memory runs out."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from swag.fallbacks import Fallbacks
from swag.losses.weighting import normalized_weights
from swag.objective.layer_loss import LayerView
from swag.tiling.assembled_maps import AssembledDescription, AssembledMaps
from swag.tiling.memory_estimate import is_out_of_memory
from swag.tiling.receptive_field import ReceptiveField
from swag.tiling.streaming_description import StreamingDescription
from swag.tiling.tiles import Tile, tile_grid
from swag.types import FeatureMaps, OwnImage, OwnMask

T = TypeVar("T")


DescriptionAccumulator = StreamingDescription | AssembledDescription
"""What accumulates over the tiles of a picture for the description of one view."""

TileAccumulator = DescriptionAccumulator | AssembledMaps
"""What accumulates over the tiles of a picture."""


class TiledPass:
    """Reads pictures in tiles of `side` pixels, without their halo.

    `fallbacks` say when tiles had to be made smaller.
    """

    def __init__(
        self, receptive_field: ReceptiveField, side: int, fallbacks: Fallbacks | None = None
    ) -> None:
        self.receptive_field = receptive_field
        self.side = side
        self.fallbacks = Fallbacks() if fallbacks is None else fallbacks

    def forward(
        self,
        image: OwnImage,
        views: Sequence[tuple[LayerView, OwnMask | None]],
        assembled: tuple[str, ...] = (),
    ) -> tuple[list[DescriptionAccumulator], AssembledMaps]:
        """The accumulators of all views, and the whole maps of some layers, by one pass."""
        shapes = self.receptive_field.sizes(image)

        def accumulate() -> tuple[list[DescriptionAccumulator], AssembledMaps]:
            accumulators = [_empty(view, mask, shapes) for view, mask in views]
            whole_maps = AssembledMaps(assembled, shapes)
            for tile, maps in self.tiles(image):
                for accumulator in accumulators:
                    accumulator.add(maps, tile)
                whole_maps.add(maps, tile)
            return accumulators, whole_maps

        with torch.no_grad():
            return self._retry_smaller(accumulate)

    def gradient(self, image: OwnImage, kept: Iterable[TileAccumulator]) -> Tensor:
        """The gradient of a loss with respect to the picture, from the `cotangents` in `kept`."""

        kept = list(kept)
        layers = list(self.receptive_field.layers)

        @torch.enable_grad()
        def crop_gradient(tile: Tile) -> Tensor:
            crop = image[tile.crop].detach().requires_grad_()
            maps = self.receptive_field.extract(crop, layers)
            cotangents = _map_cotangents(kept, tile, maps)
            (gradient,) = torch.autograd.grad(
                [maps[layer] for layer in cotangents], crop, list(cotangents.values())
            )
            return gradient

        def add_crops() -> Tensor:
            gradient = torch.zeros_like(image)
            for tile in self._grid(image):
                gradient[tile.crop] += crop_gradient(tile)
            return gradient

        return self._retry_smaller(add_crops)

    def tiles(self, image: OwnImage) -> Iterator[tuple[Tile, FeatureMaps]]:
        """The tiles of a picture, each with its own positions of all layers; without a graph."""
        layers = list(self.receptive_field.layers)
        for tile in self._grid(image):
            with torch.no_grad():
                maps = self.receptive_field.extract(image[tile.crop], layers)
            yield tile, {layer: maps[layer][tile.in_crop(layer)] for layer in layers}

    def _grid(self, image: Tensor) -> Iterator[Tile]:
        return tile_grid(self.receptive_field, (image.shape[-2], image.shape[-1]), self.side)

    def _retry_smaller(self, evaluate: Callable[[], T]) -> T:
        """The result of `evaluate`, called again with tiles half as wide if memory runs out."""
        while True:
            try:
                return evaluate()
            except Exception as error:
                smallest = max(self.receptive_field.step(axis) for axis in (0, 1))
                if not is_out_of_memory(error) or self.side // 2 < smallest:
                    raise
            # Outside of the handler, which would keep the tensors of the failed pass alive.
            self.side //= 2
            self.fallbacks.note(f"memory ran out; the run goes on in tiles of {self.side} pixels")
            if torch.cuda.is_available():
                torch.cuda.empty_cache()


def _map_cotangents(kept: Iterable[TileAccumulator], tile: Tile, maps: FeatureMaps) -> FeatureMaps:
    """The gradient with respect to the maps of a crop: zero but for the tile's own positions."""
    own_maps = {
        layer: crop_map[tile.in_crop(layer)].detach().requires_grad_()
        for layer, crop_map in maps.items()
    }
    product = torch.stack([accumulator.pullback(own_maps, tile) for accumulator in kept]).sum()
    gradients = torch.autograd.grad(product, list(own_maps.values()), allow_unused=True)
    cotangents: FeatureMaps = {}
    for (layer, crop_map), gradient in zip(maps.items(), gradients, strict=True):
        if gradient is not None and gradient.shape == crop_map.shape:
            cotangents[layer] = gradient
            continue
        cotangents[layer] = torch.zeros_like(crop_map)
        if gradient is not None:
            cotangents[layer][tile.in_crop(layer)] = gradient
    return cotangents


def _empty(
    view: LayerView, mask: Tensor | None, shapes: dict[str, torch.Size]
) -> DescriptionAccumulator:
    layer = view.layers[0]
    if view.loss.streaming is None or view.loss.joint:
        return AssembledDescription(view, shapes, mask)
    if mask is None:
        return StreamingDescription(view, shapes[layer])
    rows, columns = shapes[layer][2:]
    pooled = adaptive_avg_pool2d(mask, (rows, columns))
    return StreamingDescription(
        view, shapes[layer], normalized_weights(pooled).view(1, 1, rows, columns)
    )
