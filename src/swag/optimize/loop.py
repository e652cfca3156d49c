"""The optimization loop, independent of networks, files and screens."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor

from swag.errors import OptimizationError
from swag.optimize.optimizer import (
    Converged,
    Evaluation,
    LossFn,
    NotFinite,
    Optimizer,
    OptimizerState,
    SteppedLoss,
    evaluate,
    loss_at,
)
from swag.types import Image

MOST_ROLLBACKS = 3
"""How often a run goes back to its best picture before it gives up."""


@dataclass
class State:
    """All that a later run needs to continue as if it had never stopped.

    A yielded state is live: save or copy it before asking for the next step. `ema` is the
    exponential sum of `ema_steps` iterates behind `Step.image` if they are averaged; `step_scale`
    shortens steps after the loss was not finite, `rollbacks` times so far.
    """

    image: Image
    step: int = 0
    memory: OptimizerState = field(default_factory=dict)
    loss_scale: Tensor | None = None
    best: Image | None = None
    best_value: float = float("inf")
    ema: Image | None = None
    ema_steps: int = 0
    step_scale: float = 1.0
    rollbacks: int = 0


@dataclass(frozen=True)
class Step:
    """The effect of one step.

    `image` is the picture to show or keep, the average of the iterates if one is asked for;
    `losses` are the terms at the latest iterate; `index` counts from 0.
    """

    index: int
    image: Image
    losses: dict[str, float]
    state: State


def optimize(
    state: State,
    loss: LossFn | SteppedLoss,
    optimizer: Optimizer,
    *,
    steps: int,
    ema_decay: float | None = None,
) -> Iterator[Step]:
    """Yield one `Step` after each update, until `steps` have been done in all.

    When the loss or its gradient is not finite, the run goes back to its best picture, forgets
    what the optimizer remembers and halves its steps. It ends early if nothing lowers the loss.
    The state given is left as it is.

    Args:
        ema_decay: decay of an exponential mean of the iterates, in (0, 1), corrected for its start
            as Adam's; None for the latest iterate itself.

    Raises:
        OptimizationError: the loss of the first picture or its gradient is not finite, or the
            run had to go back more than three times.
    """
    current = evaluate(loss_at(loss, state.step), state.image, state.loss_scale)
    if not current.finite():
        raise OptimizationError(
            f"the loss of the first picture or its gradient is not finite: {_summary(current)}. "
            "Try another start, a larger temperature, or another smoothing"
        )
    memory = {name: tensor.clone() for name, tensor in state.memory.items()}
    state = replace(state, loss_scale=current.loss_scale, memory=memory)
    _keep_best(state, current)
    for index in range(state.step, steps):
        step_loss = loss_at(loss, index + 1)
        try:
            current, state.memory = optimizer.step(
                partial(evaluate, step_loss, loss_scale=state.loss_scale),
                current,
                state.memory,
                state.step_scale,
            )
        except Converged:
            return
        except NotFinite:
            current = _roll_back(state, step_loss)
        state.image, state.step = current.image, index + 1
        _keep_best(state, current)
        _update_ema(state, ema_decay)
        yield Step(index, averaged_image(state, ema_decay), current.losses(), state)


def averaged_image(state: State, ema_decay: float | None) -> Image:
    """The picture to show or keep: the latest iterate, or the average of the iterates so far."""
    if ema_decay is None or state.ema is None:
        return state.image
    return state.ema / (1 - ema_decay**state.ema_steps)


def _keep_best(state: State, current: Evaluation) -> None:
    value, *_ = current.host_values
    if value < state.best_value:
        state.best, state.best_value = current.image, value


def _roll_back(state: State, loss: LossFn) -> Evaluation:
    state.rollbacks += 1
    state.memory = {}
    state.step_scale /= 2
    current = evaluate(loss, state.image if state.best is None else state.best, state.loss_scale)
    if state.rollbacks > MOST_ROLLBACKS or not current.finite():
        raise OptimizationError(
            f"the loss was not finite {state.rollbacks} times, most recently in step "
            f"{state.step + 1}; best so far: {_summary(current)}. Try a larger temperature, a "
            "smaller strength, or another smoothing"
        )
    return current


def _update_ema(state: State, decay: float | None) -> None:
    if decay is not None:
        average = torch.zeros_like(state.image) if state.ema is None else state.ema
        state.ema = average.lerp(state.image, 1 - decay)
        state.ema_steps += 1


def _summary(current: Evaluation) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in current.losses().items())
