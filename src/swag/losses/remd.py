"""Relaxed earth mover's distance between the hypercolumns of two pictures.

Kolkin, Salavon and Shakhnarovich, "Style transfer by relaxed optimal transport and
self-similarity", CVPR 2019 (STROTSS).
"""

import torch
from jaxtyping import Float
from torch import Tensor

from swag.errors import SettingsError
from swag.losses import neighbors
from swag.losses.hypercolumns import (
    POSITIONS,
    Columns,
    LayerMaps,
    MapMask,
    OtherColumns,
    centered,
    columns_of,
    cosine_distances,
    hypercolumns,
    together,
    unit_vectors,
)
from swag.losses.neighbors import DistanceFn, to_nearest
from swag.losses.precision import in_full_precision
from swag.types import PerImage

combine_targets = together
"""Several styles as one: the positions of all, each style with the same share."""

target_norm = neighbors.target_norm
"""Always 1: cosines are relative already, and layers are in units of their own size."""


@in_full_precision
def describe(
    layers: LayerMaps, mask: MapMask | None = None, *, positions: int = POSITIONS
) -> Columns:
    """The hypercolumns and the share of each position; `positions` bounds the grid.

    Departure: see `hypercolumns` on the grid instead of a random sample. The paper's
    hypercolumns begin with the colors; here they are of the layers alone, beside `palette`.
    """
    return columns_of(hypercolumns(layers, positions), mask)


@in_full_precision
def compare(a: Columns, b: OtherColumns, *, moments: float = 1.0) -> PerImage:
    """The paper's l_r + `moments` * l_m, at least 0.

    l_r is the larger of the mean cosine distance of each position of `a` from the nearest of `b`
    and that of each of `b` from the nearest of `a`: 0 to 2. l_m compares the lengths of
    hypercolumns, which the cosine ignores: mean |mu_a - mu_b| + mean |Sigma_a - Sigma_b| over the
    entries of the means and covariances (divided by n).

    Raises SettingsError for a weight below 0.
    """
    if moments < 0:
        raise SettingsError(f"moments={moments}: expected a weight of 0 or more; 1 is the paper's.")
    error = relaxed((unit_vectors(a[0]), a[1]), (unit_vectors(b[0]), b[1]), cosine_distances)
    return error + moments * moment_distance(a, b) if moments else error


def relaxed(a: Columns, b: OtherColumns, distances: DistanceFn) -> PerImage:
    """The larger of the two relaxations of the earth mover's distance.

    In each, all mass of one side may go to the nearest vectors of the other.
    """
    return torch.maximum(to_nearest(a, b, distances), to_nearest(b, a, distances))


def moment_distance(a: Columns, b: OtherColumns) -> PerImage:
    """The paper's l_m: mean absolute differences of means and of covariances."""
    means = (mean_column(a) - mean_column(b)).abs().mean(1)
    return means + (covariance(a) - covariance(b)).abs().mean((1, 2))


def mean_column(columns: Columns) -> Float[Tensor, "b d"]:
    """Weighted mean of the vectors."""
    return (columns[0] * columns[1][..., None]).sum(1)


def covariance(columns: Columns) -> Float[Tensor, "b d d"]:
    """Weighted covariance of the entries of the vectors."""
    scaled = centered(columns) * columns[1].sqrt()[..., None]
    product: Tensor = scaled.mT @ scaled
    return product
