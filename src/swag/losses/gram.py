"""Gram matrices: which channels are active together, wherever that is.

Gatys, Ecker and Bethge, "Image style transfer using convolutional neural networks", CVPR 2016.
"""

from swag.losses.precision import in_full_precision
from swag.losses.products import products
from swag.losses.streaming import Center, Means, StreamingStatistics
from swag.losses.weighting import scaled_positions
from swag.types import FeatureMap, GramMatrix, Mask, PerImage


@in_full_precision
def describe(features: FeatureMap, mask: Mask | None = None) -> GramMatrix:
    """Products of the channels, averaged over positions: F F^T / M.

    With `mask` the average is weighted: the guided Gram matrix of Gatys et al., CVPR 2017.

    Departure: the paper sums over positions and divides in the loss. Divided here, the matrices
    of pictures of different sizes can be compared.
    """
    if mask is None:
        return products(features)
    scaled = scaled_positions(features, mask)  # b d m
    weighted: GramMatrix = scaled @ scaled.mT
    return weighted


@in_full_precision
def compare(a: GramMatrix, b: GramMatrix) -> PerImage:
    """Sum of squared differences of two Gram matrices, at least 0."""
    return (a - b).square().sum((1, 2))


@in_full_precision
def add(features: FeatureMap, normalized_weights: float | Mask, center: Center | None) -> Means:
    """What a part of a map adds to the products of channels; see `swag.losses.streaming`."""
    positions = features.shape[2] * features.shape[3]
    if isinstance(normalized_weights, float):
        return (describe(features) * (positions * normalized_weights),)
    return (describe(features * normalized_weights.sqrt()) * positions,)


def compute(means: Means, center: Center) -> GramMatrix:
    """The description from the means; see `swag.losses.streaming`."""
    return means[0]


STREAMING = StreamingStatistics(add, compute, homogeneity=(2,), centered=False)


def paper_factor(d: int, m: int, unit: float) -> float:
    """The paper's 1 / (4 D^2 M^2) ||G - G*||^2 on unit * F, G = F F^T, divided by `compare`.

    Our G is divided by M, which takes M^2 out of the denominator. The paper has one M for both
    pictures; for pictures of different sizes this is the natural extension.
    """
    return unit**4 / (4 * d**2)


def released_factor(d: int, m: int) -> float:
    """The script's mean over D * D entries, with G = F F^T / (D M), divided by `compare`."""
    return 1 / d**4
