"""Crops of photos, each passed once through the loss network; steps draw from them."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from swag.types import FeatureMaps, Image, PerImage
from swag_lab.training.distillation.crops import Pictures, crop
from swag_lab.training.style.loss import StyleObjective
from swag_lab.training.style.recipe import StyleRecipe

SMALLEST_SCALE = 0.6
"""Smallest resolution of a crop, as a fraction of the photo's own."""


@dataclass(frozen=True)
class PhotoCrops:
    """Crops as a batch, their content, and the span of each to the style in each layer loss."""

    pixels: Image
    contents: FeatureMaps
    style_spans: list[PerImage]


@dataclass
class CropSource:
    """All crops of a training; each is made when it is first drawn, and kept in half precision."""

    recipe: StyleRecipe
    objective: StyleObjective
    photos: Pictures
    device: torch.device
    cache: dict[int, PhotoCrops] = field(default_factory=dict)

    def batch(self, step: int) -> PhotoCrops:
        """The crops that a step paints."""
        draws = torch.rand(self.recipe.batch, generator=self.recipe.generator(step))
        examples = [self._crop(int(u * self.recipe.crops)) for u in draws.tolist()]
        spans = zip(*(example.style_spans for example in examples), strict=True)
        return PhotoCrops(
            pixels=_concatenate([example.pixels for example in examples], self.device),
            contents={
                layer: _concatenate([example.contents[layer] for example in examples], self.device)
                for layer in examples[0].contents
            },
            style_spans=[torch.cat(parts) for parts in spans],
        )

    def _crop(self, number: int) -> PhotoCrops:
        if number not in self.cache:
            pixels = drawn_crop(self.recipe, self.photos, number)[None].to(self.device)
            contents = self.objective.content_maps(pixels)
            self.cache[number] = PhotoCrops(
                pixels=pixels.half(),
                contents={layer: maps.half() for layer, maps in contents.items()},
                style_spans=self.objective.style_spans(pixels),
            )
        return self.cache[number]


def drawn_crop(
    recipe: StyleRecipe, photos: Pictures, number: int
) -> Float[Tensor, "3 {recipe.size} {recipe.size}"]:
    """The crop of this number: a square of some photo, mirrored half of the time."""
    generator = recipe.generator(-1 - number)
    index, fraction, mirrored = torch.rand(3, generator=generator).tolist()
    picture = photos[int(index * len(photos))]
    scale = SMALLEST_SCALE + (1 - SMALLEST_SCALE) * fraction
    pixels = crop(picture, recipe.size, scale, generator)
    return pixels.flip(-1) if mirrored < 0.5 else pixels


def _concatenate(parts: list[Tensor], device: torch.device) -> Tensor:
    return torch.cat(parts).to(device).float().contiguous(memory_format=torch.channels_last)
