"""Gram matrices compared by errors that grow more slowly than squares.

The Gram matrix of Gatys, Ecker and Bethge, CVPR 2016. Its largest entries hold most of a squared
error, above all in networks with residual connections (Wang, Li and Vasconcelos, CVPR 2021);
errors that grow in proportion for large differences leave more of it to the others. Huber, "Robust
estimation of a location parameter", 1964; Charbonnier, Blanc-Feraud, Aubert and Barlaud, "Two
deterministic half-quadratic regularization algorithms for computed imaging", ICIP 1994.
"""

from collections.abc import Callable, Mapping
from math import isfinite
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor

from swag.errors import SettingsError
from swag.losses import gram
from swag.losses.loss import EMPTY
from swag.losses.precision import in_full_precision
from swag.types import FeatureMap, GramMatrix, Mask, PerImage

Corner = Float[Tensor, "b 1 1"]
Error = Callable[[GramMatrix, Corner], GramMatrix]


@in_full_precision
def describe(features: FeatureMap, mask: Mask | None = None) -> GramMatrix:
    """Products of the channels, averaged over positions: F F^T / M; with `mask` weighted."""
    return gram.describe(features, mask)


@in_full_precision
def compare(
    a: GramMatrix, b: GramMatrix, *, penalty: str = "huber", corner: float = 0.1
) -> PerImage:
    """Sum of the errors of the entries of `a`, at least 0. With r the difference from `b`:

        l1           |r|
        huber        r^2 / 2 for |r| up to c, c (|r| - c / 2) beyond
        charbonnier  sqrt(r^2 + c^2) - c: |r| with its corner at 0 rounded off

    `corner`, above 0, is c as a share of the root mean square of the entries of the target `b`, so
    that it means the same in every layer of every network; l1 has none. The slope of l1 at 0 is 0.
    `compare` is not symmetric: `b` is the target.

    Raises SettingsError for another penalty or corner.
    """
    error = _error_function(penalty, corner)
    return error(a - b, corner * _root_mean_square(b)).sum((1, 2))


@in_full_precision
def target_norm(
    description: GramMatrix, *, penalty: str = "huber", corner: float = 0.1
) -> PerImage:
    """The error of an empty picture under the same penalty.

    A Gram matrix whose mean square is below 1e-20 counts as a matrix of ones.
    """
    empty = _mean_square(description) < EMPTY
    target = torch.where(empty, 1.0, description.detach())
    return compare(torch.zeros_like(target), target, penalty=penalty, corner=corner)


STREAMING = gram.STREAMING


def _l1(difference: GramMatrix, corner: Corner) -> GramMatrix:
    return difference.abs()


def _huber(difference: GramMatrix, corner: Corner) -> GramMatrix:
    size = difference.abs()
    clipped = size.minimum(corner)
    return clipped * (size - clipped / 2)


def _charbonnier(difference: GramMatrix, corner: Corner) -> GramMatrix:
    return difference.square() / (difference.hypot(corner) + corner)


ERRORS: Mapping[str, Error] = MappingProxyType(
    {"l1": _l1, "huber": _huber, "charbonnier": _charbonnier}
)
"""Functions (differences, corner) -> errors, by name."""


def _error_function(penalty: str, corner: float) -> Error:
    if penalty not in ERRORS:
        raise SettingsError(f"no penalty is called {penalty!r}; choose {', '.join(ERRORS)}.")
    if not (isfinite(corner) and corner > 0):
        raise SettingsError(f"corner={corner}: expected a number above 0, such as 0.1.")
    return ERRORS[penalty]


def _mean_square(matrices: GramMatrix) -> Corner:
    return matrices.square().mean((1, 2), keepdim=True)


def _root_mean_square(target: GramMatrix) -> Corner:
    """The root mean square of the target's entries; 1 for an empty target."""
    square = _mean_square(target)
    return torch.where(square < EMPTY, 1.0, square).sqrt()
