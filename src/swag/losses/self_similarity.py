"""Self-similarity: positions should resemble each other as they do in the content picture.

The content loss of Kolkin, Salavon and Shakhnarovich, "Style transfer by relaxed optimal transport
and self-similarity", CVPR 2019 (STROTSS). It keeps the arrangement of a picture and leaves its
colors and textures free.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from swag.errors import SettingsError
from swag.losses.hypercolumns import (
    LayerMaps,
    MapMask,
    columns_of,
    hypercolumns,
    sample_grid,
    unit_vectors,
)
from swag.losses.precision import in_full_precision
from swag.types import PerImage

Similarities = Float[Tensor, "b rows columns n"]
"""For each position of a grid its distances from all n = rows * columns, in reading order."""

OwnSimilarities = Float[Tensor, "b _rows _columns _n"]

POSITIONS = 1024
"""Positions of the grid at most, as many as the paper samples: a matrix of 2^20 distances."""

ALIKE = 1e-6
"""Added to the mean distance by which distances are divided, for maps with equal positions."""


@in_full_precision
def describe(
    layers: LayerMaps, mask: MapMask | None = None, *, positions: int = POSITIONS
) -> Similarities:
    """Cosine distances between all hypercolumns, as shares of the sum from each position.

    The description sums to 1. With `mask` each position counts by its weight, as the start of
    distances and as their end; a constant factor changes nothing.

    Departure: see `hypercolumns` on the grid. All distances of a flat picture are 0: 1e-6 is
    added to the mean distance that they are divided by.
    """
    size = sample_grid(layers[0].shape[2], layers[0].shape[3], positions)
    vectors, weights = columns_of(hypercolumns(layers, positions), mask)
    distances = _distances(unit_vectors(vectors)) * weights[:, None, :]  # b from to
    totals = distances.sum(2, keepdim=True) + ALIKE
    shares = weights[..., None] * distances / totals
    return shares.reshape(shares.shape[0], *size, shares.shape[2])


@in_full_precision
def compare(a: Similarities, b: OwnSimilarities) -> PerImage:
    """Sum of absolute differences: the mean over positions of how far their shares differ, 0 to 2.

    Departure: n times the paper's, which is divided by n^2 and so falls as positions grow.

    Raises SettingsError unless both grids have the same size: content is compared by position.
    """
    if a.shape != b.shape:
        raise SettingsError(
            f"self-similarity compares by position, but the grids have "
            f"{a.shape[1]} x {a.shape[2]} and {b.shape[1]} x {b.shape[2]} positions; "
            "give pictures of the same size."
        )
    return (a - b).abs().sum((1, 2, 3))


@in_full_precision
def target_norm(description: Similarities) -> PerImage:
    """Always 1, the sum of the description."""
    return description.new_ones(description.shape[0])


def _distances(units: Float[Tensor, "b n d"]) -> Float[Tensor, "b n n"]:
    """|u - v|^2 / 2: one minus the cosine, and 0 between vectors of zeros."""
    squares = units.square().sum(2) / 2
    return squares[:, :, None] + squares[:, None, :] - torch.bmm(units, units.mT)
