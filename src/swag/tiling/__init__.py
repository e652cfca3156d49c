"""Tiles: a picture is read piece by piece, with the loss and gradient of the whole picture.

    field = measure_receptive_field(with_pixels(extract), layers, like=picture)    found by trial
    objective = TiledObjective.of(field, 1024, terms, start=photo, style=painting)
    objective(picture)                                 as `Objective`, in the memory of one tile

Every position of every layer belongs to one tile, whose crop holds all pixels that it sees.
So its activation is that of the whole picture, and the gradients of all tiles with respect to
their crops, added up where the crops overlap, are the gradient of the whole: with a halo as wide
as a layer sees to one side. Galerne et al., "Scaling painting style transfer", CGF 2024, keep the
middle of each tile's gradient instead, which takes a halo twice as wide.
"""

from swag.tiling.memory_estimate import (
    ample_side,
    bytes_per_pixel,
    explain_out_of_memory,
    free_memory,
    is_out_of_memory,
    largest_side,
)
from swag.tiling.network_tail import NetworkTail
from swag.tiling.receptive_field import ReceptiveField, measure_receptive_field
from swag.tiling.split_network import SplitNetwork, extract_in, splits_of
from swag.tiling.tiled_objective import TiledObjective
from swag.tiling.tiles import Tile, TileIndex, tile_grid

__all__ = [
    "NetworkTail",
    "ReceptiveField",
    "SplitNetwork",
    "Tile",
    "TileIndex",
    "TiledObjective",
    "ample_side",
    "bytes_per_pixel",
    "explain_out_of_memory",
    "extract_in",
    "free_memory",
    "is_out_of_memory",
    "largest_side",
    "measure_receptive_field",
    "splits_of",
    "tile_grid",
]
