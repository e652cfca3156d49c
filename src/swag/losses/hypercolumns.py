"""Hypercolumns: the activations of all layers at a position as one vector.

Hariharan, Arbelaez, Girshick and Malik, "Hypercolumns for object segmentation and fine-grained
localization", CVPR 2015; for style in Kolkin, Salavon and Shakhnarovich, "Style transfer by
relaxed optimal transport and self-similarity", CVPR 2019 (STROTSS).

Departure: STROTSS takes a new random sample of 1024 positions every few steps. A loss here gives
the same number for the same picture, and the pixels between the positions of a fixed sample would
have no gradient, which shows as a lattice of dots. So layers that are finer than the grid are
averaged over its cells: every pixel counts.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from swag.errors import SettingsError
from swag.losses.weighting import normalized_weights
from swag.types import FeatureMap

OwnMap = Float[Tensor, "b _d _h _w"]
"""Maps beside others of other sizes."""

LayerMaps = tuple[OwnMap, ...]
"""Maps of several layers of the same pictures, from shallow to deep."""

MapMask = Float[Tensor, "#b 1 _h _w"]
"""How much each position of the first layer counts."""

Columns = tuple[Float[Tensor, "b n d"], Float[Tensor, "b n"]]
"""A vector for each position, and the share of each position, which sum to 1."""

OtherColumns = tuple[Float[Tensor, "b m d"], Float[Tensor, "b m"]]
"""Columns of pictures that may have another number of positions."""

POSITIONS = 2048
"""Positions of the grid at most. The time of losses that look for matches grows with the square:
with 2048 the slowest takes half the time of a small network's pass over 512 x 512 pixels."""

SHORTEST = 1e-4
"""Length below which the direction of a vector fades; layers have entries of about 1."""


def sample_grid(rows: int, columns: int, at_most: int) -> tuple[int, int]:
    """The largest grid of the same aspect ratio with at most `at_most` positions; never enlarged.

    Raises SettingsError if `at_most` is less than 1.
    """
    if at_most < 1:
        raise SettingsError(f"expected at least 1 position, not {at_most}; give 1 or more.")
    scale = min(1.0, (at_most / (rows * columns)) ** 0.5)
    return min(max(1, int(rows * scale)), at_most), min(max(1, int(columns * scale)), at_most)


def resample(features: OwnMap, size: tuple[int, int]) -> OwnMap:
    """The map at `size`: averages over cells if it was finer, bilinear interpolation if coarser."""
    down = (min(size[0], features.shape[2]), min(size[1], features.shape[3]))
    if down != features.shape[2:]:
        features = interpolate(features, down, mode="area")
    if size != features.shape[2:]:
        features = interpolate(features, size, mode="bilinear", align_corners=False)
    return features


def hypercolumns(layers: LayerMaps, at_most: int = POSITIONS) -> FeatureMap:
    """The channels of all layers on one grid: that of the first, if it has few enough positions."""
    size = sample_grid(layers[0].shape[2], layers[0].shape[3], at_most)
    return torch.cat([resample(layer, size) for layer in layers], dim=1)


def columns_of(maps: FeatureMap, mask: MapMask | None) -> Columns:
    """The vectors of a map in reading order and their shares; `mask` is resized to the map."""
    b, _, h, w = maps.shape
    if mask is None:
        weights = maps.new_full((b, h * w), 1 / (h * w))
    else:
        weights = normalized_weights(resample(mask.to(maps), (h, w))).flatten(1).expand(b, -1)
    return maps.flatten(2).mT.contiguous(), weights  # b n d


def unit_vectors(columns: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
    """Vectors of length 1: x / sqrt(|x|^2 + e^2) with e = 1e-4.

    A vector of zeros stays one, instead of 0 / 0, and its slope is at most 1 / e.
    """
    return columns / (columns.square().sum(2, keepdim=True) + SHORTEST**2).sqrt()


def cosine_distances(a: Float[Tensor, "b n d"], b: Float[Tensor, "b n d"]) -> Float[Tensor, "b n"]:
    """One minus the cosine, position by position, of vectors that are directions already.

    As |a - b|^2 / 2, which is the same for vectors of length 1, exactly 0 for a vector and
    itself, and defined for vectors of zeros: 0 between two of them, 1/2 to any other.
    """
    return (a - b).square().sum(2) / 2


def centered(columns: Columns) -> Float[Tensor, "b n d"]:
    """Vectors minus their weighted mean."""
    vectors, weights = columns
    return vectors - (vectors * weights[..., None]).sum(1, keepdim=True)


def together(descriptions: Sequence[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    """Several targets as one: the vectors of all, each target with the same share.

    A description is vectors, their shares, and perhaps more vectors and their shares.
    """
    vectors = [torch.cat(parts, 1) for parts in zip(*(d[0::2] for d in descriptions), strict=True)]
    weights = [torch.cat(parts, 1) for parts in zip(*(d[1::2] for d in descriptions), strict=True)]
    pairs = zip(vectors, weights, strict=True)
    return tuple(part for v, w in pairs for part in (v, w / len(descriptions)))
