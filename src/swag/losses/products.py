"""Products of channels over positions, whose gradient takes one matrix product.

Autograd would make two, and lay gradients out with channels first, which a network with channels
last pays for at every layer below: adding up two gradients of one map takes three times as long
if they are laid out differently.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from swag.types import FeatureMap, GramMatrix


def products(features: FeatureMap) -> GramMatrix:
    """F F^T / M: products of the channels, averaged over positions."""
    gram: GramMatrix = _Products.apply(features)
    return gram


def products_about_mean(features: FeatureMap) -> tuple[Float[Tensor, "b d"], GramMatrix]:
    """The mean of each channel, and the products of deviations from it, averaged over positions.

    The mean is subtracted before anything is squared: if it is large, the difference of the
    products and of the mean's square would be lost in rounding.
    """
    mean, covariance = _ProductsAboutMean.apply(features)
    return mean, covariance


class _Products(torch.autograd.Function):
    """The gradient with respect to F is (P + P^T) F / M, for a gradient P of the products."""

    @staticmethod
    def forward(ctx: Any, features: Tensor) -> Tensor:
        ctx.save_for_backward(features)
        return _mean_products(features)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (features,) = ctx.saved_tensors
        return _map_gradient(features, gradient)


class _ProductsAboutMean(torch.autograd.Function):
    """As `_Products` with deviations from the mean instead of F, plus the mean's own gradient.

    The subtracted mean has no gradient: the sum of the deviations is 0.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor) -> tuple[Tensor, Tensor]:
        mean = features.mean((2, 3), keepdim=True)
        deviations = features - mean
        ctx.save_for_backward(deviations)
        return mean.flatten(1), _mean_products(deviations)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_mean: Tensor, of_products: Tensor) -> Tensor:
        (deviations,) = ctx.saved_tensors
        return _map_gradient(deviations, of_products, of_mean)


def _mean_products(features: Tensor) -> Tensor:
    positions = _rows(features)  # b m d
    return positions.mT @ positions / positions.shape[1]


def _map_gradient(features: Tensor, gradient: Tensor, of_mean: Tensor | None = None) -> Tensor:
    """The gradient with respect to the map, in the map's memory format."""
    b, d, h, w = features.shape
    symmetric = (gradient + gradient.mT) / (h * w)
    rows = _rows(features)
    last = _channels_last(features)
    left, right = (rows, symmetric) if last else (symmetric, rows.mT)
    if of_mean is None:
        result = left @ right
    else:
        shift = of_mean / (h * w)
        result = torch.baddbmm(shift[:, None, :] if last else shift[:, :, None], left, right)
    return result.view(b, h, w, d).permute(0, 3, 1, 2) if last else result.view(b, d, h, w)


def _rows(features: Tensor) -> Tensor:
    """Positions by channels, (b, m, d), as a view of the map."""
    last = _channels_last(features)
    rows: Tensor = features.permute(0, 2, 3, 1).flatten(1, 2) if last else features.flatten(2).mT
    return rows


def _channels_last(features: Tensor) -> bool:
    return features.is_contiguous(memory_format=torch.channels_last)
