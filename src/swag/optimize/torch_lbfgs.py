"""torch's own L-BFGS as published scripts call it, to reproduce them; not for anything else."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from swag.optimize.optimizer import (
    Converged,
    Evaluate,
    Evaluation,
    NotFinite,
    OptimizerState,
    is_real_number,
)

_TENSORS = ("d", "prev_flat_grad", "H_diag")
_LISTS = ("old_dirs", "old_stps", "ro")
_NUMBERS = ("func_evals", "n_iter", "t", "prev_loss")


@dataclass(frozen=True)
class TorchLbfgs:
    """`torch.optim.LBFGS(rate, history_size=history)`: no line search, absolute thresholds.

    It is called with `max_iter=1`, which makes the same pictures as its default of 20 from the
    same number of evaluations and shows each of them. It minimizes the loss itself, not
    the loss relative to the first: its absolute thresholds are to be reproduced, too.

    Departure: if a script would go on with a picture of NaN, this raises NotFinite; if torch's
    thresholds end a run, Converged.
    """

    rate: float = 1.0
    history: int = 100

    def step(
        self, evaluate: Evaluate, current: Evaluation, memory: OptimizerState, step_scale: float
    ) -> tuple[Evaluation, OptimizerState]:
        """See `Optimizer.step`."""
        image = current.image.clone().requires_grad_()
        optimizer = torch.optim.LBFGS(
            [image], lr=self.rate * step_scale, max_iter=1, history_size=self.history
        )
        if memory:
            optimizer.state[image] = _unpack(memory)
        image.grad = current.gradient * current.loss_scale.to(current.gradient.dtype)
        optimizer.step(lambda: float(current.value * current.loss_scale))  # type: ignore[no-untyped-call]
        if torch.equal(image.detach(), current.image):
            raise Converged
        after = evaluate(image.detach())
        if not after.finite():
            raise NotFinite
        return after, _pack(optimizer.state[image])

    def rescale_state(
        self, memory: OptimizerState, resize: Callable[[Tensor], Tensor], pixels: float
    ) -> OptimizerState:
        """An empty memory: a new size is a new problem."""
        return {}

    def state_fits(self, memory: OptimizerState, image: Tensor) -> bool:
        """See `Optimizer.state_fits`."""
        if not memory:
            return True
        pairs = range((len(memory) - len(_TENSORS) - len(_NUMBERS)) // len(_LISTS))
        directions = [f"{name}.{i}" for name in _LISTS[:2] for i in pairs]
        scalars = [f"{_LISTS[2]}.{i}" for i in pairs]
        is_initial = memory.get("H_diag", image).dtype == torch.int64  # before its second step
        return (
            memory.keys() == {*_TENSORS, *_NUMBERS, *directions, *scalars}
            and all(_is_flat(memory[name], image) for name in (*_TENSORS[:2], *directions))
            and all(is_real_number(memory[name]) for name in (*_NUMBERS, *scalars))
            and memory["H_diag"].ndim == 0
            and (is_initial or is_real_number(memory["H_diag"]))
        )


def _is_flat(tensor: Tensor, image: Tensor) -> bool:
    return tensor.shape == (image.numel(),) and tensor.dtype == image.dtype


def _pack(state: dict[str, Any]) -> OptimizerState:
    memory = {name: torch.as_tensor(state[name]) for name in _TENSORS}
    memory |= {name: torch.as_tensor(state[name], dtype=torch.float64) for name in _NUMBERS}
    for name in _LISTS:  # row by row: stacking would copy the whole history in every step
        memory |= {f"{name}.{i}": row for i, row in enumerate(state[name])}
    return memory


def _unpack(memory: OptimizerState) -> dict[str, Any]:
    state: dict[str, Any] = {name: memory[name].clone() for name in _TENSORS}
    state |= {name: memory[name].item() for name in _NUMBERS}
    rows = range(sum(key.startswith("ro.") for key in memory))
    return state | {name: [memory[f"{name}.{i}"] for i in rows] for name in _LISTS}
