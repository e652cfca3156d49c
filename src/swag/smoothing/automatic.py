"""Parameters derived from the activations of the style picture at a layer: the meaning of `auto`.

The temperature of a softmax is the smallest at which smoothing does not make the layer peakier.
Peakiness, which the paper blames ("outlier sensitivity of L2"), is the share of the sum of squares
that the largest hundredth of the entries holds. A softmax at a low temperature raises this share
above that of the activations themselves (it sharpens), one at a high temperature lowers it to a
hundredth (it is constant), and in between it falls strictly, so one temperature keeps it.

For activations of ordinary tails this is 2 to 4 standard deviations of the layer (2.1 for normal
ones, 2.6 rectified, 3.3 for exponential ones, 2.6 to 2.8 in an untrained ResNet-50); for heavy
tails or a few outliers, for which any such multiple leaves a single entry alive, it follows them
(15 for a log-normal of sigma 2, 67 for one entry at 1000 among 262,144 rectified normal ones).
Considered and dropped: the temperature that keeps the Shannon entropy of F / sum F. It is lower
(1.1 standard deviations for rectified normal activations) and leaves 77 % of the squares to the
largest hundredth, which had 14 % before: entropy hardly depends on the few that dominate L2.
Twice the activations give twice the temperature; negative activations count by their size.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from swag.errors import SettingsError
from swag.smoothing.functions import Domain
from swag.types import FeatureMap

LARGEST = 0.01
"""The fraction of entries whose share of the sum of squares says how peaky a layer is."""

PRECISION = 1e-3
"""Relative precision of the temperature; its effect is far below what is visible."""

HIGHEST = 1024.0
"""In standard deviations: a temperature at which any layer is as good as constant."""


def temperature(features: FeatureMap, domain: Domain) -> float:
    """The smallest temperature at which a softmax is no peakier than the activations.

    Never below (max - min) / log n, where one entry begins to outweigh all others together; only
    layers with less than a hundredth of their entries active come near that. 1.0 for a layer that
    is constant. Raises SettingsError if activations are not finite.
    """
    highest = deviation(features) * HIGHEST
    rows = _rows(features, domain)
    spread = (rows.amax(1) - rows.amin(1)).mean().item()
    if spread == 0.0:
        return 1.0
    lowest = spread / math.log(rows.shape[1])
    allowed = _share(rows.square(), _largest(rows.abs()).square())
    rows = rows - rows.amax(1, keepdim=True)
    largest = _largest(rows)

    def no_peakier(temperature: float) -> bool:
        return _share(_squares(rows, temperature), _squares(largest, temperature)) <= allowed

    return _smallest(no_peakier, lowest, highest)


def deviation(features: FeatureMap) -> float:
    """The standard deviation of all entries, a scale that separates small from large ones.

    1.0 for a layer that is constant. Raises SettingsError if activations are not finite.
    """
    values = _in_float64(features)
    value = values.std(correction=0).item()
    if not math.isfinite(value):
        raise SettingsError(
            "auto cannot be derived from activations that are not all finite; give a number."
        )
    return value if (values.amax() > values.amin()).item() else 1.0


def _smallest(holds: Callable[[float], bool], low: float, high: float) -> float:
    """The smallest number in [low, high] for which a condition holds; above it, it holds, too."""
    if low >= high or holds(low):
        return low
    while high > low * (1 + PRECISION):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _share(squares: Float[Tensor, "r n"], largest: Float[Tensor, "r k"]) -> float:
    """Share of each row's sum of squares that its largest ones hold, averaged over rows.

    A row of zeros has no share of its own: it counts as flat.
    """
    shares = largest.sum(1) / squares.sum(1)
    return shares.nan_to_num(largest.shape[1] / squares.shape[1]).mean().item()


def _squares(rows: Float[Tensor, "r n"], temperature: float) -> Float[Tensor, "r n"]:
    """Squares of a softmax, up to a factor; the largest entry of a row is given as 0."""
    return (rows * (2 / temperature)).exp()


def _largest(rows: Float[Tensor, "r n"]) -> Float[Tensor, "r k"]:
    """The largest hundredth of each row, at least one entry."""
    return rows.topk(math.ceil(LARGEST * rows.shape[1]), dim=1).values


def _rows(features: FeatureMap, domain: Domain) -> Float[Tensor, "r n"]:
    """The activations in float64, a row for each softmax that the domain stands for."""
    values = _in_float64(features).flatten(2)  # b d m
    if domain == "layer":
        return values.flatten(1)
    return values.flatten(0, 1) if domain == "positions" else values.mT.flatten(0, 1)


def _in_float64(features: FeatureMap) -> FeatureMap:
    """The activations in float64, on a device that has it."""
    device = "cpu" if features.device.type == "mps" else features.device
    return features.detach().to(device, torch.float64)
