"""Pictures made worse, by degrees, in ways that are plain to see: what judges are tried on.

    degraded(picture, "noise", 0.5)      half as bad as the worst

A judge is worth its name if its error rises with the degree.
"""

import io
from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from PIL import Image as PillowImage
from torch import Tensor
from torchvision.transforms.functional import pil_to_tensor, rgb_to_grayscale, to_pil_image

from swag.image import resize
from swag.types import Image

DEGREES = (0.25, 0.5, 0.75, 1.0)
"""What is tried: the first is seen at a second glance, the last at the first."""

TILES = 6
"""Tiles along a side of a picture whose tiles are swapped."""


def degraded(image: Image, kind: str, degree: float) -> Image:
    """The picture made worse in one of the `DEGRADATIONS`: not at all at degree 0, badly at 1."""
    return DEGRADATIONS[kind](image, degree).clamp(0, 1) if degree > 0 else image


def _noise(image: Image, degree: float) -> Image:
    source = torch.Generator().manual_seed(0)
    return image + 0.15 * degree * torch.randn(image.shape, generator=source).to(image)


def _blur(image: Image, degree: float) -> Image:
    height, width = image.shape[-2:]
    factor = 1 + 2 * degree
    small = resize(image, (max(1, round(height / factor)), max(1, round(width / factor))))
    return resize(small, (height, width))


def _colors(image: Image, degree: float) -> Image:
    return torch.lerp(image, image.roll(1, dims=1), degree)


def _washed_out(image: Image, degree: float) -> Image:
    return torch.lerp(image, rgb_to_grayscale(image, 3), 0.9 * degree)


def _grid(image: Image, degree: float) -> Image:
    """Hatching along both axes, three pixels from line to line."""
    down, across = _places(image)
    lines = torch.cos(2 * torch.pi / 3 * down) + torch.cos(2 * torch.pi / 3 * across)
    return image + 0.1 * degree * lines


def _checks(image: Image, degree: float) -> Image:
    """A checkerboard with fields of two pixels, as networks that enlarge draw."""
    down, across = _places(image)
    return image + 0.12 * degree * (1 - 2 * ((down // 2 + across // 2) % 2))


def _frame(image: Image, degree: float) -> Image:
    """A dark border, up to an eighth of the short side wide."""
    height, width = image.shape[-2:]
    wide = max(1, round(degree * min(height, width) / 8))
    framed = torch.full_like(image, 0.1)
    framed[..., wide:-wide, wide:-wide] = image[..., wide:-wide, wide:-wide]
    return framed


def _blocks(image: Image, degree: float) -> Image:
    """What JPEG leaves of the picture: a quality of 30 at a quarter, of 1 at degree 1."""
    worse = []
    for picture in image:
        with io.BytesIO() as file:
            quality = max(1, round(40 * (1 - degree)))
            to_pil_image(picture.float().cpu()).save(file, "jpeg", quality=quality)
            worse.append(pil_to_tensor(PillowImage.open(file)) / 255)
    return torch.stack(worse).to(image)


def _swapped(image: Image, degree: float) -> Image:
    """A share of the tiles, in each other's places; the larger share has the smaller in it."""
    height, width = (side // TILES for side in image.shape[-2:])
    order = torch.randperm(TILES**2, generator=torch.Generator().manual_seed(0)).tolist()
    moved = order[: max(2, round(degree * TILES**2))]
    swapped = image.clone()
    for here, there in zip(moved, moved[1:] + moved[:1], strict=True):
        (to, left), (top, start) = divmod(here, TILES), divmod(there, TILES)
        swapped[..., to * height :, left * width :][..., :height, :width] = image[
            ..., top * height :, start * width :
        ][..., :height, :width]
    return swapped


def _places(image: Image) -> tuple[Tensor, Tensor]:
    """Rows and columns of the pixels, from 0."""
    height, width = image.shape[-2:]
    return torch.arange(height).to(image)[:, None], torch.arange(width).to(image)


DEGRADATIONS: Mapping[str, Callable[[Image, float], Image]] = MappingProxyType(
    {
        "noise": _noise,
        "blur": _blur,
        "colors": _colors,
        "washed out": _washed_out,
        "grid": _grid,
        "checks": _checks,
        "frame": _frame,
        "JPEG blocks": _blocks,
        "tiles swapped": _swapped,
    }
)
"""Ways to make a picture worse, by name."""
