"""Bures: the distance between normal distributions of the positions of two pictures.

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
"""Most channels whose covariances are compared in all directions: as many as VGG has."""

ROUNDING = 1e-12
"""Share of the traces below which a distance counts as 0."""

SMALLEST_RIDGE = 1e-18
"""Added to both as well, for two flat pictures; its square is still a float32."""


@in_full_precision
def describe(features: FeatureMap, mask: Mask | None = None) -> Normal:
    """Mean and covariance of the positions (divided by M); with `mask` both are weighted."""
    return covariance.with_mean(features, mask)


@in_full_precision
def compare(a: Normal, b: Normal) -> PerImage:
    """Squared Wasserstein-2 distance of two normal distributions, at least 0.

    Departure: e = 1e-6 of the mean of the two traces is added to both covariances' diagonals, so
    that the gradient is bounded if a covariance has no inverse: flat pictures, or fewer
    positions than channels. Equal pictures still differ by 0, and the root of the distance
    is changed by at most 2 sqrt(d e) for d channels.

    Departure: eigenvalues take d^3 steps, six seconds for 2048 channels while the network takes a
    tenth of one. Covariances of more than 512 channels are projected onto 512 fixed orthogonal
    directions and multiplied by d / 512, which leaves the traces as they are on average.
    """
    distance_of_means = (a[0] - b[0]).square().sum(1)
    covariances = (_symmetrize(_project(covariance)) for covariance in (a[1], b[1]))
    return distance_of_means + _bures(*covariances).to(distance_of_means.dtype)


@in_full_precision
def target_norm(description: Normal) -> PerImage:
    """The error of an empty picture: |mu|^2 + tr(B), but for the departures of `compare`.

    A picture whose activations have a mean square below 1e-20 counts as of size one in each.
    """
    mean, covariance = description
    size = compare((torch.zeros_like(mean), torch.zeros_like(covariance)), description).detach()
    channels = float(mean.shape[1])
    return torch.where(size < EMPTY * channels, channels, size)


def combine_targets(descriptions: Sequence[Normal]) -> Normal:
    """Mean and covariance of the positions of several pictures together, with equal weights."""
    means = torch.stack([mean for mean, _ in descriptions])
    mean = means.mean(0)
    offsets = means - mean
    covariances = torch.stack([covariance for _, covariance in descriptions])
    return mean, (covariances + offsets[..., :, None] * offsets[..., None, :]).mean(0)


def compute(means: Means, center: Center) -> Normal:
    """The description from the means about a center; see `swag.losses.streaming`."""
    return center + means[0], covariance.about_mean(means)


STREAMING = StreamingStatistics(covariance.add, compute, homogeneity=(1, 2), centered=True)


def _project(covariance: GramMatrix) -> Float[Tensor, "b k k"]:
    """The covariance along fixed directions, its trace the same on average; itself if narrow."""
    d = covariance.shape[1]
    if d <= WIDEST:
        return covariance
    directions = fixed_directions(d).to(covariance)
    return directions @ covariance @ directions.mT * (d / WIDEST)


@cache
def fixed_directions(d: int) -> Float[Tensor, "k d"]:
    """WIDEST orthogonal directions of length 1 in d dimensions, the same for the same d."""
    source = torch.Generator().manual_seed(d)
    columns = torch.randn(d, WIDEST, generator=source, dtype=torch.float64, device="cpu")
    orthogonal: Tensor = torch.linalg.qr(columns).Q
    return orthogonal.mT.contiguous()


def _bures(a: GramMatrix, b: GramMatrix) -> PerImage:
    """tr(A + B - 2 (B^1/2 A B^1/2)^1/2); values that are not finite show in the traces."""
    d = a.shape[1]
    traces = _trace(a) + _trace(b)
    ridge = RIDGE / 2 * traces + SMALLEST_RIDGE
    roots: PerImage = _TraceOfRoot.apply(a, b, ridge)
    distance = traces + 2 * d * ridge - 2 * roots
    return torch.where(distance < ROUNDING * traces, 0.0, distance)


class _TraceOfRoot(torch.autograd.Function):
    """tr (B^1/2 A B^1/2)^1/2 of two covariances, `ridge` added to the diagonal of each.

    The eigenvalues of B^1/2 A B^1/2 are those of L^T A L, where L L^T = B. With its eigenvectors V
    and r the roots of its eigenvalues, the gradients are

        L V diag(1 / 2r) V^T L^T    with respect to A,
        L^-T V diag(r / 2) V^T L^-1 with respect to B,

    and the traces of both together with respect to the ridge. They lack the 1 / (l_i - l_j) of
    gradients of eigenvectors and take half the time of autograd, which goes back through the
    Cholesky factor. Eigenvalues that rounding made no larger than 0 have no gradient.
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, ridge: Tensor) -> Tensor:
        on_diagonal = ridge[:, None, None] * torch.eye(a.shape[1], dtype=a.dtype, device=a.device)
        lower, _ = torch.linalg.cholesky_ex(b + on_diagonal)
        product = (lower.mT @ (a + on_diagonal) @ lower).nan_to_num(0, 0, 0)
        if not any(ctx.needs_input_grad):
            return _roots(torch.linalg.eigvalsh(product)).sum(1)
        eigenvalues, vectors = torch.linalg.eigh(product)
        ctx.save_for_backward(lower, eigenvalues, vectors)
        return _roots(eigenvalues).sum(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        lower, eigenvalues, vectors = ctx.saved_tensors
        needs_a, needs_b, needs_ridge = ctx.needs_input_grad
        slopes = gradient[:, None] / (2 * _roots(eigenvalues))
        slopes = slopes.masked_fill(eigenvalues <= SMALLEST_RIDGE**2, 0.0)[:, None, :]
        gradient_a = gradient_b = gradient_ridge = None
        lv = lower @ vectors
        if needs_a:
            gradient_a = (lv * slopes) @ lv.mT
        if needs_b or needs_ridge:
            inverse_lv = torch.linalg.solve_triangular(lower.mT, vectors, upper=True)
            weights = slopes * eigenvalues[:, None, :]
            if needs_b:
                gradient_b = (inverse_lv * weights) @ inverse_lv.mT
            gradient_ridge = (lv.square() * slopes + inverse_lv.square() * weights).sum((1, 2))
        return gradient_a, gradient_b, gradient_ridge


def _roots(eigenvalues: Tensor) -> Tensor:
    return eigenvalues.clamp(min=SMALLEST_RIDGE**2).sqrt()


def _symmetrize(matrices: GramMatrix) -> GramMatrix:
    """The matrices in float64, without differences by rounding across the diagonal."""
    return (to_float64(matrices) + to_float64(matrices.mT)) / 2


def _trace(matrices: GramMatrix) -> PerImage:
    return torch.einsum("bii->b", matrices)
