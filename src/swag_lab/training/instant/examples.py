"""Crops of photos and paintings, passed once through the loss network; steps draw from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from swag import losses
from swag.backbones import Backbone
from swag.types import Image
from swag_lab.training.distillation.crops import Pictures, augment, crop
from swag_lab.training.instant.recipe import PainterRecipe

STYLE = losses.get("bures")
CONTENT = losses.get("content")


@dataclass(frozen=True)
class Example:
    """A crop (3, h, w), its style and its content at each layer; small ones, as there are many."""

    pixels: Tensor
    style: Mapping[str, tuple[Tensor, Tensor]]
    content: Mapping[str, Tensor]


@dataclass(frozen=True)
class PaintingBatch:
    """Photos, as many paintings, and how strongly each photo is to be painted, in [0, 1]."""

    photos: Sequence[Example]
    paintings: Sequence[Example]
    strength: Float[Tensor, " b"]


@dataclass
class Examples:
    """All crops of a training; each is made when it is first drawn."""

    recipe: PainterRecipe
    network: Backbone
    photos: Pictures
    paintings: Pictures
    cache: dict[tuple[str, int], Example] = field(default_factory=dict)

    def batch(self, step: int) -> PaintingBatch:
        """The photos, paintings and strengths of a step."""
        generator = self.recipe.generator(step)
        count = self.recipe.batch
        photo_draws, half_draws, strength_draws = torch.rand(3, count, generator=generator)
        style_draws = torch.rand(count, generator=generator)
        weakest = self.recipe.weakest
        return PaintingBatch(
            photos=[self._photo(int(u * self.recipe.photos)) for u in photo_draws.tolist()],
            paintings=[
                self._painting(int(u * self.recipe.paintings)) for u in style_draws.tolist()
            ],
            strength=torch.where(half_draws < 0.5, 0.5, weakest + (1 - weakest) * strength_draws),
        )

    def _photo(self, number: int) -> Example:
        return self._example("photo", number, self.photos, augmenting=False)

    def _painting(self, number: int) -> Example:
        is_photo = number % self.recipe.photo_styles == 0
        source = self.photos if is_photo else self.paintings
        return self._example("painting", number, source, augmenting=True)

    def _example(self, kind: str, number: int, source: Pictures, *, augmenting: bool) -> Example:
        if (kind, number) not in self.cache:
            generator = self.recipe.generator(-1 - 2 * number - augmenting)
            index, scale, mirrored = torch.rand(3, generator=generator).tolist()
            picture = source[int(index * len(source))]
            pixels = crop(picture, self.recipe.size, 0.45 + 0.55 * scale, generator)
            if augmenting:
                pixels = augment(pixels, generator)
            elif mirrored < 0.5:
                pixels = pixels.flip(-1)
            self.cache[kind, number] = example_of(self.network, pixels)
        return self.cache[kind, number]


@torch.no_grad()
def example_of(network: Backbone, pixels: Float[Tensor, "3 h w"]) -> Example:
    """A crop with its style and content at the network's layers."""
    device = next(network.parameters()).device
    layers = [*network.style_layers, *network.content_layers]
    maps = network.extract(pixels[None].to(device), list(dict.fromkeys(layers)))
    return Example(
        pixels=pixels.half(),
        style={layer: STYLE.describe(maps[layer]) for layer in network.style_layers},
        content={layer: maps[layer].half() for layer in network.content_layers},
    )


def pictures(examples: Sequence[Example], device: torch.device) -> Image:
    """The crops of examples as a batch on a device."""
    batch = torch.stack([example.pixels for example in examples]).to(device).float()
    return batch.to(memory_format=torch.channels_last)
