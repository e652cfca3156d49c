"""Nearest neighbors: each position should equal the most similar one in the style.

Kolkin, Kucera, Paris, Sykora, Shechtman and Shakhnarovich, "Neural neighbor style transfer",
2022 (NNST). It copies small pieces of the style unchanged; the content of the picture decides
where they go.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

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
from swag.losses.precision import in_full_precision
from swag.types import PerImage

DistanceFn = Callable[[Tensor, Tensor], Tensor]

combine_targets = together
"""Several styles as one: the nearest position of any of them."""

ENTRIES = 2**22
"""Distances held at a time in the search for matches: 16 MiB in float32."""


@in_full_precision
def describe(
    layers: LayerMaps,
    mask: MapMask | None = None,
    *,
    split: bool = False,
    positions: int = POSITIONS,
) -> tuple[Tensor, ...]:
    """Directions of the hypercolumns about their mean, and the share of each position.

    With `split`, directions of each layer by itself, on its own grid (the paper's feature
    splitting): closer to the style in detail, less coherent across scales. Layers then count alike,
    whatever their weights, since a cosine ignores scale. `positions` bounds the grid.

    Departures: see `hypercolumns` on the grid; the paper has a quarter of the picture's rows
    and columns, and for `split` a random lattice; the style is not turned by right angles.
    """
    groups = [(layer,) for layer in layers] if split else [layers]
    parts = [columns_of(hypercolumns(group, positions), mask) for group in groups]
    return tuple(entry for part in parts for entry in (unit_vectors(centered(part)), part[1]))


@in_full_precision
def compare(a: tuple[Tensor, ...], b: tuple[Tensor, ...]) -> PerImage:
    """Mean cosine distance of each position of `a` from the nearest of `b`: 0 to 2.

    Not symmetric: `b` may hold what `a` has nowhere.

    Departures: matches are made anew at each step, from the picture and not from the content;
    joint hypercolumns too are compared about their means, as the paper does for matching and for
    split ones, so that matching and comparison agree and the loss has no jumps. It ignores
    the mean itself: `moments` and `palette` compare it.
    """
    pairs = zip(a[0::2], a[1::2], b[0::2], b[1::2], strict=True)
    errors = [to_nearest((u, w), (v, x), cosine_distances) for u, w, v, x in pairs]
    return torch.stack(errors).mean(0)


@in_full_precision
def target_norm(description: tuple[Tensor, ...]) -> PerImage:
    """Always 1: cosines are relative already."""
    return description[1].new_ones(description[1].shape[0])


def to_nearest(a: Columns, b: OtherColumns, distances: DistanceFn) -> PerImage:
    """Weighted mean of the distances of the vectors of `a` from the nearest of `b`.

    `distances` grow with the Euclidean one. The choice of the nearest carries no gradient.
    """
    matches = matched(b[0], nearest(a[0], b[0], b[1]))
    return (distances(a[0], matches) * a[1]).sum(1)


@torch.no_grad()
def nearest(
    a: Float[Tensor, "b n d"], b: Float[Tensor, "b m d"], weights: Float[Tensor, "b m"]
) -> Int[Tensor, "b n"]:
    """For each vector of `a` the index of that of `b` at the least Euclidean distance.

    Vectors of weight 0 are left out. At most 2^22 distances, or one row, are held at a time.
    """
    center = b.mean(1, keepdim=True)  # |a|^2 - 2 ab + |b|^2 loses fewest digits about the mean
    a, b = a - center, b - center
    squares = (b.square().sum(2) / 2).masked_fill(weights <= 0, torch.inf)[:, None]  # b 1 m
    rows = max(1, ENTRIES // squares.numel())
    parts = torch.split(a, rows, 1)
    return torch.cat([_argmin(torch.baddbmm(squares, part, b.mT, alpha=-1)) for part in parts], 1)


def _argmin(distances: Float[Tensor, "b n m"]) -> Int[Tensor, "b n"]:
    """The index of the least in each row; on CPUs by NumPy, in a tenth of torch's time."""
    if distances.device.type != "cpu":
        return distances.argmin(2)
    return torch.from_numpy(distances.numpy().argmin(2))


def matched(vectors: Float[Tensor, "b m d"], index: Int[Tensor, "b n"]) -> Float[Tensor, "b n d"]:
    """The vectors at these indices, picture by picture."""
    pictures = torch.arange(vectors.shape[0], device=vectors.device)[:, None]
    return vectors[pictures, index]
