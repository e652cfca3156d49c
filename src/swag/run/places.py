"""Where styles are taken from and where they go; elsewhere the photo stays."""

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
    found = [mask for mask in masks.values() if mask is not None]
    if not found or len(found) < len(masks):
        return None
    covered = torch.stack(found).sum(0).clamp(0, 1)
    return None if bool((covered > 1 - 1e-6).all()) else covered


@dataclass(frozen=True)
class PhotoOutside:
    """What is shown of a run whose styles do not go everywhere: elsewhere it is the photo."""

    photo: Tensor
    covered: Tensor
    finish: Finish | None

    def __call__(self, result: Tensor) -> Tensor:
        """The result where styles go, the photo where none does, and both at soft edges."""
        size = (result.shape[2], result.shape[3])
        shown = result if self.finish is None else self.finish(result)
        weight = resize(self.covered, size).clamp(0, 1)
        return torch.lerp(resize(self.photo, size).clamp(0, 1), shown.clamp(0, 1), weight)


def _seen(place: StyleRegion, painting: Picture, device: torch.device) -> Tensor | None:
    style_where, alpha = place.style_where, painting.alpha
    if alpha is None or bool((alpha == 1).all()):
        return style_where
    seen = alpha[None].to(device)
    if style_where is not None and style_where.shape[2:] != (1, 1):
        size = (seen.shape[2], seen.shape[3])
        seen = resize(style_where, size).clamp(0, 1) * seen
    if not bool((seen > 0).any()):
        raise SettingsError(
            f"style {place.style + 1} is transparent in the whole region that gives the style; "
            "mark a visible part of the style picture"
        )
    return seen


def weighted_by_alpha(
    places: Sequence[StyleRegion], paintings: Sequence[Picture], device: torch.device
) -> list[StyleRegion]:
    """The regions, in which hidden positions of the styles have no say."""
    return [
        replace(place, style_where=_seen(place, paintings[place.style], device)) for place in places
    ]
