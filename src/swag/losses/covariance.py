"""Covariance matrices: Gram matrices of the channels with their mean removed.

The Gram matrix and the mean of a layer together give the covariance; alone it is blind to the mean
colour of a channel and keeps more of the structure of a style. Compare Li, Wang, Liu and Hou,
"Demystifying neural style transfer", IJCAI 2017, and Li et al., "Universal style transfer via
feature transforms", NIPS 2017, whose whitening and colouring match it.
"""

from swag.losses import gram
from swag.losses.precision import in_full_precision
from swag.losses.weighting import weighted_mean
from swag.shapes import FeatureMap, GramMatrix, PerImage, Where


@in_full_precision
def describe(features: FeatureMap, where: Where | None = None) -> GramMatrix:
    """Products of the channels about their means, averaged over positions (divided by M).

    With `where` both the mean and the average are weighted.
    """
    return gram.describe(features - weighted_mean(features, where), where)


@in_full_precision
def compare(a: GramMatrix, b: GramMatrix) -> PerImage:
    """Sum of squared differences of two covariance matrices, at least 0."""
    return gram.compare(a, b)


def poster_factor(d: int, m: int, unit: float) -> float:
    """As for the Gram matrix, whose place it takes; the poster has no covariance."""
    return gram.poster_factor(d, m, unit)


def released_factor(d: int, m: int) -> float:
    """As for the Gram matrix, whose place it takes; the authors' script has no covariance."""
    return gram.released_factor(d, m)
