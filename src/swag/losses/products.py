"""Products of channels over positions, with one product back.

Autograd would make two, and lay gradients out with channels first, which a network with channels
last pays for at every layer below: adding up two gradients of one map takes three times as long
where they are laid out differently.
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
    """The mean of each channel, and the products of what differs from it, averaged over positions.

    The mean is subtracted before anything is squared: where it is large, the difference of the
    products and of the mean's square would be lost in rounding.
    """
    mean, covariance = _AboutMean.apply(features)
    return mean, covariance


class _Products(torch.autograd.Function):
    """The gradient with respect to F is (P + P^T) F / M, for a gradient P of the products."""

    @staticmethod
    def forward(ctx: Any, features: Tensor) -> Tensor:
        ctx.save_for_backward(features)
        return _averaged(features)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (features,) = ctx.saved_tensors
        return _pulled(features, gradient)


class _AboutMean(torch.autograd.Function):
    """As above with what differs from the mean in the place of F, and the mean's own gradient.

    Through the mean that is subtracted there is none: what differs from it has the sum 0.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor) -> tuple[Tensor, Tensor]:
        mean = features.mean((2, 3), keepdim=True)
        away = features - mean
        ctx.save_for_backward(away)
        return mean.flatten(1), _averaged(away)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_mean: Tensor, of_products: Tensor) -> Tensor:
        (away,) = ctx.saved_tensors
        return _pulled(away, of_products, of_mean)


def _averaged(features: Tensor) -> Tensor:
    positions = _rows(features)  # b m d
    return positions.mT @ positions / positions.shape[1]


def _pulled(features: Tensor, gradient: Tensor, of_mean: Tensor | None = None) -> Tensor:
    """The gradient with respect to the map, laid out as the map is."""
    b, d, h, w = features.shape
    pull = (gradient + gradient.mT) / (h * w)  # symmetric
    rows = _rows(features)
    last = _channels_last(features)
    left, right = (rows, pull) if last else (pull, rows.mT)
    if of_mean is None:
        pulled = left @ right
    else:
        shift = of_mean / (h * w)
        pulled = torch.baddbmm(shift[:, None, :] if last else shift[:, :, None], left, right)
    return pulled.view(b, h, w, d).permute(0, 3, 1, 2) if last else pulled.view(b, d, h, w)


def _rows(features: Tensor) -> Tensor:
    """Positions by channels, (b, m, d), as a view of the map."""
    last = _channels_last(features)
    rows: Tensor = features.permute(0, 2, 3, 1).flatten(1, 2) if last else features.flatten(2).mT
    return rows


def _channels_last(features: Tensor) -> bool:
    return features.is_contiguous(memory_format=torch.channels_last)
