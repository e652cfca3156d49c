"""Sums over positions in which each counts by a weight: losses of a region of the picture.

Gatys et al., "Controlling perceptual factors in neural style transfer", CVPR 2017, section 3.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from swag.types import FeatureMap, Mask

Positions = Float[Tensor, "b d m"]


def normalized_weights(mask: Mask) -> Float[Tensor, "b 1 m"]:
    """The weights of positions as shares of their sum over the picture; uniform if that is 0."""
    flat = mask.flatten(2)
    total = flat.sum(2, keepdim=True)
    uniform = torch.full_like(flat, 1 / flat.shape[2])
    empty = total == 0
    share: Tensor = uniform.where(empty, flat / total.masked_fill(empty, 1.0))
    return share


def weighted_mean(features: FeatureMap, mask: Mask) -> Float[Tensor, "b d 1 1"]:
    """Mean of each channel over positions, each counting by its weight."""
    mean: Tensor = (features.flatten(2) * normalized_weights(mask)).sum(2)
    return mean[:, :, None, None]


def scaled_positions(features: FeatureMap, mask: Mask | None) -> Positions:
    """Positions times the root of their shares, so that products of channels are weighted means."""
    positions: Tensor = features.flatten(2)
    root = 1 / positions.shape[2] ** 0.5 if mask is None else normalized_weights(mask).sqrt()
    return positions * root
