"""How a picture is cut: tiles that share no position, and crops that overlap."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise, product

from swag.tiling.receptive_field import AxisField, ReceptiveField

Rectangle = tuple[slice, slice]
"""Rows and columns."""

TileIndex = tuple[slice, slice, slice, slice]
"""An index of a batch: all pictures, all channels, rows, columns."""


@dataclass(frozen=True)
class TileSpan:
    """A tile along one side: pixels of the crop, and positions of each layer."""

    crop: slice
    in_map: Mapping[str, slice]
    """Positions of the whole map that belong to the tile."""
    in_crop: Mapping[str, slice]
    """The same positions in the map of the crop."""


@dataclass(frozen=True)
class Tile:
    """A piece of a picture; everything indexes batches (b, c, h, w)."""

    down: TileSpan
    across: TileSpan

    @property
    def crop(self) -> TileIndex:
        """The pixels that the tile's positions see."""
        return (slice(None), slice(None), self.down.crop, self.across.crop)

    def in_map(self, layer: str) -> TileIndex:
        """The tile's positions in the map of the whole picture."""
        return (slice(None), slice(None), self.down.in_map[layer], self.across.in_map[layer])

    def in_crop(self, layer: str) -> TileIndex:
        """The same positions in the map of the crop."""
        return (slice(None), slice(None), self.down.in_crop[layer], self.across.in_crop[layer])


def tile_grid(receptive_field: ReceptiveField, size: tuple[int, int], side: int) -> Iterator[Tile]:
    """The tiles of a picture, alike in size, of about `side` pixels without their halo."""
    spans = [_spans(receptive_field, axis, length, side) for axis, length in enumerate(size)]
    for down, across in product(*spans):
        yield Tile(down, across)


def _spans(receptive_field: ReceptiveField, axis: int, length: int, side: int) -> list[TileSpan]:
    step, halo = receptive_field.step(axis), receptive_field.halo(axis)
    fields = {layer: pair[axis] for layer, pair in receptive_field.layers.items()}
    count = max(1, round(length / max(side, step)))
    cuts = [length * i // count // step * step for i in range(count)]
    cuts = [*dict.fromkeys(cuts), length]
    return [_span(fields, step, halo, length, bounds=bounds) for bounds in pairwise(cuts)]


def _span(
    fields: Mapping[str, AxisField],
    step: int,
    halo: tuple[int, int],
    length: int,
    bounds: tuple[int, int],
) -> TileSpan:
    begin = max(0, (bounds[0] - halo[0]) // step * step)
    end = -(-(bounds[1] + halo[1]) // step) * step
    is_last = bounds[1] == length
    in_map, in_crop = {}, {}
    for layer, field in fields.items():
        # The last tile has all positions that are left, however the layer rounds.
        first, stop = bounds[0] // field.stride, None if is_last else bounds[1] // field.stride
        offset = begin // field.stride
        in_map[layer] = slice(first, stop)
        in_crop[layer] = slice(first - offset, None if stop is None else stop - offset)
    return TileSpan(slice(begin, length if is_last else min(end, length)), in_map, in_crop)
