"""The problem of one scale: a loss, and the variables that it is minimized over."""

from dataclasses import dataclass
from functools import partial

from torch import Tensor

from swag.optimize import LossFn, SteppedLoss, loss_at
from swag.parametrization import Parametrization
from swag.types import Precision, Size


@dataclass(frozen=True)
class ScaleProblem:
    """The loss of a scale's steps up to `end`; `start` is its first picture if targets need it."""

    scale: int
    size: Size
    end: int
    loss_fn: LossFn | SteppedLoss
    parametrization: Parametrization
    start: Tensor | None = None
    precision: Precision = "float32"

    def decode(self, latents: Tensor) -> Tensor:
        """The picture that latents stand for."""
        return self.parametrization.decode(latents, self.size)

    def at(self, step: int) -> LossFn:
        """The loss of latents in a step."""
        return partial(self._loss, loss_at(self.loss_fn, step))

    def _loss(self, loss_fn: LossFn, latents: Tensor) -> dict[str, Tensor]:
        return loss_fn(self.decode(latents))
