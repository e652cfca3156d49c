"""torch's own L-BFGS as published scripts call it, to reproduce them; not for anything else."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from swag.optimize.point import Evaluate, Memory, NotFinite, Point, Stalled, cloned

_TENSORS = ("d", "prev_flat_grad", "H_diag")
_LISTS = ("old_dirs", "old_stps", "ro")
_NUMBERS = ("func_evals", "n_iter", "t", "prev_loss")


@dataclass(frozen=True)
class TorchLbfgs:
    """`torch.optim.LBFGS(rate, history_size=history)`: no line search, absolute thresholds.

    It is called with `max_iter=1`, which makes the same pictures as its default of 20 from the
    same number of evaluations and lets every one of them be seen. It sees the loss itself, not
    the loss relative to the first: its thresholds are part of what is reproduced.

    Departure: where a script would go on with a picture of NaN, this raises NotFinite; where
    torch's thresholds end a run, Stalled.
    """

    rate: float = 1.0
    history: int = 100

    def step(
        self, evaluate: Evaluate, point: Point, memory: Memory, caution: float
    ) -> tuple[Point, Memory]:
        """See `Method.step`."""
        image = point.image.clone().requires_grad_()
        optimizer = torch.optim.LBFGS(
            [image], lr=self.rate * caution, max_iter=1, history_size=self.history
        )
        if memory:
            optimizer.state[image] = _unpacked(memory)
        image.grad = point.gradient * point.reference.to(point.gradient.dtype)
        optimizer.step(lambda: float(point.value * point.reference))  # type: ignore[no-untyped-call]
        if torch.equal(image.detach(), point.image):
            raise Stalled
        after = evaluate(image.detach())
        if not after.finite():
            raise NotFinite
        return after, _packed(optimizer.state[image])

    def owned(self, memory: Memory) -> Memory:
        """See `Method.owned`."""
        return cloned(memory)

    def resized(self, memory: Memory, resize: Callable[[Tensor], Tensor], pixels: float) -> Memory:
        """Nothing: a new size is a new problem."""
        return {}


def _packed(state: dict[str, Any]) -> Memory:
    memory = {name: torch.as_tensor(state[name]) for name in _TENSORS}
    memory |= {name: torch.as_tensor(state[name], dtype=torch.float64) for name in _NUMBERS}
    for name in _LISTS:  # row by row: stacking would copy the whole history in every step
        memory |= {f"{name}.{i}": row for i, row in enumerate(state[name])}
    return memory


def _unpacked(memory: Memory) -> dict[str, Any]:
    state: dict[str, Any] = {name: memory[name].clone() for name in _TENSORS}
    state |= {name: memory[name].item() for name in _NUMBERS}
    rows = range(sum(key.startswith("ro.") for key in memory))
    return state | {name: [memory[f"{name}.{i}"] for i in rows] for name in _LISTS}
