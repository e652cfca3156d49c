"""Cross-layer Gram matrices: which channels of adjacent layers are active together.

Novak and Nikulin, "Improving the neural algorithm of artistic style", 2016. They tie fine
patterns to the coarse ones around them.
"""

from itertools import pairwise

import torch
from torch import Tensor

from swag.errors import SettingsError
from swag.losses.hypercolumns import LayerMaps, MapMask, resample
from swag.losses.precision import in_full_precision
from swag.losses.weighting import scaled_positions
from swag.types import PerImage


@in_full_precision
def describe(layers: LayerMaps, mask: MapMask | None = None) -> tuple[Tensor, ...]:
    """For each layer and the next deeper one, products of channels averaged over positions.

    A tuple of matrices, a shallow layer's channels by a deep one's. With `mask` the averages
    are weighted.

    Departure: the shallow map is averaged over the cells of the deep one, where the paper enlarges
    the deep one. If a deep value is enlarged to a cell of equal values, both give the same
    matrix, since the mean of the products is the product with the mean; averaging does it with
    the fewest products. The paper's shift of activations is not applied.

    Raises SettingsError for a single layer.
    """
    if len(layers) < 2:
        raise SettingsError("cross-layer ties adjacent layers, but 1 was given; give 2 or more.")
    return tuple(_cross_products(shallow, deep, mask) for shallow, deep in pairwise(layers))


@in_full_precision
def compare(a: tuple[Tensor, ...], b: tuple[Tensor, ...]) -> PerImage:
    """Sum of squared differences over all matrices, at least 0."""
    errors = [(x - y).square().sum((1, 2)) for x, y in zip(a, b, strict=True)]
    return torch.stack(errors).sum(0)


def _cross_products(shallow: Tensor, deep: Tensor, mask: Tensor | None) -> Tensor:
    rows, columns = deep.shape[2:]
    if mask is not None:
        mask = resample(mask.to(deep), (rows, columns))
    fine = scaled_positions(resample(shallow, (rows, columns)), mask)
    return fine @ scaled_positions(deep, mask).mT  # b d_shallow d_deep
