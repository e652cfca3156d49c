"""How a painter is trained: pure functions of the step."""

import math
from dataclasses import dataclass

import torch

from swag.errors import SettingsError


@dataclass(frozen=True)
class PainterRecipe:
    """How a painter is trained.

    A step paints `batch` photos, each in the style of another painting, as crops of `size` pixels
    drawn from `photos` and `paintings` that are described once. One painting in `photo_styles` is a
    photo, so that a style is not always paint. Half of the strengths are 0.5, the others anything
    from `weakest` to 1; the content keeps at least `least_content` of weight. `balance` is the
    ratio of style to content at strength 0.5: five times that of an optimization, as what one pass
    cannot paint it makes up with the photo. `reconstruction` weighs how well a painting that
    nothing moves is given back. The optimizer is Adam with a linear rise over `warmup` steps and
    half a cosine; the weights that count are a running mean with this `decay`.
    """

    steps: int = 2600
    batch: int = 4
    size: int = 160
    photos: int = 800
    paintings: int = 600
    photo_styles: int = 7
    weakest: float = 0.1
    least_content: float = 0.2
    balance: float = 5.0
    reconstruction: float = 10.0
    peak_rate: float = 1e-3
    warmup: int = 100
    largest_gradient: float = 1.0
    decay: float = 0.999
    seed: int = 0
    backbone: str = ""
    fingerprint: str = ""

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 1 or self.size < 64:
            raise SettingsError(
                f"steps={self.steps}, batch={self.batch}, size={self.size}: expected at least one "
                "step, one photo, and crops of 64 pixels"
            )

    def rate(self, step: int) -> float:
        """Learning rate: a linear rise, then half a cosine to a fiftieth."""
        rise = min(1.0, (step + 1) / max(1, self.warmup))
        return self.peak_rate * rise * (0.02 + 0.49 * (1 + math.cos(math.pi * step / self.steps)))

    def keeps(self, step: int) -> float:
        """How much of the running mean of the weights stays; at first they change too fast."""
        return min(self.decay, (1 + step) / (10 + step))

    def generator(self, step: int) -> torch.Generator:
        """The random numbers of one step, independent of all others."""
        return torch.Generator().manual_seed(self.seed * 1_000_003 + step)
