"""L-BFGS with tests that are relative, so that the scale of the loss does not matter.

Nocedal & Wright, Numerical Optimization, 2006, algorithms 7.4 (two loops) and 3.1 (backtracking).
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from swag.optimize.blocks import BLOCK, add, blocks, dot
from swag.optimize.optimizer import (
    Converged,
    Evaluate,
    Evaluation,
    NotFinite,
    OptimizerState,
    is_count,
)
from swag.precision import to_float64

ROWS = ("steps", "changes")
"""Tensors with a row for each remembered step."""


@dataclass(frozen=True)
class Lbfgs:
    """Limited-memory BFGS with backtracking (Armijo): almost always one evaluation a step.

    Departures from the textbook: a step must bring sufficient decrease, but need not meet Wolfe's
    condition on curvature; pairs without positive curvature are skipped instead. A step changes
    no pixel by more than `largest_change`, the first one, of unknown length,
    by `first_change`; `step_scale` lowers both limits. If a step finds no decrease, the pairs are
    dropped and the gradient alone is tried before the run counts as converged.

    Args:
        history: pairs of steps and gradients remembered; 2 pictures of memory each.
        first_change, largest_change: of any value of the picture, where black to white is 1.
        decrease: share of the decrease that the slope promises which a step must bring.
        curvature: smallest cosine between a step and its change of gradient that is remembered.
        trials: evaluations in one step before the search is given up.
        remembered: the precision of what is remembered, if not that of the picture.
    """

    history: int = 10
    first_change: float = 0.05
    largest_change: float = 0.5
    decrease: float = 1e-4
    curvature: float = 1e-6
    trials: int = 10
    remembered: torch.dtype | None = None

    def step(
        self, evaluate: Evaluate, current: Evaluation, memory: OptimizerState, step_scale: float
    ) -> tuple[Evaluation, OptimizerState]:
        """See `Optimizer.step`."""
        memory = memory or self._empty(current.gradient)
        direction, slope, largest = self._descent(current, memory)
        has_pairs = int(memory["pairs"]) > 0
        limit = self.largest_change if has_pairs else self.first_change
        length = limit * step_scale / largest
        if has_pairs:
            length = min(1.0, length)
        try:
            after = self._search(evaluate, current, direction, slope, length=length)
        except Converged:
            if not has_pairs:
                raise
            memory["pairs"].zero_()
            return self.step(evaluate, current, memory, step_scale)
        self._remember(memory, current, after)
        return after, memory

    def rescale_state(
        self, memory: OptimizerState, resize: Callable[[Tensor], Tensor], pixels: float
    ) -> OptimizerState:
        """An empty memory: pairs of another size do not describe this loss."""
        return {}

    def state_fits(self, memory: OptimizerState, image: Tensor) -> bool:
        """See `Optimizer.state_fits`."""
        if not memory:
            return True
        rows = (self.history, image.numel()), self.remembered or image.dtype
        return (
            memory.keys() == {*ROWS, "curvatures", "pairs"}
            and all((tuple(memory[name].shape), memory[name].dtype) == rows for name in ROWS)
            and memory["curvatures"].shape == (self.history,)
            and memory["curvatures"].dtype in (torch.float32, torch.float64)
            and is_count(memory["pairs"])
        )

    def _empty(self, like: Tensor) -> OptimizerState:
        shape, dtype = (self.history, like.numel()), self.remembered or like.dtype
        rows = {name: like.new_zeros(shape, dtype=dtype) for name in ROWS}
        return {
            **rows,
            "curvatures": to_float64(like.new_zeros(self.history)),
            "pairs": torch.zeros((), dtype=torch.int64),
        }

    def _descent(self, current: Evaluation, memory: OptimizerState) -> tuple[Tensor, float, float]:
        """A direction, the slope along it and its largest entry.

        Steepest descent if the direction from the memory does not descend.
        """
        direction = self._times_inverse_hessian(current.gradient.flatten(), memory).neg_()
        direction = direction.view_as(current.gradient)
        slope, largest = _slope(direction, current.gradient)
        if not slope < 0:
            memory["pairs"].zero_()
            direction = -current.gradient
            slope, largest = _slope(direction, current.gradient)
        if not math.isfinite(largest):
            raise NotFinite
        if slope == 0:
            raise Converged
        return direction, slope, largest

    def _times_inverse_hessian(self, gradient: Tensor, memory: OptimizerState) -> Tensor:
        """The two loops, without reading numbers from the device."""
        pairs = int(memory["pairs"])
        newest_first = [(pairs - 1 - i) % self.history for i in range(min(pairs, self.history))]
        steps, changes = memory["steps"], memory["changes"]
        q, dtype = gradient.clone(), gradient.dtype
        # Each pair's product is stored: anew, it would be a third of all reads of a long memory.
        curvatures = memory["curvatures"]
        weights: dict[int, Tensor] = {}
        for i in newest_first:
            weights[i] = dot(steps[i], q, dtype) / curvatures[i]
            add(q, -weights[i], changes[i])
        for i in newest_first[:1]:
            q *= (curvatures[i] / dot(changes[i], changes[i], dtype)).to(dtype)
        for i in reversed(newest_first):
            add(q, weights[i] - dot(changes[i], q, dtype) / curvatures[i], steps[i])
        return q

    def _search(
        self,
        evaluate: Evaluate,
        current: Evaluation,
        direction: Tensor,
        slope: float,
        length: float,
    ) -> Evaluation:
        """Shorten the step until it brings sufficient decrease."""
        (start, *_), any_finite, any_infinite = current.host_values, False, False
        for _ in range(self.trials):
            trial = evaluate(torch.add(current.image, direction, alpha=length))
            if not trial.finite():
                length, any_infinite = 0.25 * length, True
                continue
            value, *_ = trial.host_values
            if value < start and value <= start + self.decrease * length * slope:
                return trial
            if torch.equal(trial.image, current.image):
                break  # too short to be represented
            any_finite = True
            # The minimum of the parabola through both values and the slope, within bounds.
            best = -slope * length**2 / (2 * (value - start - slope * length))
            length = min(max(best, 0.1 * length), 0.5 * length)
        raise NotFinite if any_infinite and not any_finite else Converged

    def _remember(self, memory: OptimizerState, before: Evaluation, after: Evaluation) -> None:
        """Keep the step and the change of gradient, unless the loss did not curve upwards."""
        pairs = _differences(before, after)
        if not self._curves(pairs()):
            return
        row = int(memory["pairs"]) % self.history
        step, change = (memory[name][row] for name in ROWS)
        for (step_block, change_block), (s, y) in zip(blocks(step, change), pairs(), strict=True):
            step_block.copy_(s)
            change_block.copy_(y)
        memory["curvatures"][row] = dot(step, change, before.gradient.dtype)
        memory["pairs"] += 1

    def _curves(self, differences: Iterable[tuple[Tensor, Tensor]]) -> bool:
        """Whether the cosine of step and change of gradient is above `curvature`."""
        sums = [to_float64(torch.stack([s @ y, s @ s, y @ y])) for s, y in differences]
        sy, ss, yy = torch.stack(sums).sum(0).tolist()
        return bool(sy > self.curvature * math.sqrt(ss * yy))


def _differences(
    before: Evaluation, after: Evaluation
) -> Callable[[], Iterable[tuple[Tensor, Tensor]]]:
    """A function that returns the step and the change of gradient, block by block.

    Those of a picture of one block are kept; larger ones would be two more pictures in memory.
    """

    def compute() -> Iterator[tuple[Tensor, Tensor]]:
        images = (after.image, before.image, after.gradient, before.gradient)
        return ((x1 - x0, g1 - g0) for x1, x0, g1, g0 in blocks(*images))

    if before.image.numel() > BLOCK:
        return compute
    pairs = list(compute())
    return lambda: pairs


def _slope(direction: Tensor, gradient: Tensor) -> tuple[float, float]:
    """The slope along a direction and its largest entry, by one read from the device."""
    largest = torch.maximum(direction.max(), -direction.min())
    numbers = [dot(direction, gradient, _widest_dtype(direction)), largest]
    slope, longest = torch.stack([to_float64(number) for number in numbers]).tolist()
    return slope, longest


def _widest_dtype(like: Tensor) -> torch.dtype:
    """The widest precision on the device of a tensor."""
    return to_float64(like.new_zeros(())).dtype
