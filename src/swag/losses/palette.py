"""Palette: the colors of the picture should be those of the style, at any position.

The palette term of Kolkin, Salavon and Shakhnarovich, "Style transfer by relaxed optimal transport
and self-similarity", CVPR 2019 (STROTSS): the relaxed earth mover's distance between colors. Its
"layer" is the picture itself.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from swag.losses.hypercolumns import (
    Columns,
    MapMask,
    OtherColumns,
    columns_of,
    hypercolumns,
    together,
)
from swag.losses.precision import in_full_precision
from swag.losses.remd import relaxed
from swag.types import Image, PerImage

combine_targets = together
"""Several styles as one: the colors of all, each style with the same share."""

COLORS = 4096
"""Colors of a picture at most: up to 64 x 64 pixels every one, beyond that averages of cells."""

ROUNDING = 1e-3
"""Distance of colors below which the cost is quadratic: a quarter of one of 255 steps."""

BLACK = 1e-6
"""Mean length of colors below which a target counts as of size 1."""

RED, GREEN, BLUE = 0.299, 0.587, 0.114
"""Shares of the primaries in luma (ITU-R BT.601)."""


@in_full_precision
def describe(image: Image, mask: MapMask | None = None, *, positions: int = COLORS) -> Columns:
    """Colors in YUV and the share of each; at most `positions`, averaged over cells of a grid.

    Departures: YUV of BT.601. The paper asks for a decorrelated space with the mean color as
    one axis; its script takes a rotation of RGB, which changes no Euclidean distance. Averages
    instead of a sample, as for `hypercolumns`.
    """
    colors, weights = columns_of(hypercolumns((image,), positions), mask)
    return yuv(colors), weights


@in_full_precision
def compare(a: Columns, b: OtherColumns) -> PerImage:
    """The larger of the mean distances of the colors of one from the nearest of the other.

    At least 0, in units of luma. Departure: the distance is sqrt(|x - y|^2 + e^2) - e with
    e = 1e-3, so that its slope is defined for equal colors.
    """
    return relaxed(a, b, distances)


@in_full_precision
def target_norm(description: Columns) -> PerImage:
    """The error of a black picture: the mean length of the colors; 1 if the target is black."""
    colors, weights = description
    length = (distances(colors, torch.zeros_like(colors)) * weights).sum(1).detach()
    return length.where(length > BLACK, torch.ones_like(length))


def distances(a: Float[Tensor, "b n 3"], b: Float[Tensor, "b n 3"]) -> Float[Tensor, "b n"]:
    """Euclidean distances, position by position; smooth at distance 0."""
    return ((a - b).square().sum(2) + ROUNDING**2).sqrt() - ROUNDING


def yuv(rgb: Float[Tensor, "b n 3"]) -> Float[Tensor, "b n 3"]:
    """Luma Y in [0, 1] and color differences U in [-0.436, 0.436], V in [-0.615, 0.615]."""
    red, green, blue = rgb.unbind(2)
    luma = RED * red + GREEN * green + BLUE * blue
    u = 0.436 / (1 - BLUE) * (blue - luma)
    v = 0.615 / (1 - RED) * (red - luma)
    return torch.stack([luma, u, v], dim=2)
