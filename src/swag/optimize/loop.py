"""The loop: it knows no network, no file and no screen."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from swag.errors import OptimizationError
from swag.optimize.point import (
    Loss,
    Memory,
    Method,
    NotFinite,
    Point,
    Stalled,
    evaluate,
)
from swag.types import Image

RETURNS = 3
"""How often a run goes back to its best picture before it gives up."""


@dataclass
class State:
    """All that a later run needs to go on as if it had never stopped.

    A yielded state is live: save or copy it before asking for the next step. `average` is the
    sum of `averaged` iterates behind `Step.image` where they are averaged; `caution` shortens
    steps after the loss left the finite numbers, `returns` times so far.
    """

    image: Image
    step: int = 0
    memory: Memory = field(default_factory=dict)
    reference: Tensor | None = None
    best: Image | None = None
    best_value: float = float("inf")
    average: Image | None = None
    averaged: int = 0
    caution: float = 1.0
    returns: int = 0


@dataclass(frozen=True)
class Step:
    """What one step did.

    `image` is the picture to show or keep, the average of the iterates where one is asked for;
    `losses` are the terms at the latest iterate; `index` counts from 0.
    """

    index: int
    image: Image
    losses: dict[str, float]
    state: State


def optimize(
    state: State, loss: Loss, method: Method, *, steps: int, average: float | None = None
) -> Iterator[Step]:
    """Yield one `Step` after each update, until `steps` have been done in all.

    When the loss or its gradient is not finite, the run goes back to its best picture, forgets
    what the method remembers and halves its steps. It ends early where nothing lowers the loss.
    The state given is left as it is.

    Args:
        average: decay of an exponential mean of the iterates, in (0, 1), corrected for its start
            as Adam's; None for the latest iterate itself.

    Raises:
        OptimizationError: the loss of the first picture or its gradient is not finite, or the
            run had to go back more than three times.
    """
    point = evaluate(loss, state.image, state.reference)
    if not point.finite():
        raise OptimizationError(
            f"the loss of the first picture or its gradient is not finite: {_told(point)}. "
            "Try another first picture, a larger temperature, or another smoothing"
        )
    state = replace(state, reference=point.reference, memory=method.owned(state.memory))
    _keep_best(state, point)
    for index in range(state.step, steps):
        try:
            point, state.memory = method.step(
                lambda image: evaluate(loss, image, state.reference),
                point,
                state.memory,
                state.caution,
            )
        except Stalled:
            return
        except NotFinite:
            point = _gone_back(state, loss)
        state.image, state.step = point.image, index + 1
        _keep_best(state, point)
        _take_into_average(state, average)
        yield Step(index, shown(state, average), point.losses(), state)


def shown(state: State, average: float | None) -> Image:
    """The picture to show or keep: the latest iterate, or the average of the iterates so far."""
    if average is None or state.average is None:
        return state.image
    return state.average / (1 - average**state.averaged)


def _keep_best(state: State, point: Point) -> None:
    value, *_ = point.numbers
    if value < state.best_value:
        state.best, state.best_value = point.image, value


def _gone_back(state: State, loss: Loss) -> Point:
    state.returns += 1
    state.memory = {}
    state.caution /= 2
    point = evaluate(loss, state.image if state.best is None else state.best, state.reference)
    if state.returns > RETURNS or not point.finite():
        raise OptimizationError(
            f"the loss left the finite numbers {state.returns} times, at last in step "
            f"{state.step + 1}; best so far: {_told(point)}. Try a larger temperature, a smaller "
            "strength, or another smoothing"
        )
    return point


def _take_into_average(state: State, decay: float | None) -> None:
    if decay is not None:
        before = torch.zeros_like(state.image) if state.average is None else state.average
        state.average = before.lerp(state.image, 1 - decay)
        state.averaged += 1


def _told(point: Point) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in point.losses().items())
