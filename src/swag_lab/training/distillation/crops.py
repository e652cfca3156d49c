"""Crops of pictures, altered so that a student also learns what photographs do not show.

An optimized picture has colors, contrasts, noise and mixtures that no photograph has. The seed of
a step decides everything: what a step is shown does not depend on the steps before.
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

    Each source is drawn from as often as any other; each of its pictures as often as the rest.
    `pool` are stylized pictures, which are drawn for the recipe's share of the crops.
    """
    generator = recipe.generator(step)
    size, count = recipe.size(step), recipe.batch(step)
    crops = []
    for _ in range(count):
        if len(pool) and _uniform(generator) < recipe.stylized:
            picture, scale = _chosen(pool, generator), 1.0
        else:
            picture = _chosen(_chosen(list(sources.values()), generator), generator)
            span = recipe.largest_scale - recipe.smallest_scale
            scale = recipe.smallest_scale + span * _uniform(generator)
        crops.append(altered(crop(picture, size, scale, generator), generator))
    return mixed(torch.stack(crops), generator)


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


def altered(
    picture: Float[Tensor, "3 h w"], generator: torch.Generator
) -> Float[Tensor, "3 _h _w"]:
    """Now and then mirrored, turned, recolored, or with its channels exchanged."""
    mirrored, turned, exchanged, recolored = torch.rand(4, generator=generator).tolist()
    if mirrored < 0.5:
        picture = picture.flip(-1)
    if turned < 0.3:
        picture = picture.rot90(1 + int(turned * 10), (1, 2))
    if exchanged < 0.25:
        picture = picture[torch.randperm(3, generator=generator)]
    if recolored < 0.3:
        contrast = 0.5 + 1.1 * _uniform(generator)
        shift = 0.4 * torch.rand(3, 1, 1, generator=generator) - 0.2
        picture = ((picture - 0.5) * contrast + 0.5 + shift).clamp(0, 1)
    return picture


def mixed(pictures: Image, generator: torch.Generator) -> Image:
    """Now and then blended with one another, with noise, or softened."""
    blended, noisy, softened = torch.rand(3, generator=generator).tolist()
    shape = (len(pictures), 1, 1, 1)
    if blended < 0.3:
        share = 0.6 * torch.rand(shape, generator=generator)
        pictures = pictures * (1 - share) + pictures.roll(1, 0) * share
    if noisy < 0.3:
        amount = 0.15 * torch.rand(shape, generator=generator)
        noise = torch.randn(pictures.shape, generator=generator)
        pictures = (pictures + noise * amount).clamp(0, 1)
    if softened < 0.15:
        pictures = avg_pool2d(pad(pictures, (1, 1, 1, 1), mode="reflect"), 3, 1)
    return pictures


def _chosen(items: Sequence[T], generator: torch.Generator) -> T:
    return items[int(_uniform(generator) * len(items))]


def _uniform(generator: torch.Generator) -> float:
    return float(torch.rand((), generator=generator))
