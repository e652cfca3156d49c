"""The schedule of a training: crops and learning rates as pure functions of the step's number.

Recipes keep no state and every random choice of a step is drawn from (seed, step), so a training
that resumes from a checkpoint uses the same pictures as one that never stopped.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

import torch

from swag.errors import SettingsError

Phase = Literal["main", "detail"]

MOST_EPOCHS = 100_000
"""Passes over the pictures at most, hundreds of times as many as are of use."""


class SeededSteps:
    """The base of recipes: random choices that depend on the seed and the step alone."""

    seed: int

    def generator(self, step: int) -> torch.Generator:
        """The random numbers of one step, independent of all others."""
        return torch.Generator().manual_seed((self.seed * 1_000_003 + step) % 2**64)


@dataclass(frozen=True)
class Recipe(SeededSteps):
    """How a backbone is trained; the defaults are the recipe for two CPU cores.

    The side of the crops grows from `smallest` to `largest` pixels over the training (Howard
    2018; Touvron et al. 2019: a network trained on small crops is tested well on larger ones),
    in multiples of 8. After the share `detail_from` of the steps every `detail_every`-th batch
    comes from the detail sources, in crops of `detail_size` pixels at nearly full resolution.
    With `near_identity` the filters of blocks without shortcuts begin as nearly the identity.
    """

    epochs: float = 16.0
    batch: int = 128
    peak_rate: float = 0.15
    warmup: float = 0.15
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.1
    smallest: int = 32
    largest: int = 64
    smallest_area: float = 0.35
    detail_from: float = 0.6
    detail_every: int = 4
    detail_size: int = 112
    detail_batch: int = 32
    near_identity: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.epochs <= MOST_EPOCHS or self.batch < 1 or self.peak_rate <= 0:
            raise SettingsError(
                f"epochs={self.epochs}, batch={self.batch}, peak_rate={self.peak_rate}: "
                f"all must be above zero, and at most {MOST_EPOCHS} epochs"
            )
        if not 8 <= self.smallest <= self.largest:
            raise SettingsError(
                f"crops from {self.smallest} to {self.largest} pixels: expected at least 8, "
                "and the smallest not above the largest"
            )

    def steps(self, pictures: int) -> int:
        """Number of steps for a main source with this number of pictures."""
        return max(1, round(self.epochs * pictures / self.batch))

    def rate(self, step: int, steps: int) -> float:
        """Learning rate: a linear rise, then half a cosine to zero (one cycle, Smith 2018)."""
        progress = step / steps
        if progress < self.warmup:
            return self.peak_rate * max(progress, 1 / steps) / self.warmup
        fall = (progress - self.warmup) / (1 - self.warmup)
        return self.peak_rate * 0.5 * (1 + math.cos(math.pi * fall))

    def size(self, step: int, steps: int) -> int:
        """Side of the crops in pixels: the range in equal stretches, one for each multiple of 8."""
        sizes = range(self.smallest, self.largest + 1, 8)
        return sizes[min(int(step / steps * len(sizes)), len(sizes) - 1)]

    def phase(self, step: int, steps: int) -> Phase:
        """Which kind of source the step's batch comes from."""
        late = step >= self.detail_from * steps
        return "detail" if late and step % self.detail_every == 0 else "main"


def continued(recipe: Recipe) -> Recipe:
    """A recipe for a trained network: lower rate, large crops, weaker regularization."""
    return replace(
        recipe,
        peak_rate=0.4 * recipe.peak_rate,
        near_identity=False,
        smallest=recipe.largest - 8,
        smallest_area=0.5,
        weight_decay=1e-4,
        label_smoothing=0.05,
    )


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        # About a minute and a half for each epoch of 25,000 pictures.
        "cpu": Recipe(),
        # More passes in larger batches, with the rate in proportion (Goyal et al. 2017). It has not
        # been run at full length.
        "gpu": Recipe(epochs=60.0, batch=256, peak_rate=0.3, detail_batch=64),
        # For networks of many layers without shortcuts: filters begin near the identity and the
        # rate is about half. With `cpu` the 33 layers of swag/noresnet-deep hardly began to learn.
        "plain": Recipe(peak_rate=0.08, near_identity=True),
    }
)
"""For two CPU cores, for a GPU, and for deep networks without shortcuts."""


def indices(pictures: int, batch: int, step: int, seed: int) -> torch.Tensor:
    """The pictures of a step: each pass is a fresh permutation of the source, cut into batches."""
    per_pass = max(1, pictures // batch)
    order = torch.Generator().manual_seed((seed * 7_919 + step // per_pass) % 2**64)
    shuffled = torch.randperm(pictures, generator=order)
    start = (step % per_pass) * batch
    return shuffled[start : start + batch]
