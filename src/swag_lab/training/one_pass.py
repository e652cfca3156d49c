"""Schedule, step and mean of weights, shared by trainings of networks that paint in one pass."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch
from torch import nn

from swag.backbones.initialization import seeded
from swag.errors import SettingsError
from swag.types import Scalar
from swag_lab.training import checkpoint
from swag_lab.training.recipe import SeededSteps

Painting = TypeVar("Painting", bound=nn.Module)
"""A network that paints."""


@dataclass(frozen=True)
class OnePassRecipe(SeededSteps):
    """The schedule of a training: pure functions of the step.

    A step paints `batch` crops of `size` pixels. The optimizer is Adam with a linear rise over
    `warmup` steps and half a cosine; the exported weights are a running mean with this `decay`.
    """

    steps: int
    batch: int
    size: int
    peak_rate: float
    warmup: int
    decay: float
    largest_gradient: float = 1.0
    seed: int = 0

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
        """Decay of the running mean in this step: lower at first, as weights then change fast."""
        return min(self.decay, (1 + step) / (10 + step))


@torch.no_grad()
def initialize_by_he(network: nn.Module) -> None:
    """Random weights of all convolutions by He et al. 2015, and no biases."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]


@dataclass(frozen=True)
class OnePassProgress(checkpoint.ProgressLine):
    """One line of the log: errors of style and content, running means over the last steps."""

    style: float
    content: float

    @property
    def summary(self) -> str:
        """The errors in words."""
        return f"style {self.style:.3f}, content {self.content:.3f}"


class Averaged(nn.Module, Generic[Painting]):
    """A network, and the running mean of its weights, which is what is exported."""

    network: Painting
    mean: Painting

    def __init__(
        self, create: Callable[[], Painting], initialize: Callable[[Painting], None], *, seed: int
    ) -> None:
        super().__init__()
        with seeded(seed):
            self.network = create()
            initialize(self.network)
        self.mean = create()
        self.mean.load_state_dict(self.network.state_dict())

    def update(
        self, total: Scalar, optimizer: torch.optim.Optimizer, recipe: OnePassRecipe, step: int
    ) -> None:
        """Step down the gradient of a loss, if finite, and update the running mean of weights."""
        optimizer.param_groups[0]["lr"] = recipe.rate(step)
        optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), recipe.largest_gradient)
        if bool(norm.isfinite()):
            optimizer.step()
            self._update_mean(recipe.keeps(step))

    @torch.no_grad()
    def _update_mean(self, decay: float) -> None:
        """Move the running mean towards the present weights."""
        for mean, parameter in zip(self.mean.parameters(), self.network.parameters(), strict=True):
            mean.lerp_(parameter, 1 - decay)


def create_or_resume(
    create: Callable[[], Painting],
    initialize: Callable[[Painting], None],
    recipe: OnePassRecipe,
    saved: Path,
    *,
    device: torch.device | str,
) -> tuple[Averaged[Painting], torch.optim.Optimizer, int]:
    """A network with its optimizer, and the first step to take: from `saved` if it exists.

    Raises:
        WeightsError: `saved` is damaged, or holds a training with another recipe.
    """
    model = Averaged(create, initialize, seed=recipe.seed).to(device)
    model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.network.parameters(), betas=(0.9, 0.99))
    if not saved.exists():
        return model, optimizer, 0
    state = checkpoint.load_training(saved)
    checkpoint.restore(state, saved, model, optimizer, recipe=recipe)
    return model, optimizer, int(state["step"])
