"""Histograms: the distribution of each channel by itself.

Risser, Wilmot and Barnes, "Stable and controllable neural texture synthesis and style transfer
using histogram losses", 2017 (arXiv 1701.08893).

The paper remaps the activations O of a channel so that their histogram is that of the target S,
R = S^-1(rank of O), and takes |O - R|^2, with R held constant. Matching keeps the order: the
i-th smallest activation becomes the i-th smallest of the target. For pictures of one size

    |O - R|^2 = sum over i of (i-th smallest of O - i-th smallest of S)^2,

the squared difference of the quantile functions, which needs no remapping. Nor does it matter
that R is held constant: while the order of O stays, R does not depend on O.
It is the sliced Wasserstein loss along the axes: one direction for each channel.
"""

from swag.losses.precision import in_full_precision
from swag.losses.quantiles import (
    Quantiles,
    mean_magnitude,
    pool_quantiles,
    quantiles,
    squared_distances,
)
from swag.losses.weighting import normalized_weights
from swag.types import FeatureMap, Mask, PerImage

combine_targets = pool_quantiles
"""Several pictures as one that has the positions of all."""


@in_full_precision
def describe(features: FeatureMap, mask: Mask | None = None) -> Quantiles:
    """The quantile function of each channel; `mask` weighs positions.

    Departure: the paper has histograms of 256 bins; the sorted activations have no bins.
    """
    return quantiles(features.flatten(2), None if mask is None else normalized_weights(mask))


@in_full_precision
def compare(a: Quantiles, b: Quantiles) -> PerImage:
    """Mean squared distance of positions from those remapped to the target's histograms: >= 0.

    Summed over channels. Departure: the paper sums over positions; a mean lets pictures of
    different sizes be compared, which is exact here.
    """
    return squared_distances(a, b).sum(1)


@in_full_precision
def target_norm(description: Quantiles) -> PerImage:
    """The error of an empty picture: the sum of the mean squares of the channels."""
    return mean_magnitude(description) * description[0].shape[1]
