"""The Laplacian pyramid: bands of detail, each half the size of the one before.

Burt and Adelson, "The Laplacian pyramid as a compact image code", IEEE Transactions on
Communications, 1983. Kolkin, Salavon and Shakhnarovich, "Style transfer by relaxed optimal
transport and self-similarity", CVPR 2019 (STROTSS), move its entries instead of pixels: an entry
of a coarse band moves a whole region.
"""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from swag.parametrization.form import Latents
from swag.types import OwnImage, Size

BANDS = 5
"""Bands of detail above the coarsest picture; fewer if a single pixel is reached before."""

Band = Float[Tensor, "_b 3 _h _w"]


def encode(image: OwnImage) -> Latents:
    """The bands from fine to coarse, laid end to end in one row; about 4/3 as many as pixels.

    A band is what is lost when the picture is made half as large (rounded up) and as large
    again; the last one is the coarsest picture itself. Departure: both changes of size are
    bilinear, halving antialiased, whereas Burt and Adelson have a kernel of five taps: this way a
    picture of any size has a pyramid.
    """
    bands = []
    sizes = _sizes((image.shape[-2], image.shape[-1]))
    for size, smaller in pairwise(sizes):
        coarse = interpolate(image, smaller, mode="bilinear", antialias=True)
        bands.append(image - _enlarge(coarse, size))
        image = coarse
    return torch.cat([band.flatten(2) for band in [*bands, image]], dim=2)[:, :, None]


def decode(latents: Latents, size: Size) -> OwnImage:
    """The sum of all bands, each enlarged to the size of the next finer one in turn: linear."""
    sizes = _sizes(size)
    parts = torch.split(latents[:, :, 0], [h * w for h, w in sizes], dim=2)
    bands = [part.reshape(*part.shape[:2], *s) for part, s in zip(parts, sizes, strict=True)]
    picture: Tensor = bands.pop()
    for band in reversed(bands):
        picture = band + _enlarge(picture, (band.shape[-2], band.shape[-1]))
    return picture


def _sizes(size: Size) -> list[Size]:
    """The sizes of all bands, from fine to coarse."""
    sizes = [size]
    while len(sizes) <= BANDS and max(sizes[-1]) > 1:
        height, width = sizes[-1]
        sizes.append(((height + 1) // 2, (width + 1) // 2))
    return sizes


def _enlarge(band: Band, size: Size) -> Band:
    return interpolate(band, size, mode="bilinear", align_corners=False)
