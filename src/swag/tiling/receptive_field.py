"""The receptive field of each layer, measured: a NaN pixel spreads to all positions that see it."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from math import lcm, nan

import torch
from torch import Tensor

from swag.errors import SettingsError
from swag.types import Extract, OwnImage

LENGTHS = (256, 512, 1024, 2048, 4096)
"""Lengths of the trial pictures, tried until both ends of one are out of each other's sight."""

NARROW = 96
"""Their other side; the smallest that every network in use takes."""


@dataclass(frozen=True)
class AxisField:
    """Along one side of a picture: pixels per position, and how far a position sees.

    For cuts at multiples of the strides of all layers: positions from i on do not depend on
    pixels before i * stride - `before`; those below i do not on pixels from i * stride + `after`.
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
        """The same receptive field with one more layer: the pixels themselves."""
        itself = AxisField(1, 0, 0)
        return replace(self, layers={**self.layers, pixels: (itself, itself)})

    def step(self, axis: int) -> int:
        """Pixels between places where a picture can be cut: the least common stride."""
        return lcm(*(pair[axis].stride for pair in self.layers.values()))

    def halo(self, axis: int) -> tuple[int, int]:
        """Pixels that a crop needs before and after the positions of a tile."""
        fields = [pair[axis] for pair in self.layers.values()]
        return max(field.before for field in fields), max(field.after for field in fields)

    def sizes(self, like: OwnImage) -> dict[str, torch.Size]:
        """The shapes of the maps of a picture of `like`'s size, by a pass over a smaller one."""
        steps = self.step(0), self.step(1)
        spare = [_spare(side, step) for side, step in zip(like.shape[-2:], steps, strict=True)]
        crop = like.new_zeros(1, 3, *(like.shape[2 + i] - spare[i] for i in (0, 1)))
        with torch.no_grad():
            maps = self.extract(crop, list(self.layers))
        shapes = {}
        for layer, pair in self.layers.items():
            b, d, *sides = maps[layer].shape
            extra = (spare[i] // pair[i].stride for i in (0, 1))
            shapes[layer] = torch.Size((b, d, *map(sum, zip(sides, extra, strict=True))))
        return shapes


def measure_receptive_field(
    extract: Extract, layers: Sequence[str], like: OwnImage
) -> ReceptiveField:
    """How far layers see: half of a trial picture is NaN, and positions that stay numbers count.

    `like` is any picture, for its precision and device.

    Raises:
        SettingsError: a layer sees the whole picture, or its stride does not divide 256.
    """
    down = _axis_fields(extract, layers, like, axis=0)
    across = _axis_fields(extract, layers, like, axis=1)
    return ReceptiveField(extract, {layer: (down[layer], across[layer]) for layer in layers})


def _axis_fields(
    extract: Extract, layers: Sequence[str], like: Tensor, *, axis: int
) -> dict[str, AxisField]:
    strides = _strides(extract, layers, like, axis)
    fields: dict[str, AxisField] = {}
    for length in LENGTHS:
        half = length // 2
        nan_late = _has_nan(extract, layers, like, axis, length=length, nans=slice(half, None))
        nan_early = _has_nan(extract, layers, like, axis, length=length, nans=slice(0, half))
        for layer, stride in strides.items():
            first, last = int(nan_late[layer].nonzero()[0]), int(nan_early[layer].nonzero()[-1])
            if first > 0 and last + 1 < len(nan_early[layer]):
                before, after = (last + 1) * stride - half, half - first * stride
                fields.setdefault(layer, AxisField(stride, max(0, before), max(0, after)))
        if len(fields) == len(layers):
            return fields
    raise _too_large(next(layer for layer in layers if layer not in fields))


def _strides(extract: Extract, layers: Sequence[str], like: Tensor, axis: int) -> dict[str, int]:
    """Pixels per position: from how much longer maps are for a picture of 256 pixels more."""
    short, long = (
        _has_nan(extract, layers, like, axis, length=length, nans=slice(0, 0))
        for length in LENGTHS[:2]
    )
    growth = {layer: len(long[layer]) - len(short[layer]) for layer in layers}
    for layer, positions in growth.items():
        if positions < 1 or LENGTHS[0] % positions:
            raise _too_large(layer)
    return {layer: LENGTHS[0] // positions for layer, positions in growth.items()}


@torch.no_grad()
def _has_nan(
    extract: Extract, layers: Sequence[str], like: Tensor, axis: int, length: int, nans: slice
) -> dict[str, Tensor]:
    """For each row (or column) of each map, whether it has a NaN if the pixels `nans` are NaN."""
    shape = (1, 3, length, NARROW) if axis == 0 else (1, 3, NARROW, length)
    picture = like.new_zeros(shape)
    picture.movedim(2 + axis, 0)[nans] = nan
    with _plain_convolutions(like.device):
        maps = extract(picture, layers)
    return {layer: maps[layer].isnan().movedim(2 + axis, 0).flatten(1).any(1) for layer in layers}


def _plain_convolutions(device: torch.device) -> AbstractContextManager[object]:
    """Switch off cuDNN, whose algorithms can let one pixel touch all results of a convolution."""
    if device.type != "cuda":
        return nullcontext()
    return torch.backends.cudnn.flags(enabled=False)


def _spare(side: int, step: int) -> int:
    """Pixels, whole steps, that can be taken off a side so that at least `NARROW` remain."""
    return max(0, (side - NARROW) // step * step)


def _too_large(layer: str) -> SettingsError:
    return SettingsError(
        f"{layer} sees the whole picture, or more than {LENGTHS[-1] // 2} pixels to one side, so "
        "it cannot be computed in tiles; use tile = 0, a smaller size, or other layers"
    )
