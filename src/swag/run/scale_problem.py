"""What is minimised at one scale, over what."""

from dataclasses import dataclass

from torch import Tensor

from swag.jitter import Jittered
from swag.optimize import LossFn
from swag.parametrization import Parametrization
from swag.types import Precision, Size


@dataclass(frozen=True)
class ScaleProblem:
    """A part of a scale: what is minimised there; `start` where targets depend on it."""

    number: int
    size: Size
    start: Tensor | None
    loss_fn: LossFn
    parametrisation: Parametrization
    precision: Precision

    def decode(self, latents: Tensor) -> Tensor:
        """The picture for which latents stand."""
        return self.parametrisation.decode(latents, self.size)

    def loss(self, latents: Tensor) -> dict[str, Tensor]:
        """The terms of what the optimiser moves."""
        return self.loss_fn(self.decode(latents))

    @property
    def looks(self) -> int:
        """How often the picture was seen at random."""
        return self.loss_fn.count if isinstance(self.loss_fn, Jittered) else 0
