"""Covariance matrices: Gram matrices of the channels with their mean removed.

The Gram matrix and the mean of a layer together give the covariance; alone it is blind to the mean
color of a channel and keeps more of the structure of a style. Compare Li, Wang, Liu and Hou,
"Demystifying neural style transfer", IJCAI 2017, and Li et al., "Universal style transfer via
feature transforms", NIPS 2017, whose whitening and coloring match it.
"""

from jaxtyping import Float
from torch import Tensor

from swag.losses import gram
from swag.losses.precision import in_full_precision
from swag.losses.products import products_about_mean
from swag.losses.streaming import Center, Means, StreamingStatistics, added
from swag.losses.weighting import weighted_mean
from swag.types import FeatureMap, GramMatrix, Mask, PerImage


@in_full_precision
def describe(features: FeatureMap, mask: Mask | None = None) -> GramMatrix:
    """Products of the channels about their means, averaged over positions (divided by M).

    With `mask` both the mean and the average are weighted.
    """
    return with_mean(features, mask)[1]


@in_full_precision
def with_mean(
    features: FeatureMap, mask: Mask | None = None
) -> tuple[Float[Tensor, "b d"], GramMatrix]:
    """The mean of each channel, and `describe`."""
    if mask is None:
        return products_about_mean(features)
    mean = weighted_mean(features, mask)
    return mean.flatten(1), gram.describe(features - mean, mask)


@in_full_precision
def compare(a: GramMatrix, b: GramMatrix) -> PerImage:
    """Sum of squared differences of two covariance matrices, at least 0."""
    return gram.compare(a, b)


@in_full_precision
def add(features: FeatureMap, normalized_weights: float | Mask, center: Center | None) -> Means:
    """What a part of a map adds to the means about a center and to the products about it."""
    if center is not None:
        features = features - center[:, :, None, None]
    return added(features, normalized_weights), *gram.add(features, normalized_weights, None)


def about_mean(means: Means) -> GramMatrix:
    """The products about the mean from those about any center."""
    offset, products = means
    covariance: GramMatrix = products - offset[:, :, None] * offset[:, None, :]
    return covariance


def compute(means: Means, center: Center) -> GramMatrix:
    """The description from the means about a center; see `swag.losses.streaming`."""
    return about_mean(means)


STREAMING = StreamingStatistics(add, compute, homogeneity=(1, 2), centered=True)


paper_factor, released_factor = gram.paper_factor, gram.released_factor
"""Those of the Gram matrix, which covariances replace; paper and script have none."""
