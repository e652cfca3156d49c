"""Optimal transport between Gaussians: it gives a picture's features another's statistics.

Positions of a layer, as vectors over its channels, are modeled as normal distributions N(m_c, C) of
the photo and N(m_s, S) of the painting. Of all maps that take the first to the second,

    T(x) = m_s + A (x - m_c),    A = S^1/2 (S^1/2 C S^1/2)^-1/2 S^1/2

moves them the least in the mean of squares (Olkin and Pukelsheim 1982; for style transfer Lu et
al., "A closed-form solution to universal style transfer", ICCV 2019). After it, the Bures
distance that `swag.losses.bures` measures is 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from swag.losses import covariance
from swag.losses.precision import in_full_precision
from swag.types import FeatureMap, GramMatrix, Mask

RIDGE = 1e-3
"""Added to both covariances, as a share of the mean of their diagonals: directions in which neither
picture varies are neither amplified nor divided by."""

FLAT = 1e-8
"""Added as well, so that the covariance of a picture without variance has an inverse."""


@dataclass(frozen=True)
class Gaussian:
    """Mean and covariance of the positions of a layer, over its channels."""

    mean: Float[Tensor, "b d"]
    covariance: GramMatrix

    @classmethod
    @in_full_precision
    def of(cls, features: FeatureMap, mask: Mask | None = None) -> "Gaussian":
        """The Gaussian of each picture's positions; a mask says how much each of them counts."""
        return cls(*covariance.with_mean(features, mask))

    def in_float64(self) -> "Gaussian":
        """The same in float64, on the CPU: not every device has float64."""
        return Gaussian(self.mean.cpu().double(), self.covariance.cpu().double())


def pool_gaussians(parts: Sequence[tuple[float, Gaussian]]) -> Gaussian:
    """The Gaussian of all positions of several pictures, or parts of one, by their weights."""
    total = sum(weight for weight, _ in parts)
    zero = parts[0][1].mean.new_zeros(())
    mean = sum((part.mean * (weight / total) for weight, part in parts), zero)
    covariance = zero
    for weight, part in parts:
        difference = part.mean - mean
        spread = part.covariance + difference[:, :, None] * difference[:, None, :]
        covariance = covariance + spread * (weight / total)
    return Gaussian(mean, covariance)


@dataclass(frozen=True)
class Transport:
    """An affine map of the positions of a layer: x -> matrix x + offset."""

    matrix: GramMatrix
    offset: Float[Tensor, "b d"]

    def __call__(self, features: FeatureMap) -> FeatureMap:
        """Move every position; one map serves a whole batch, too."""
        rows = features.permute(0, 2, 3, 1)  # as they lie in memory, with channels last
        moved = rows.flatten(1, 2) @ self.matrix.to(features).mT
        moved += self.offset.to(features)[:, None]
        return moved.view_as(rows).permute(0, 3, 1, 2)

    def share(self, alpha: Float[Tensor, " b"] | float) -> "Transport":
        """The map that moves positions a share of the way: 0 is the identity, 1 the whole map.

        Positions between are on the straight path from one distribution to the other, the shortest
        in the Wasserstein-2 metric (McCann 1997).
        """
        like: dict[str, Any] = {"dtype": self.matrix.dtype, "device": self.matrix.device}
        share = torch.as_tensor(alpha, **like).reshape(-1, 1)
        identity = torch.eye(self.matrix.shape[1], **like)
        return Transport(
            identity + share[:, :, None] * (self.matrix - identity), share * self.offset
        )


def transport(start: Gaussian, target: Gaussian) -> Transport:
    """The optimal map from one normal distribution to another, of each picture of a batch.

    Departure: a share of `RIDGE` of the mean variance of both is added to both covariances.
    """
    c, s = start.covariance, target.covariance
    d = c.shape[1]
    variance = (c.diagonal(dim1=1, dim2=2) + s.diagonal(dim1=1, dim2=2)).mean(1) / 2
    ridge = (RIDGE * variance + FLAT)[:, None, None] * torch.eye(d, dtype=c.dtype, device=c.device)
    root = matrix_power(s + ridge, 0.5)
    matrix = root @ matrix_power(root @ (c + ridge) @ root, -0.5) @ root
    offset = target.mean - torch.einsum("bij,bj->bi", matrix, start.mean)
    return Transport(matrix, offset)


def matrix_power(matrices: GramMatrix, exponent: float) -> GramMatrix:
    """A power of symmetric positive definite matrices: 0.5 is the root, -0.5 its inverse."""
    powers: Tensor = _Power.apply(matrices, exponent)
    return powers


class _Power(torch.autograd.Function):
    """V diag(l^p) V^T of M = V diag(l) V^T.

    The gradient is V ((V^T G V) * D) V^T with D_ij = (l_i^p - l_j^p) / (l_i - l_j) (Daleckii and
    Krein 1965), written for p = 1/2 and -1/2 without that difference, which autograd's eigenvectors
    divide by.
    """

    @staticmethod
    def forward(ctx: Any, matrices: Tensor, exponent: float) -> Tensor:
        values, vectors = torch.linalg.eigh((matrices + matrices.mT) / 2)
        smallest = values[:, -1:] * torch.finfo(values.dtype).eps  # below it, all is rounding
        roots = values.maximum(smallest).sqrt()
        ctx.save_for_backward(roots, vectors)
        ctx.exponent = exponent
        powers: Tensor = (vectors * roots.pow(2 * exponent)[:, None, :]) @ vectors.mT
        return powers

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        roots, vectors = ctx.saved_tensors
        a, b = roots[:, :, None], roots[:, None, :]
        slopes = 1 / (a + b) if ctx.exponent == 0.5 else -1 / (a * b * (a + b))
        rotated = vectors.mT @ ((gradient + gradient.mT) / 2) @ vectors
        result: Tensor = vectors @ (rotated * slopes) @ vectors.mT
        return result, None
