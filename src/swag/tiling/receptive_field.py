"""How far a position of each layer sees, found by trial: what is not a number spreads."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from math import lcm, nan

import torch
from torch import Tensor

from swag.errors import SettingsError
from swag.types import Extract, OwnImage

LENGTHS = (256, 512, 1024, 2048, 4096)
"""Sides of the trial pictures, until both ends of one are out of each other's sight."""

NARROW = 96
"""Their other side; the smallest that every network in use takes."""


@dataclass(frozen=True)
class AxisField:
    """Along one side of a picture: pixels to a position, and how far a position sees.

    For cuts at multiples of the strides of all layers: positions from i on do not depend on
    pixels before i * stride - `before`, those below i not on pixels from i * stride + `after`.
    """

    stride: int
    before: int
    after: int


@dataclass(frozen=True)
class ReceptiveField:
    """How far each layer of a network sees, down and across."""

    extract: Extract
    layers: Mapping[str, tuple[AxisField, AxisField]]

    def with_layer(self, pixels: str) -> "ReceptiveField":
        """The same with one more layer, that of the pixels themselves."""
        itself = AxisField(1, 0, 0)
        return replace(self, layers={**self.layers, pixels: (itself, itself)})

    def step(self, axis: int) -> int:
        """Pixels between places where a picture can be cut: the least common stride."""
        return lcm(*(sides[axis].stride for sides in self.layers.values()))

    def halo(self, axis: int) -> tuple[int, int]:
        """Pixels that a crop needs before and after the positions of a tile."""
        own = [sides[axis] for sides in self.layers.values()]
        return max(side.before for side in own), max(side.after for side in own)

    def sizes(self, like: OwnImage) -> dict[str, torch.Size]:
        """The shapes of the maps of a picture of this size, by a pass over a small part of it."""
        steps = self.step(0), self.step(1)
        cut = [_cut(side, step) for side, step in zip(like.shape[-2:], steps, strict=True)]
        part = like.new_zeros(1, 3, *(like.shape[2 + i] - cut[i] for i in (0, 1)))
        with torch.no_grad():
            maps = self.extract(part, list(self.layers))
        sizes = {}
        for layer, sides in self.layers.items():
            b, d, *part_of_map = maps[layer].shape
            left_out = (cut[i] // sides[i].stride for i in (0, 1))
            sizes[layer] = torch.Size((b, d, *map(sum, zip(part_of_map, left_out, strict=True))))
        return sizes


def measure_receptive_field(
    extract: Extract, layers: Sequence[str], like: OwnImage
) -> ReceptiveField:
    """How far layers see: half of a picture is made NaN, and what is still a number counts.

    `like` is any picture, for its precision and device.

    Raises:
        SettingsError: a layer sees the whole picture, or its stride does not divide 256.
    """
    down = _sides(extract, layers, like, axis=0)
    across = _sides(extract, layers, like, axis=1)
    return ReceptiveField(extract, {layer: (down[layer], across[layer]) for layer in layers})


def _sides(
    extract: Extract, layers: Sequence[str], like: Tensor, *, axis: int
) -> dict[str, AxisField]:
    strides = _strides(extract, layers, like, axis)
    found: dict[str, AxisField] = {}
    for length in LENGTHS:
        half = length // 2
        late = _spoilt(extract, layers, like, axis, length=length, where=slice(half, None))
        early = _spoilt(extract, layers, like, axis, length=length, where=slice(0, half))
        for layer, stride in strides.items():
            first, last = int(late[layer].nonzero()[0]), int(early[layer].nonzero()[-1])
            if first > 0 and last + 1 < len(early[layer]):
                before, after = (last + 1) * stride - half, half - first * stride
                found.setdefault(layer, AxisField(stride, max(0, before), max(0, after)))
        if len(found) == len(layers):
            return found
    raise _whole(next(layer for layer in layers if layer not in found))


def _strides(extract: Extract, layers: Sequence[str], like: Tensor, axis: int) -> dict[str, int]:
    """Pixels to a position: from how much longer maps are for a picture of 256 pixels more."""
    short, long = (
        _spoilt(extract, layers, like, axis, length=length, where=slice(0, 0))
        for length in LENGTHS[:2]
    )
    grown = {layer: len(long[layer]) - len(short[layer]) for layer in layers}
    for layer, positions in grown.items():
        if positions < 1 or LENGTHS[0] % positions:
            raise _whole(layer)
    return {layer: LENGTHS[0] // positions for layer, positions in grown.items()}


@torch.no_grad()
def _spoilt(
    extract: Extract, layers: Sequence[str], like: Tensor, axis: int, length: int, where: slice
) -> dict[str, Tensor]:
    """For each row (or column) of each map, whether any of it is NaN where part of a picture is."""
    shape = (1, 3, length, NARROW) if axis == 0 else (1, 3, NARROW, length)
    picture = like.new_zeros(shape)
    picture.movedim(2 + axis, 0)[where] = nan
    with _plain_convolutions(like.device):
        maps = extract(picture, layers)
    return {layer: maps[layer].isnan().movedim(2 + axis, 0).flatten(1).any(1) for layer in layers}


def _plain_convolutions(device: torch.device) -> AbstractContextManager[object]:
    """Without the algorithms of cuDNN that let one pixel touch all results of a convolution."""
    if device.type != "cuda":
        return nullcontext()
    return torch.backends.cudnn.flags(enabled=False)


def _cut(side: int, step: int) -> int:
    """How many whole steps can be taken off a side that is to stay large enough."""
    return max(0, (side - NARROW) // step * step)


def _whole(layer: str) -> SettingsError:
    return SettingsError(
        f"{layer} sees the whole picture, or more than {LENGTHS[-1] // 2} pixels to one side, so "
        "it cannot be computed in tiles; use tile = 0, a smaller size, or other layers"
    )
