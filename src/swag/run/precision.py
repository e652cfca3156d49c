"""Which passes of a run are in bfloat16: those at its larger scales, but for the end of the last.

The end is in float32, so that the picture is one of the loss that was asked for. Small scales
are in float32, too: they place the large forms, and a pass there is too short to be worth it.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

import torch

from swag.config import Settings
from swag.fallbacks import Fallbacks
from swag.optimize import State
from swag.precision import NARROW_DEVICES, has_fast_bfloat16
from swag.schedule import Scale
from swag.types import Precision

SHARE = 0.75
"""Share of the last scale's steps whose passes are in bfloat16."""

SMALLEST = 256
"""Pixels of the long side below which passes are in float32."""

TRIED: Mapping[str, str] = MappingProxyType(
    {
        "backbone": "swag/vgg16-distilled",
        "weights": "pretrained",
        "style_loss": "bures",
        "content_loss": "content",
        "smoothing": "none",
        "optimizer": "lbfgs",
        "parametrization": "pixels",
    }
)
"""Settings of the runs with which results were compared; `auto` is float32 for all others."""

TRIED_SIZE = 384
"""Long side below which `auto` is float32: a last scale of 256 pixels has too few steps left at its
end to make up for what it did in bfloat16."""

TRIED_STEPS: Mapping[str, int] = MappingProxyType(
    {"content": 150, "style-colors": 75, "instant": 75}
)
"""Steps below which `auto` is float32, for each start with which results were compared."""

WIDE: Precision = "float32"


class PrecisionPhase(NamedTuple):
    """Steps of a scale, up to the one before `end`, whose passes have the same precision."""

    end: int
    precision: Precision


def precision_of(
    settings: Settings,
    device: torch.device,
    fallbacks: Fallbacks,
    *,
    was: Precision | None = None,
) -> Precision:
    """The precision that the setting means on a device; `was` is that of an earlier run.

    `fallbacks` records that a device cannot compute in the precision asked for.
    """
    chosen = settings.precision
    if chosen == "auto":
        chosen = was or ("bfloat16" if has_fast_bfloat16(device) and _is_tried(settings) else WIDE)
    if chosen == WIDE or device.type in NARROW_DEVICES:
        return chosen
    fallbacks.note(f"no passes in bfloat16 on {device.type}; the run uses float32")
    return WIDE


def _is_tried(settings: Settings) -> bool:
    """Whether bfloat16 was found to cost runs like this one nothing: docs/performance.md.

    A softmax at a low temperature makes much of a small error, torch's L-BFGS tests its steps
    against absolute numbers, and the gradient of a ResNet-50 is off by a third: none of them was
    tried.
    """
    steps = TRIED_STEPS.get(settings.start)
    if steps is None or settings.steps < steps or settings.size < TRIED_SIZE:
        return False
    return all(getattr(settings, name) == value for name, value in TRIED.items())


def phases_of(scale: Scale, precision: Precision, *, last: bool) -> list[PrecisionPhase]:
    """The phases of a scale, in their order; the last scale ends in float32."""
    narrow_steps = int(scale.steps * SHARE) if last else scale.steps
    if precision == WIDE or narrow_steps == 0 or scale.size < SMALLEST:
        return [PrecisionPhase(scale.steps, WIDE)]
    phases = [PrecisionPhase(narrow_steps, precision), PrecisionPhase(scale.steps, WIDE)]
    return phases if narrow_steps < scale.steps else phases[:1]


def after(state: State, end: int) -> State:
    """The state at the start of the next phase, whose losses do not compare with those before.

    The optimizer's memory stays: without it L-BFGS ended higher, for every pair tried.
    """
    return replace(state, step=end, best=None, best_value=float("inf"))
