"""Adam (Kingma & Ba 2015, https://arxiv.org/abs/1412.6980), for pictures."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from swag.optimize.blocks import blocks
from swag.optimize.optimizer import (
    Evaluate,
    Evaluation,
    NotFinite,
    OptimizerState,
    is_count,
)


@dataclass(frozen=True)
class Adam:
    """Adam with a constant rate, whose moments are kept at the next size of the picture.

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
        self, evaluate: Evaluate, current: Evaluation, memory: OptimizerState, step_scale: float
    ) -> tuple[Evaluation, OptimizerState]:
        """See `Optimizer.step`."""
        memory = memory or self._empty(current.gradient)
        beta1, beta2 = self.betas
        # New tensors: if the evaluation fails, the step can be tried again from the old ones.
        memory = {
            "mean": memory["mean"].lerp(current.gradient, 1 - beta1),
            "square": (memory["square"] * beta2).addcmul_(
                current.gradient, current.gradient, value=1 - beta2
            ),
            "count": memory["count"] + 1,
        }
        after = evaluate(self._next_image(current.image, memory, step_scale))
        if not after.finite():
            raise NotFinite
        return after, memory

    def rescale_state(
        self, memory: OptimizerState, resize: Callable[[Tensor], Tensor], pixels: float
    ) -> OptimizerState:
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

    def state_fits(self, memory: OptimizerState, image: Tensor) -> bool:
        """See `Optimizer.state_fits`."""
        if not memory:
            return True
        return (
            memory.keys() == {"mean", "square", "count"}
            and is_count(memory["count"])
            and all(
                (memory[name].shape, memory[name].dtype) == (image.shape, image.dtype)
                for name in ("mean", "square")
            )
        )

    def _next_image(self, image: Tensor, memory: OptimizerState, step_scale: float) -> Tensor:
        """The next picture, block by block: no other new tensor has its size."""
        count = int(memory["count"])
        bias1, bias2 = (1 - beta**count for beta in self.betas)  # of moments that start at 0
        largest = (memory["square"].max() / bias2).sqrt()
        floor = self.epsilon * largest + torch.finfo(largest.dtype).tiny
        result = image.clone(memory_format=torch.contiguous_format)
        for pixels, mean, square in blocks(result, memory["mean"], memory["square"]):
            pixels -= self.rate * step_scale * (mean / bias1) / ((square / bias2).sqrt() + floor)
        return result

    def _empty(self, like: Tensor) -> OptimizerState:
        return {
            "mean": torch.zeros_like(like),
            "square": torch.zeros_like(like),
            "count": torch.zeros((), dtype=torch.int64),
        }
