"""Crops of pictures, altered so that a student also learns what photographs do not show.

An optimized picture has colors, contrasts, noise and mixtures that no photograph has. The seed of
a step determines all random choices: they do not depend on the steps before.
"""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import TypeVar

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

from swag.types import Image
from swag_lab.training.distillation.recipe import DistillationRecipe

Pictures = Sequence[UInt8[Tensor, "3 _h _w"]]

T = TypeVar("T")


def crops_of(
    recipe: DistillationRecipe, sources: Mapping[str, Pictures], pool: Pictures, step: int
) -> Image:
    """The pictures of one step, in sRGB [0, 1].

    Every source is drawn with equal probability, and every picture within a source. `pool` holds
    stylized pictures, which are drawn for the recipe's share of the crops.
    """
    generator = recipe.generator(step)
    size, count = recipe.size(step), recipe.batch(step)
    crops = []
    for _ in range(count):
        if len(pool) and _uniform(generator) < recipe.stylized:
            picture, scale = _random_item(pool, generator), 1.0
        else:
            picture = _random_item(_random_item(list(sources.values()), generator), generator)
            extent = recipe.largest_scale - recipe.smallest_scale
            scale = recipe.smallest_scale + extent * _uniform(generator)
        crops.append(augment(crop(picture, size, scale, generator), generator))
    return augment_batch(torch.stack(crops), generator)


def crop(
    picture: UInt8[Tensor, "3 _h _w"], size: int, scale: float, generator: torch.Generator
) -> Float[Tensor, "3 {size} {size}"]:
    """A random square of a picture at a scale of its resolution, or larger if it is too small."""
    height, width = picture.shape[1:]
    side = max(1, min(height, width, ceil(size / scale)))
    y, x = (int(_uniform(generator) * (extent - side + 1)) for extent in (height, width))
    square = picture[None, :, y : y + side, x : x + side].float().div(255)
    if side != size:
        square = interpolate(square, (size, size), mode="bicubic", antialias=True).clamp(0, 1)
    return square[0]


def augment(
    picture: Float[Tensor, "3 h w"], generator: torch.Generator
) -> Float[Tensor, "3 _h _w"]:
    """The picture, at random mirrored, rotated, recolored, or with its channels permuted."""
    mirrored, rotated, permuted, recolored = torch.rand(4, generator=generator).tolist()
    if mirrored < 0.5:
        picture = picture.flip(-1)
    if rotated < 0.3:
        picture = picture.rot90(1 + int(rotated * 10), (1, 2))
    if permuted < 0.25:
        picture = picture[torch.randperm(3, generator=generator)]
    if recolored < 0.3:
        contrast = 0.5 + 1.1 * _uniform(generator)
        shift = 0.4 * torch.rand(3, 1, 1, generator=generator) - 0.2
        picture = ((picture - 0.5) * contrast + 0.5 + shift).clamp(0, 1)
    return picture


def augment_batch(pictures: Image, generator: torch.Generator) -> Image:
    """The pictures, at random blended with one another, noisy, or blurred."""
    blended, noisy, blurred = torch.rand(3, generator=generator).tolist()
    shape = (len(pictures), 1, 1, 1)
    if blended < 0.3:
        share = 0.6 * torch.rand(shape, generator=generator)
        pictures = pictures * (1 - share) + pictures.roll(1, 0) * share
    if noisy < 0.3:
        amount = 0.15 * torch.rand(shape, generator=generator)
        noise = torch.randn(pictures.shape, generator=generator)
        pictures = (pictures + noise * amount).clamp(0, 1)
    if blurred < 0.15:
        pictures = avg_pool2d(pad(pictures, (1, 1, 1, 1), mode="reflect"), 3, 1)
    return pictures


def _random_item(items: Sequence[T], generator: torch.Generator) -> T:
    return items[int(_uniform(generator) * len(items))]


def _uniform(generator: torch.Generator) -> float:
    return float(torch.rand((), generator=generator))
