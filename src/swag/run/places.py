"""Where in the paintings styles come from and where they go; elsewhere the photo stays."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from swag.errors import SettingsError
from swag.image import Picture, resize
from swag.run.recolor import Finish
from swag.run.terms import StyleRegion


def coverage(places: Sequence[StyleRegion]) -> Tensor | None:
    """How much of the style each pixel is to take (1, 1, h, w), from 0 to 1; None: all of it.

    Styles that share a region cover it once.
    """
    masks = {place.name: place.mask for place in places}
    maps = [mask for mask in masks.values() if mask is not None]
    if not maps or len(maps) < len(masks):
        return None
    covered = torch.stack(maps).sum(0).clamp(0, 1)
    return None if bool((covered > 1 - 1e-6).all()) else covered


@dataclass(frozen=True)
class PhotoOutside:
    """The `Finish` of a run whose styles do not cover all of the photo, which stays elsewhere."""

    photo: Tensor
    covered: Tensor
    finish: Finish | None

    def __call__(self, result: Tensor) -> Tensor:
        """The result where styles go, the photo where none does, and both at soft edges."""
        size = (result.shape[2], result.shape[3])
        finished = result if self.finish is None else self.finish(result)
        weight = resize(self.covered, size).clamp(0, 1)
        return torch.lerp(resize(self.photo, size).clamp(0, 1), finished.clamp(0, 1), weight)


def _style_mask(place: StyleRegion, painting: Picture, device: torch.device) -> Tensor | None:
    """How much each position of a style counts: 0 if transparent. None: all alike."""
    style_mask, alpha = place.style_mask, painting.alpha
    if alpha is None or bool((alpha == 1).all()):
        return style_mask
    weight = alpha[None].to(device)
    if style_mask is not None and style_mask.shape[2:] != (1, 1):
        size = (weight.shape[2], weight.shape[3])
        weight = resize(style_mask, size).clamp(0, 1) * weight
    if not bool((weight > 0).any()):
        raise SettingsError(
            f"style {place.style + 1} is transparent in the whole region that gives the style; "
            "mark a visible part of the style picture"
        )
    return weight


def weighted_by_alpha(
    places: Sequence[StyleRegion], paintings: Sequence[Picture], device: torch.device
) -> list[StyleRegion]:
    """The regions with `style_mask` times the paintings' alpha: hidden pixels do not count."""
    return [replace(p, style_mask=_style_mask(p, paintings[p.style], device)) for p in places]
