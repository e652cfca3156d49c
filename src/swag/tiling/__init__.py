"""Tiles: a picture piece by piece, so that its gradient is that of the whole.

    field = measure_receptive_field(extract, layers, like=picture)    found by trial
    for tile in grid(field, (rows, columns), side=1024):
        maps = extract(picture[tile.crop], layers)
        maps[layer][tile.inner(layer)]                 positions that belong to this tile alone

Every position of every layer belongs to one tile, whose crop holds all that this position sees.
So its activation is that of the whole picture, and the gradients of all tiles with respect to
their crops, added up where the crops overlap, are the gradient of the whole: with a halo as wide
as a layer sees to one side. Galerne et al., "Scaling painting style transfer", CGF 2024, keep the
middle of each tile's gradient instead, which takes a halo twice as wide.
"""

from swag.tiling.memory_estimate import (
    ample_side,
    bytes_per_pixel,
    free_memory,
    is_out_of_memory,
    largest_side,
)
from swag.tiling.receptive_field import ReceptiveField, measure_receptive_field
from swag.tiling.replicas import Replica, in_order
from swag.tiling.tiles import Tile, TileIndex, grid

__all__ = [
    "ReceptiveField",
    "Replica",
    "Tile",
    "TileIndex",
    "ample_side",
    "bytes_per_pixel",
    "free_memory",
    "grid",
    "in_order",
    "is_out_of_memory",
    "largest_side",
    "measure_receptive_field",
]
