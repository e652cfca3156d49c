"""Sliced Wasserstein: the distribution of positions, projected onto many directions.

Heitz, Vanhoey, Chambon and Belcour, "A sliced Wasserstein loss for neural texture synthesis",
CVPR 2021; the distance is that of Rabin, Peyre, Delon and Bernot, "Wasserstein barycenter and its
application to texture mixing", SSVM 2011. Unlike Gram matrices it compares all moments along the
directions, not the second alone: it is 0 only for equal projections.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from swag.errors import SettingsError
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

Directions = Float[Tensor, "k d"]
"""Vectors of length 1, one in each row."""

combine_targets = pool_quantiles
"""Several pictures as one that has the positions of all."""


def random_directions(d: int, count: int, seed: int = 0) -> Directions:
    """`count` directions, uniform on the sphere in d dimensions, float64 on the CPU.

    The same for the same arguments, on every device. Raises SettingsError unless d and count are at
    least 1.
    """
    if d < 1 or count < 1:
        raise SettingsError(
            f"{count} directions in {d} dimensions: both must be at least 1; "
            "give directions=0 for as many directions as channels."
        )
    source = torch.Generator().manual_seed(seed % 2**63)
    vectors = torch.randn(count, d, generator=source, dtype=torch.float64, device="cpu")
    return torch.nn.functional.normalize(vectors, dim=1)


@in_full_precision
def describe_along(
    features: FeatureMap, directions: Directions, mask: Mask | None = None
) -> Quantiles:
    """Quantile functions of the positions projected onto each direction; `mask` weights them."""
    projections = directions.to(features) @ features.flatten(2)  # b k m
    return quantiles(projections, None if mask is None else normalized_weights(mask))


@in_full_precision
def describe(
    features: FeatureMap, mask: Mask | None = None, *, directions: int = 0, seed: int = 0
) -> Quantiles:
    """`describe_along` random directions, by default as many as channels, as in the paper.

    Departure: the paper draws new directions at each step. Here they are those of `seed`, the
    same for target and picture, so that the loss is one function, as L-BFGS needs.
    Raises SettingsError for a negative number of directions.
    """
    d = features.shape[1]
    return describe_along(features, random_directions(d, directions or d, seed), mask)


@in_full_precision
def compare(a: Quantiles, b: Quantiles) -> PerImage:
    """Squared Wasserstein-2 distance along a direction, averaged over directions: at least 0.

    Pictures of different sizes are compared exactly. Departure: the paper repeats the positions of
    the smaller one, which is the same if its size divides the other's.
    """
    return squared_distances(a, b).mean(1)


@in_full_precision
def target_norm(description: Quantiles) -> PerImage:
    """The error of an empty picture: the mean square along a direction."""
    return mean_magnitude(description)
