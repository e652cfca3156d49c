"""A picture with its loss and gradient, and what a method of optimisation is."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from swag.precision import widened
from swag.types import Image

Loss = Callable[[Tensor], dict[str, Tensor]]
"""From pictures to the scalars whose sum is minimised, by name."""

Memory = dict[str, Tensor]
"""What a method knows from earlier steps: tensors only, so that it can be saved as it is."""


@dataclass(frozen=True)
class Point:
    """A picture, its loss divided by `reference`, the gradient of that, and the loss's terms.

    Dividing by the loss of the first picture keeps gradients within float32, whatever the
    constants of the loss: the poster's are about 1e-24 with a softmax over a layer.
    """

    image: Tensor
    value: Tensor
    gradient: Tensor
    terms: dict[str, Tensor]
    reference: Tensor

    @cached_property
    def numbers(self) -> list[float]:
        """The value, the sum of the gradient and the terms, from one read of the device.

        A graphics processor that is read has to finish first, and idles while it is told more.
        """
        found = [self.value, self.gradient.sum(), *self.terms.values()]
        numbers: list[float] = torch.stack([widened(number) for number in found]).tolist()
        return numbers

    def finite(self) -> bool:
        """Whether loss and gradient are finite numbers."""
        value, total, *_ = self.numbers
        return math.isfinite(value + total)

    def losses(self) -> dict[str, float]:
        """The loss's terms."""
        return dict(zip(self.terms, self.numbers[2:], strict=True))


def evaluate(loss: Loss, image: Image, reference: Tensor | None = None) -> Point:
    """Loss and gradient at a picture; without a `reference` its own loss becomes the reference."""
    pixels = image.detach().requires_grad_()
    terms = loss(pixels)
    total = torch.stack([widened(term) for term in terms.values()]).sum()
    if reference is None:
        size = total.detach().abs()
        reference = torch.where((size > 0) & torch.isfinite(size), size, torch.ones_like(size))
    value = total / reference  # by `grad_outputs` torch would load SymPy: a third of a second
    (gradient,) = torch.autograd.grad(value, pixels)
    return Point(
        image=image.detach(),
        value=value.detach(),
        gradient=gradient.contiguous(),  # the network may have laid its channels last
        terms={name: term.detach() for name, term in terms.items()},
        reference=reference,
    )


def cloned(memory: Memory) -> Memory:
    """A copy of what a method knows."""
    return {name: tensor.clone() for name, tensor in memory.items()}


Evaluate = Callable[[Tensor], Point]


class NotFinite(Exception):
    """A step found no picture with a finite loss."""


class Stalled(Exception):
    """No step lowers the loss: a minimum, as far as the precision tells."""


@runtime_checkable
class Method(Protocol):
    """A rule for the next picture.

    `caution` is 1 at first and halves whenever the loss left the finite numbers: the length of
    a step, or the limit on it, is multiplied by it. `step` may change the memory in place.

    Raises:
        NotFinite: every step tried led out of the finite numbers.
        Stalled: no step tried lowered the loss.
    """

    def step(
        self, evaluate: Evaluate, point: Point, memory: Memory, caution: float
    ) -> tuple[Point, Memory]:
        """The next point, and what is to be remembered; `memory` is empty at first."""
        ...

    def owned(self, memory: Memory) -> Memory:
        """A copy of what was remembered in an earlier run, for this one to change."""
        ...

    def resized(self, memory: Memory, resize: Callable[[Tensor], Tensor], pixels: float) -> Memory:
        """What of the memory holds at another size of the picture, `pixels` times as large."""
        ...
