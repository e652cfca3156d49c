"""The schedule of a distillation: crops and learning rates as pure functions of the step."""

import math
from dataclasses import dataclass, field, replace
from typing import Any

from swag.errors import SettingsError
from swag_lab.training.recipe import SeededSteps


@dataclass(frozen=True)
class DistillationRecipe(SeededSteps):
    """How students are distilled.

    Each step trains on crops of one of the `sizes` (pixels), as many as have about `pixels` pixels
    together, at `smallest_scale` to `largest_scale` of the pictures' resolution. The share
    `stylized` of them are pictures that the first student itself was optimized on: every
    `restyle_every` steps new ones replace the oldest of `pool` (see `restyle`), from the share
    `stylized_from` of the training on. The optimizer is AdamW with a linear rise over `warmup`
    steps and half a cosine to zero. From the share `fixed_norms_from` of the steps on, batch norms
    use and keep the statistics gathered so far, as the shipped students will. Principal axes are
    found on `axes_batches` batches.
    `teacher` and `fingerprint` name the network that is predicted, `students` the sizes of those
    that predict it: a training that resumes must have the same.
    """

    steps: int = 20_000
    pixels: int = 73_728
    sizes: tuple[int, ...] = (96, 64, 96, 128)
    smallest_scale: float = 0.25
    largest_scale: float = 1.1
    peak_rate: float = 2e-3
    warmup: int = 100
    weight_decay: float = 1e-4
    largest_gradient: float = 1.0
    fixed_norms_from: float = 0.8
    axes_batches: int = 32
    stylized: float = 0.2
    stylized_from: float = 0.1
    restyle_every: int = 100
    restyle_steps: int = 32
    pool: int = 384
    seed: int = 0
    teacher: str = ""
    fingerprint: str = ""
    students: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.steps < 1 or self.peak_rate <= 0:
            raise SettingsError(
                f"steps={self.steps}, peak_rate={self.peak_rate}: expected at least one step and a "
                "rate above zero"
            )
        if not self.sizes or min(self.sizes) < 32 or max(self.sizes) ** 2 > self.pixels:
            raise SettingsError(
                f"crops of {self.sizes} pixels: expected sides of at least 32 pixels, and room "
                f"for one in {self.pixels} pixels"
            )
        if not 0 < self.smallest_scale <= self.largest_scale:
            raise SettingsError(
                f"scales from {self.smallest_scale} to {self.largest_scale}: expected numbers "
                "above zero, the smallest first"
            )

    def size(self, step: int) -> int:
        """Side of the crops in pixels."""
        return self.sizes[step % len(self.sizes)]

    def batch(self, step: int) -> int:
        """Number of crops."""
        return max(1, self.pixels // self.size(step) ** 2)

    def rate(self, step: int) -> float:
        """Learning rate: a linear rise, then half a cosine to zero."""
        rise = min(1.0, (step + 1) / max(1, self.warmup))
        return self.peak_rate * rise * 0.5 * (1 + math.cos(math.pi * step / self.steps))

    def fixes_norms(self, step: int) -> bool:
        """Whether batch norms use and keep their running statistics in this step."""
        return step >= self.fixed_norms_from * self.steps

    def restyles(self, step: int) -> bool:
        """Whether new stylized pictures are made before this step."""
        due = step % self.restyle_every == 0 and step >= self.stylized_from * self.steps
        return due and self.stylized > 0


def continued_distillation(recipe: DistillationRecipe) -> DistillationRecipe:
    """The recipe for students that are trained already: smaller steps, norms as they are."""
    return replace(recipe, peak_rate=1e-3, fixed_norms_from=0.0, stylized_from=0.0)
