"""A term of the objective: a loss on some layers, its target, and its weight."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from swag.losses import Loss
from swag.smoothing import Smoothing
from swag.types import OwnImage, OwnMask

Normalization = Literal["span", "target", "initial", "paper", "released-code"]
"""The unit of a layer's error; see `Objective.of`."""

Matched = Literal["none", "loss", "gradient"]
"""The quantity of a layer that smoothing may not change; see `LossTerm`."""


@dataclass(frozen=True)
class LossTerm:
    """A loss between `layers` of the picture and of `target`, with the weight of each layer.

    Several targets count as one. `unit_image` is the picture whose error is one under the
    normalization `span`. `mask` and `target_mask` (1, 1, h, w) say how much each pixel of the
    picture and of each target counts. `matched` is the control for the effect of smoothing by
    scale alone: each layer's factor is set so that its error at `unit_image`, or the norm of that
    error's gradient with respect to the pixels, is as large as without smoothing.
    """

    name: str
    loss: Loss
    layers: Mapping[str, float]
    target: OwnImage | tuple[OwnImage, ...]
    smoothing: Smoothing
    weight: float = 1.0
    normalization: Normalization = "span"
    unit_image: OwnImage | None = None
    mask: OwnMask | None = None
    target_mask: OwnMask | tuple[OwnMask, ...] | None = None
    matched: Matched = "none"

    @property
    def targets(self) -> tuple[tuple[Tensor, Tensor | None], ...]:
        """Each target with the mask of its pixels, or None."""
        pictures = self.target if isinstance(self.target, tuple) else (self.target,)
        if self.target_mask is None:
            return tuple((picture, None) for picture in pictures)
        masks = self.target_mask if isinstance(self.target_mask, tuple) else (self.target_mask,)
        return tuple(zip(pictures, masks, strict=True))
