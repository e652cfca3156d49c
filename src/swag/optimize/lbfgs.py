"""L-BFGS with tests that are relative, so that the scale of the loss does not matter.

Nocedal & Wright, Numerical Optimization, 2006, algorithms 7.4 (two loops) and 3.1 (backtracking).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from swag.optimize.point import Evaluate, Memory, NotFinite, Point, Stalled
from swag.precision import widened


@dataclass(frozen=True)
class Lbfgs:
    """Limited-memory BFGS with backtracking (Armijo): almost always one evaluation a step.

    Departures from the textbook: only sufficient decrease is asked of a step, not Wolfe's
    condition on curvature; pairs without positive curvature are skipped instead. A step changes
    no pixel by more than `largest_change`, the first one, whose length nothing is known about,
    by `first_change`; caution lowers both limits. Where a step finds no decrease, the pairs are
    forgotten and the gradient alone is tried before the run is taken to be at its end.

    Args:
        history: pairs of steps and gradients remembered; 2 pictures of memory each.
        first_change, largest_change: of any value of the picture, where black to white is 1.
        decrease: share of the decrease that the slope promises which a step must bring.
        curvature: smallest cosine between a step and its change of gradient that is remembered.
        trials: evaluations in one step before it is given up.
        remembered: the precision of what is remembered, where not that of the picture.
    """

    history: int = 10
    first_change: float = 0.05
    largest_change: float = 0.5
    decrease: float = 1e-4
    curvature: float = 1e-6
    trials: int = 10
    remembered: torch.dtype | None = None

    def step(
        self, evaluate: Evaluate, point: Point, memory: Memory, caution: float
    ) -> tuple[Point, Memory]:
        """See `Method.step`."""
        memory = memory or self._empty(point.gradient)
        direction, slope = self._descent(point, memory)
        known = int(memory["pairs"]) > 0
        cap = self.largest_change if known else self.first_change
        length = self._length(direction, cap * caution, known=known)
        try:
            after = self._search(evaluate, point, direction, slope, length)
        except Stalled:
            if not known:
                raise
            memory["pairs"].zero_()
            return self.step(evaluate, point, memory, caution)
        self._remember(memory, after.image - point.image, after.gradient - point.gradient)
        return after, memory

    def resized(self, memory: Memory, resize: Callable[[Tensor], Tensor], pixels: float) -> Memory:
        """Nothing: pairs of steps and gradients of another size do not describe this loss."""
        return {}

    def _empty(self, like: Tensor) -> Memory:
        rows = like.new_zeros(self.history, like.numel(), dtype=self.remembered or like.dtype)
        return {
            "steps": rows,
            "changes": rows.clone(),
            "pairs": torch.zeros((), dtype=torch.int64),
        }

    def _descent(self, point: Point, memory: Memory) -> tuple[Tensor, float]:
        """A direction and the slope along it, or steepest descent where the memory misleads."""
        direction = -self._times_inverse_hessian(point.gradient.flatten(), memory)
        direction = direction.view_as(point.gradient)
        slope = float(widened(direction * point.gradient).sum())
        if slope < 0:
            return direction, slope
        memory["pairs"].zero_()
        slope = -float(widened(point.gradient.square()).sum())
        if slope == 0:
            raise Stalled
        return -point.gradient, slope

    def _times_inverse_hessian(self, gradient: Tensor, memory: Memory) -> Tensor:
        """The two loops; numbers stay on the device."""
        pairs = int(memory["pairs"])
        newest_first = [(pairs - 1 - i) % self.history for i in range(min(pairs, self.history))]
        q = gradient.clone()
        weights: dict[int, Tensor] = {}
        for i in newest_first:
            step, change = self._pair(memory, i, q)
            weights[i] = (step @ q) / (step @ change)
            q -= weights[i] * change
        if newest_first:
            step, change = self._pair(memory, newest_first[0], q)
            q *= (step @ change) / (change @ change)
        for i in reversed(newest_first):
            step, change = self._pair(memory, i, q)
            q += (weights[i] - (change @ q) / (step @ change)) * step
        return q

    def _pair(self, memory: Memory, row: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """A step and its change of gradient, in the precision they are computed with."""
        return memory["steps"][row].to(like.dtype), memory["changes"][row].to(like.dtype)

    def _length(self, direction: Tensor, cap: float, *, known: bool) -> float:
        largest = float(direction.abs().max())
        if not math.isfinite(largest):
            raise NotFinite
        return min(1.0, cap / largest) if known else cap / largest

    def _search(
        self, evaluate: Evaluate, point: Point, direction: Tensor, slope: float, length: float
    ) -> Point:
        """Shorten the step until it brings the decrease asked for."""
        start, finite = float(point.value), False
        for _ in range(self.trials):
            image = point.image + length * direction
            if torch.equal(image, point.image):
                break  # too short to be represented
            trial = evaluate(image)
            if not trial.finite():
                length *= 0.25
                continue
            finite = True
            value = float(trial.value)
            if value < start and value <= start + self.decrease * length * slope:
                return trial
            # The minimum of the parabola through both values and the slope, within bounds.
            best = -slope * length**2 / (2 * (value - start - slope * length))
            length = min(max(best, 0.1 * length), 0.5 * length)
        raise Stalled if finite else NotFinite

    def _remember(self, memory: Memory, step: Tensor, change: Tensor) -> None:
        step, change = step.flatten(), change.flatten()
        if step @ change > self.curvature * step.norm() * change.norm():
            row = int(memory["pairs"]) % self.history
            memory["steps"][row] = step
            memory["changes"][row] = change
            memory["pairs"] += 1
