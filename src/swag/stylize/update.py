"""What a run tells: an update after each step, a result at its end."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from swag.config import Settings
from swag.image import Picture, write
from swag.optimize import State

Task = Literal["stylize", "texture", "reconstruct"]


@dataclass(frozen=True)
class Update:
    """What a run has come to after a step; `losses` are the weighted terms.

    `index` counts from 0 over all scales, of `steps`; `size` is (height, width) in pixels;
    `state` is that of the optimiser at this scale, live: save or copy it before the next step.
    """

    index: int
    steps: int
    scale: int
    scales: int
    size: tuple[int, int]
    pixels: Tensor
    alpha: Tensor | None
    losses: dict[str, float]
    seconds: float
    settings: Settings
    state: State
    finish: Callable[[Tensor], Tensor] | None = None

    @property
    def image(self) -> Picture:
        """The picture as it is now, in [0, 1], with the alpha of the content."""
        shown = self.pixels.detach().clamp(0, 1).float().cpu()
        if self.finish is not None:
            shown = self.finish(shown).clamp(0, 1)
        return Picture(shown[0], self.alpha)


@dataclass(frozen=True)
class Result:
    """A finished picture, its last losses, and all that is needed to make it again."""

    image: Picture
    losses: dict[str, float]
    settings: Settings
    trace: list[dict[str, Any]]

    @property
    def config(self) -> dict[str, Any]:
        """The settings as plain values."""
        return self.settings.model_dump(mode="json")

    def save(self, path: str | os.PathLike[str], *, bits: int = 8, overwrite: bool = False) -> None:
        """Write the picture with its settings in it. ImageError: see `swag.image.write`."""
        metadata = {"swag": json.dumps(self.config, sort_keys=True)}
        write(path, self.image, bits=bits, metadata=metadata, overwrite=overwrite)
