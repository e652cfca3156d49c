"""Adam (Kingma & Ba 2015, https://arxiv.org/abs/1412.6980), for pictures."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from swag.optimize.point import Evaluate, Memory, NotFinite, Point


@dataclass(frozen=True)
class Adam:
    """Adam with a constant rate, whose moments go on at the next size of the picture.

    Departure: `epsilon` is relative, a share of the largest second moment, so that the step does
    not depend on the scale of the loss.

    Args:
        rate: about the largest change of a value in a step, where black to white is 1.
        betas: decay of the means of gradients and of their squares.
    """

    rate: float = 0.02
    betas: tuple[float, float] = (0.9, 0.99)
    epsilon: float = 1e-6

    def step(
        self, evaluate: Evaluate, point: Point, memory: Memory, caution: float
    ) -> tuple[Point, Memory]:
        """See `Method.step`."""
        memory = memory or self._empty(point.gradient)
        first, second = self.betas
        # New tensors: where the evaluation fails, the step can be tried again from the old ones.
        memory = {
            "mean": memory["mean"].lerp(point.gradient, 1 - first),
            "square": memory["square"].lerp(point.gradient.square(), 1 - second),
            "count": memory["count"] + 1,
        }
        count = int(memory["count"])
        mean = memory["mean"] / (1 - first**count)
        root = (memory["square"] / (1 - second**count)).sqrt()
        floor = self.epsilon * root.max() + torch.finfo(root.dtype).tiny
        after = evaluate(point.image - self.rate * caution * mean / (root + floor))
        if not after.finite():
            raise NotFinite
        return after, memory

    def resized(self, memory: Memory, resize: Callable[[Tensor], Tensor], pixels: float) -> Memory:
        """The moments, enlarged as the picture is and divided by the growth of its area.

        A loss that averages over positions has gradients that fall with their number.
        """
        if not memory:
            return {}
        return {
            "mean": resize(memory["mean"]) / pixels,
            "square": resize(memory["square"]).clamp(min=0) / pixels**2,
            "count": memory["count"].clone(),
        }

    def _empty(self, like: Tensor) -> Memory:
        return {
            "mean": torch.zeros_like(like),
            "square": torch.zeros_like(like),
            "count": torch.zeros((), dtype=torch.int64),
        }
