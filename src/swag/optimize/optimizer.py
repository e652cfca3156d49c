"""The evaluation of a loss at a picture, and the protocol of optimizers."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from swag.precision import to_float64
from swag.types import Image

LossFn = Callable[[Tensor], dict[str, Tensor]]
"""From pictures to the scalars whose sum is minimized, by name."""


@runtime_checkable
class SteppedLoss(Protocol):
    """A loss that differs from step to step, as a jittered one does."""

    def at(self, step: int) -> LossFn:
        """The loss of the picture after so many steps."""
        ...


def loss_at(loss: LossFn | SteppedLoss, step: int) -> LossFn:
    """The loss at a step."""
    return loss.at(step) if isinstance(loss, SteppedLoss) else loss


OptimizerState = dict[str, Tensor]
"""The memory of an optimizer of earlier steps: tensors only, so that it can be saved."""


@dataclass(frozen=True)
class Evaluation:
    """A picture, its loss divided by `loss_scale`, the gradient of that, and the loss's terms.

    Dividing by the loss of the first picture keeps gradients within float32, whatever the
    constants of the loss: the paper's are about 1e-24 with a softmax over a layer.
    """

    image: Tensor
    value: Tensor
    gradient: Tensor
    terms: dict[str, Tensor]
    loss_scale: Tensor

    @cached_property
    def host_values(self) -> list[float]:
        """The value, the sum of the gradient and the terms, by one read from the device.

        Each read makes a GPU finish its work first, and idle until there is more.
        """
        scalars = [self.value, self.gradient.sum(), *self.terms.values()]
        numbers: list[float] = torch.stack([to_float64(number) for number in scalars]).tolist()
        return numbers

    def finite(self) -> bool:
        """Whether loss and gradient are finite numbers."""
        value, total, *_ = self.host_values
        return math.isfinite(value + total)

    def losses(self) -> dict[str, float]:
        """The loss's terms."""
        return dict(zip(self.terms, self.host_values[2:], strict=True))


def evaluate(loss: LossFn, image: Image, loss_scale: Tensor | None = None) -> Evaluation:
    """Loss and gradient at a picture; without a `loss_scale` its own loss becomes the scale."""
    pixels = image.detach().requires_grad_()
    terms = loss(pixels)
    total = torch.stack([to_float64(term) for term in terms.values()]).sum()
    if loss_scale is None:
        size = total.detach().abs()
        loss_scale = torch.where((size > 0) & torch.isfinite(size), size, torch.ones_like(size))
    value = total / loss_scale  # by `grad_outputs` torch would load SymPy: a third of a second
    (gradient,) = torch.autograd.grad(value, pixels)
    return Evaluation(
        image=image.detach(),
        value=value.detach(),
        gradient=gradient.contiguous(),  # the network may have channels last
        terms={name: term.detach() for name, term in terms.items()},
        loss_scale=loss_scale,
    )


MOST_COUNTED = 100_000_000
"""Steps and the like that an optimizer can have counted."""


def is_count(tensor: Tensor) -> bool:
    """Whether a tensor of a state is a number of steps."""
    return bool(tensor.dtype == torch.int64 and tensor.ndim == 0 and 0 <= tensor <= MOST_COUNTED)


def is_real_number(tensor: Tensor) -> bool:
    """Whether a tensor of a state is a scalar in float32 or float64."""
    return tensor.ndim == 0 and tensor.dtype in (torch.float32, torch.float64)


Evaluate = Callable[[Tensor], Evaluation]


class NotFinite(Exception):
    """A step found no picture with a finite loss."""


class Converged(Exception):
    """No step lowers the loss: a minimum, as far as the precision tells."""


@runtime_checkable
class Optimizer(Protocol):
    """A rule for the next picture.

    `step_scale` is 1 at first and halves whenever the loss was not finite: it multiplies
    the length of a step, or the limit on it. `step` may change the memory in place.

    Raises:
        NotFinite: no step tried had a finite loss.
        Converged: no step tried lowered the loss.
    """

    def step(
        self, evaluate: Evaluate, current: Evaluation, memory: OptimizerState, step_scale: float
    ) -> tuple[Evaluation, OptimizerState]:
        """The next evaluation and the next memory; `memory` is empty at first."""
        ...

    def rescale_state(
        self, memory: OptimizerState, resize: Callable[[Tensor], Tensor], pixels: float
    ) -> OptimizerState:
        """The part of the memory that still holds for a picture `pixels` times as large."""
        ...

    def state_fits(self, memory: OptimizerState, image: Tensor) -> bool:
        """Whether `memory` can belong to a picture like `image`; an empty one always can."""
        ...
