"""Which passes of a run are in bfloat16: those at its larger scales, but for the end of the last.

The end is in float32, so that the picture is one of the loss that was asked for. Small scales
are in float32, too: they place the large forms, and a pass there is too short to be worth it.
"""

import logging
from dataclasses import replace
from typing import Literal, NamedTuple

import torch

from swag.optimize import State
from swag.precision import NARROW_DEVICES, Precision, has_fast_bfloat16
from swag.schedule import Scale

SHARE = 0.75
"""Of the steps at the last scale, how many see the picture through passes in bfloat16."""

SMALLEST = 256
"""Pixels of the long side below which passes are in float32."""


class Part(NamedTuple):
    """Steps of a scale, up to the one before `end`, whose passes have the same precision."""

    end: int
    precision: Precision


def precision_of(
    chosen: Literal["auto"] | Precision,
    device: torch.device,
    fallbacks: list[str],
    *,
    was: Precision | None = None,
) -> Precision:
    """What a setting comes to on a device; `was` is what `auto` came to in a run made before.

    Where it cannot be had, `fallbacks` is where that is written down.
    """
    if chosen == "auto":
        fast = has_fast_bfloat16(device)
        chosen = was or ("bfloat16" if fast else "float32")
    if chosen == "float32" or device.type in NARROW_DEVICES:
        return chosen
    words = f"no passes in bfloat16 on {device.type}: in float32"
    if words not in fallbacks:
        fallbacks.append(words)
        logging.getLogger("swag").warning(words)
    return "float32"


def parts_of(scale: Scale, precision: Precision, *, last: bool) -> list[Part]:
    """The parts of a scale, in their order; the last scale ends in float32."""
    narrow = int(scale.steps * SHARE) if last else scale.steps
    if precision == "float32" or narrow == 0 or scale.size < SMALLEST:
        return [Part(scale.steps, "float32")]
    parts = [Part(narrow, precision), Part(scale.steps, "float32")]
    return parts if narrow < scale.steps else parts[:1]


def after(state: State, end: int) -> State:
    """Where the next part begins: its values of the loss are not those of the part before.

    What the optimiser remembers stays: without it L-BFGS ended higher, for every pair tried.
    """
    return replace(state, step=end, best=None, best_value=float("inf"))
