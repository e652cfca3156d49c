"""Mean and standard deviation of each channel.

Li, Wang, Liu and Hou, "Demystifying neural style transfer", IJCAI 2017 (there: batch normalization
statistics matching); Huang and Belongie, "Arbitrary style transfer in real-time with adaptive
instance normalization", ICCV 2017, match the same two.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from swag.errors import SettingsError
from swag.losses.precision import in_full_precision
from swag.losses.streaming import Center, Means, StreamingStatistics, added
from swag.losses.weighting import weighted_mean
from swag.types import FeatureMap, Mask, PerImage

Moments = tuple[Float[Tensor, "b d"], Float[Tensor, "b d"]]
"""Mean and standard deviation of each channel."""

SMALLEST_DEVIATION = 1e-5
"""Its square is added to the variance, itself taken off the root, which bounds the root's slope."""


@in_full_precision
def describe(features: FeatureMap, mask: Mask | None = None) -> Moments:
    """Mean and standard deviation of each channel over positions (divided by M, not M - 1).

    With `mask` both are weighted.

    Departure: the deviation is sqrt(variance + e^2) - e with e = 1e-5, at most 1e-5 too small, so
    that a constant channel has deviation 0 and a finite gradient.
    """
    if mask is None:
        variance, mean = torch.var_mean(features, (2, 3), correction=0)
    else:
        center = weighted_mean(features, mask)
        mean = center.flatten(1)
        variance = weighted_mean((features - center).square(), mask).flatten(1)
    return mean, _deviation(variance)


@in_full_precision
def compare(a: Moments, b: Moments) -> PerImage:
    """Sum of squared differences of means and of standard deviations, at least 0."""
    return (a[0] - b[0]).square().sum(1) + (a[1] - b[1]).square().sum(1)


@in_full_precision
def add(features: FeatureMap, normalized_weights: float | Mask, center: Center | None) -> Means:
    """What a part of a map adds to the means about a center and to those of squares."""
    if center is not None:
        features = features - center[:, :, None, None]
    return added(features, normalized_weights), added(features.square(), normalized_weights)


def compute(means: Means, center: Center) -> Moments:
    """The description from the means about a center; see `swag.losses.streaming`."""
    offset, squares = means
    return center + offset, _deviation((squares - offset.square()).clamp(min=0))


STREAMING = StreamingStatistics(add, compute, homogeneity=(1, 2), centered=True)


def _deviation(variance: Float[Tensor, "b d"]) -> Float[Tensor, "b d"]:
    return (variance + SMALLEST_DEVIATION**2).sqrt() - SMALLEST_DEVIATION


def paper_factor(d: int, m: int, unit: float) -> float:
    """1 / D on unit * F, as Li et al. weight this loss; the paper has no such term."""
    return unit**2 / d


def released_factor(d: int, m: int) -> float:
    """Raise SettingsError: the authors' script has no such loss."""
    raise SettingsError(
        "the released script has no loss like moments; choose gram or covariance, "
        "or a normalization other than the released one."
    )
