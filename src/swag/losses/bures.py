"""Bures: how far the positions of one picture must move to be spread like another's.

The squared Wasserstein-2 distance of two normal distributions of positions (Dowson and Landau,
1982; Olkin and Pukelsheim, 1982):

    |mu_a - mu_b|^2 + tr(A + B - 2 (B^1/2 A B^1/2)^1/2).

The second part is the squared Bures distance of the covariances. Unlike the covariance loss,
which is of the fourth degree in the activations, it is of the second: strong channels count by
their variance, not by its square.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from swag.losses import covariance
from swag.losses.loss import EMPTY
from swag.losses.precision import in_full_precision
from swag.losses.streaming import Center, Means, StreamingStatistics
from swag.precision import to_float64
from swag.types import FeatureMap, GramMatrix, Mask, PerImage

Normal = tuple[Float[Tensor, "b d"], GramMatrix]
"""Mean and covariance of the positions, over the channels."""

RIDGE = 1e-6
"""Added to both covariances, as a share of the mean of their traces."""

WIDEST = 512
"""Channels of which all directions are seen: as many as VGG has."""

ROUNDING = 1e-12
"""Share of the traces below which a distance counts as 0."""

SMALLEST_RIDGE = 1e-18
"""Added as well, for two flat pictures; its square is still a float32."""


@in_full_precision
def describe(features: FeatureMap, mask: Mask | None = None) -> Normal:
    """Mean and covariance of the positions (divided by M); with `mask` both are weighted."""
    return covariance.with_mean(features, mask)


@in_full_precision
def compare(a: Normal, b: Normal) -> PerImage:
    """Squared Wasserstein-2 distance of two normal distributions, at least 0.

    Departure: e = 1e-6 of the mean of the two traces is added to both covariances' diagonals, so
    that the gradient is bounded where a covariance has no inverse: flat pictures, or fewer
    positions than channels. Equal pictures still differ by nothing, and the root of the distance
    is changed by at most 2 sqrt(d e) for d channels.

    Departure: eigenvalues take d^3 steps, six seconds for 2048 channels where the network takes a
    tenth of one. Of more than 512 channels, covariances are seen along 512 orthogonal directions,
    drawn once and for all, times d / 512, which leaves the traces as they are on average.
    """
    apart = (a[0] - b[0]).square().sum(1)
    spread = (_symmetric(_seen(covariance)) for covariance in (a[1], b[1]))
    return apart + _bures(*spread).to(apart.dtype)


@in_full_precision
def target_norm(description: Normal) -> PerImage:
    """The error of an empty picture: but for the departure of `compare`, |mu|^2 + tr(B).

    A picture whose activations have a mean square below 1e-20 counts as of size one in each.
    """
    mean, covariance = description
    size = compare((torch.zeros_like(mean), torch.zeros_like(covariance)), description).detach()
    channels = float(mean.shape[1])
    return torch.where(size < EMPTY * channels, channels, size)


def combine_targets(descriptions: Sequence[Normal]) -> Normal:
    """Mean and covariance of the positions of several pictures together, each counting alike."""
    means = torch.stack([mean for mean, _ in descriptions])
    mean = means.mean(0)
    apart = means - mean
    within = torch.stack([covariance for _, covariance in descriptions])
    return mean, (within + apart[..., :, None] * apart[..., None, :]).mean(0)


def compute(means: Means, center: Center) -> Normal:
    """The description from the means about a center; see `swag.losses.streaming`."""
    return center + means[0], covariance.about_mean(means)


STREAMING = StreamingStatistics(covariance.add, compute, homogeneity=(1, 2), centered=True)


def _seen(covariance: GramMatrix) -> Float[Tensor, "b k k"]:
    """The covariance along fixed directions, with the same trace on average; itself if narrow."""
    d = covariance.shape[1]
    if d <= WIDEST:
        return covariance
    along = fixed_directions(d).to(covariance)
    return along @ covariance @ along.mT * (d / WIDEST)


@cache
def fixed_directions(d: int) -> Float[Tensor, "k d"]:
    """WIDEST orthogonal directions of length 1 in d dimensions, the same for the same d."""
    source = torch.Generator().manual_seed(d)
    columns = torch.randn(d, WIDEST, generator=source, dtype=torch.float64)
    orthogonal: Tensor = torch.linalg.qr(columns).Q
    return orthogonal.mT.contiguous()


def _bures(a: GramMatrix, b: GramMatrix) -> PerImage:
    """tr(A + B - 2 (B^1/2 A B^1/2)^1/2); what is not finite shows in the traces."""
    d = a.shape[1]
    traces = _trace(a) + _trace(b)
    ridge = RIDGE / 2 * traces + SMALLEST_RIDGE
    roots: PerImage = _TraceOfRoot.apply(a, b, ridge)
    apart = traces + 2 * d * ridge - 2 * roots
    return torch.where(apart < ROUNDING * traces, 0.0, apart)


class _TraceOfRoot(torch.autograd.Function):
    """tr (B^1/2 A B^1/2)^1/2 of two covariances, `ridge` added to the diagonal of each.

    The eigenvalues of B^1/2 A B^1/2 are those of L^T A L, where L L^T = B. With its eigenvectors V
    and r the roots of its eigenvalues, the gradients are

        L V diag(1 / 2r) V^T L^T    with respect to A,
        L^-T V diag(r / 2) V^T L^-1 with respect to B,

    and the traces of both together with respect to the ridge. There is none of the 1 / (l_i - l_j)
    of eigenvectors in them, and they take half of what autograd does, which goes back through the
    Cholesky factor. Eigenvalues that rounding made no larger than 0 have no gradient.
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, ridge: Tensor) -> Tensor:
        on_diagonal = ridge[:, None, None] * torch.eye(a.shape[1]).to(a)
        lower, _ = torch.linalg.cholesky_ex(b + on_diagonal)
        product = (lower.mT @ (a + on_diagonal) @ lower).nan_to_num(0, 0, 0)
        if not any(ctx.needs_input_grad):
            return _roots(torch.linalg.eigvalsh(product)).sum(1)
        squares, vectors = torch.linalg.eigh(product)
        ctx.save_for_backward(lower, squares, vectors)
        return _roots(squares).sum(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        lower, squares, vectors = ctx.saved_tensors
        of_a, of_b, of_ridge = ctx.needs_input_grad
        slopes = gradient[:, None] / (2 * _roots(squares))
        slopes = slopes.masked_fill(squares <= SMALLEST_RIDGE**2, 0.0)[:, None, :]
        found_a = found_b = along_ridge = None
        along = lower @ vectors
        if of_a:
            found_a = (along * slopes) @ along.mT
        if of_b or of_ridge:
            against = torch.linalg.solve_triangular(lower.mT, vectors, upper=True)
            weights = slopes * squares[:, None, :]
            if of_b:
                found_b = (against * weights) @ against.mT
            along_ridge = (along.square() * slopes + against.square() * weights).sum((1, 2))
        return found_a, found_b, along_ridge


def _roots(squares: Tensor) -> Tensor:
    return squares.clamp(min=SMALLEST_RIDGE**2).sqrt()


def _symmetric(matrices: GramMatrix) -> GramMatrix:
    """Without the rounding by which products differ above and below the diagonal; in float64."""
    return (to_float64(matrices) + to_float64(matrices.mT)) / 2


def _trace(matrices: GramMatrix) -> PerImage:
    return torch.einsum("bii->b", matrices)
