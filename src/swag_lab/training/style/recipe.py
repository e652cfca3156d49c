"""How a network of one painting is trained: pure functions of the step."""

import math
from dataclasses import dataclass

import torch

from swag.errors import SettingsError


@dataclass(frozen=True)
class StyleRecipe:
    """How a network of one painting is trained.

    A step paints `batch` of the `crops`, squares of `size` pixels that are drawn from the photos
    and seen once by the network that judges. The optimizer is Adam with a linear rise over `warmup`
    steps and half a cosine; the weights that count are a running mean with this `decay`. `settings`
    (JSON), `painting` (SHA-256) and `fingerprint` (of the judging network's weights) say what is
    minimized: a training that goes on must have the same.
    """

    steps: int = 1500
    batch: int = 2
    size: int = 176
    crops: int = 400
    peak_rate: float = 2e-3
    warmup: int = 50
    largest_gradient: float = 1.0
    decay: float = 0.99
    seed: int = 0
    settings: str = ""
    painting: str = ""
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
