"""Descriptions that are functions of means over positions: they are computed part by part.

A part of a map adds its share to each mean, and the description is a function of the means. So
neither it nor its gradient needs the whole map at once, whatever `compute` does with the means.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from swag.types import FeatureMap, Mask

Means = tuple[Tensor, ...]
"""Each (b, d) or (b, d, d)."""

Center = Float[Tensor, "b d"]


@dataclass(frozen=True)
class StreamingStatistics:
    """How to compute a description from means over positions of channels and their products.

    Any `center` gives the same description; one near the mean of each channel keeps differences
    of large numbers out of float32.
    """

    add: Callable[[FeatureMap, float | Mask, Center | None], Means]
    """(part, normalized weights, center) -> what the part adds to each mean. Weights, one for all
    positions or one for each, add up to one over all parts."""
    compute: Callable[[Means, Center], Any]
    """(means, center) -> the description."""
    homogeneity: tuple[int, ...]
    """For each mean the power of c by which it grows if map and center are multiplied by c."""
    centered: bool
    """Whether a center is of use."""


def added(features: FeatureMap, normalized_weights: float | Mask) -> Float[Tensor, "b d"]:
    """The sum over positions, each multiplied by its normalized weight."""
    if isinstance(normalized_weights, float):
        return features.sum((2, 3)) * normalized_weights
    return (features * normalized_weights).sum((2, 3))
