"""Pictures made worse by degrees, in plainly visible ways, on which judges are tested.

    degraded(picture, "noise", 0.5)      half as bad as the worst

A judge passes if its error rises with the degree.
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
"""The degrees that are tried: the first shows at a second glance, the last at the first."""

TILES = 6
"""Tiles along a side of a picture whose tiles are swapped."""


def degraded(image: Image, kind: str, degree: float) -> Image:
    """The picture made worse in one of the `DEGRADATIONS`: not at all at degree 0, badly at 1."""
    return DEGRADATIONS[kind](image, degree).clamp(0, 1) if degree > 0 else image


def _noise(image: Image, degree: float) -> Image:
    generator = torch.Generator().manual_seed(0)
    return image + 0.15 * degree * torch.randn(image.shape, generator=generator).to(image)


def _blur(image: Image, degree: float) -> Image:
    height, width = image.shape[-2:]
    factor = 1 + 2 * degree
    small = resize(image, (max(1, round(height / factor)), max(1, round(width / factor))))
    return resize(small, (height, width))


def _colors(image: Image, degree: float) -> Image:
    return torch.lerp(image, image.roll(1, dims=1), degree)


def _desaturate(image: Image, degree: float) -> Image:
    return torch.lerp(image, rgb_to_grayscale(image, 3), 0.9 * degree)


def _grid(image: Image, degree: float) -> Image:
    """Hatching along both axes, three pixels from line to line."""
    rows, columns = _coordinates(image)
    lines = torch.cos(2 * torch.pi / 3 * rows) + torch.cos(2 * torch.pi / 3 * columns)
    return image + 0.1 * degree * lines


def _checks(image: Image, degree: float) -> Image:
    """A checkerboard with fields of two pixels, as upsampling networks draw."""
    rows, columns = _coordinates(image)
    return image + 0.12 * degree * (1 - 2 * ((rows // 2 + columns // 2) % 2))


def _frame(image: Image, degree: float) -> Image:
    """A dark border, up to an eighth of the short side wide."""
    height, width = image.shape[-2:]
    border = max(1, round(degree * min(height, width) / 8))
    framed = torch.full_like(image, 0.1)
    framed[..., border:-border, border:-border] = image[..., border:-border, border:-border]
    return framed


def _blocks(image: Image, degree: float) -> Image:
    """The picture after JPEG: of quality 30 at degree 0.25, of 1 at degree 1."""
    compressed = []
    for picture in image:
        with io.BytesIO() as file:
            quality = max(1, round(40 * (1 - degree)))
            to_pil_image(picture.float().cpu()).save(file, "jpeg", quality=quality)
            compressed.append(pil_to_tensor(PillowImage.open(file)) / 255)
    return torch.stack(compressed).to(image)


def _swap_tiles(image: Image, degree: float) -> Image:
    """Permute a share of the tiles in a cycle; a larger share includes the tiles of a smaller."""
    height, width = (side // TILES for side in image.shape[-2:])
    order = torch.randperm(TILES**2, generator=torch.Generator().manual_seed(0)).tolist()
    cycle = order[: max(2, round(degree * TILES**2))]
    swapped = image.clone()
    for target, source in zip(cycle, cycle[1:] + cycle[:1], strict=True):
        (row, column), (source_row, source_column) = divmod(target, TILES), divmod(source, TILES)
        swapped[..., row * height :, column * width :][..., :height, :width] = image[
            ..., source_row * height :, source_column * width :
        ][..., :height, :width]
    return swapped


def _coordinates(image: Image) -> tuple[Tensor, Tensor]:
    """Rows and columns of the pixels, from 0."""
    height, width = image.shape[-2:]
    return torch.arange(height).to(image)[:, None], torch.arange(width).to(image)


DEGRADATIONS: Mapping[str, Callable[[Image, float], Image]] = MappingProxyType(
    {
        "noise": _noise,
        "blur": _blur,
        "colors": _colors,
        "washed out": _desaturate,
        "grid": _grid,
        "checks": _checks,
        "frame": _frame,
        "JPEG blocks": _blocks,
        "tiles swapped": _swap_tiles,
    }
)
"""Ways to make a picture worse, by name."""
