"""The kinds of smoothing by name, each with its formula, parameter and reference."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch

from swag.errors import SettingsError
from swag.registry import Registry
from swag.smoothing import automatic, functions
from swag.smoothing.functions import Domain
from swag.types import FeatureMap

PAPER = "Wang, Li and Vasconcelos, CVPR 2021"


@dataclass(frozen=True)
class Parameter:
    """The single parameter of a kind of smoothing."""

    name: str
    default: float | Literal["auto"]
    meaning: str
    fit: Callable[[FeatureMap], float] | None = None
    """Derives the number from the style picture's activations; None if `auto` means nothing."""

    def check(self, value: object, kind: str) -> float | Literal["auto"]:
        """The value, or SettingsError unless it is a finite number above 0 or an allowed auto."""
        if value == "auto" and self.fit is not None:
            return "auto"
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if isinstance(value, int | float) and is_number and math.isfinite(value) and value > 0:
            return float(value)
        alternative = " or auto" if self.fit is not None else ""
        raise SettingsError(
            f"{kind}:{self.name} is {value}; give a finite number above 0{alternative} "
            f"(default {self.default})."
        )


def _constant_one(shape: torch.Size) -> float:
    return 1.0


@dataclass(frozen=True)
class Kind:
    """A kind of smoothing: its formula, its parameter if it has one, and its reference."""

    name: str
    formula: str
    parameter: Parameter | None
    reference: str
    smooth: Callable[[FeatureMap, float], FeatureMap]
    """The function, with mean one if it is a softmax."""
    unit: Callable[[torch.Size], float] = _constant_one
    """The factor that makes the smoothed map equal the formula."""
    domain: Domain | None = None
    """What a softmax is taken over; None for functions of each entry by itself."""


def _softmax(name: str, domain: Domain, formula: str, reference: str) -> Kind:
    return Kind(
        name=name,
        formula=formula,
        parameter=Parameter(
            "temperature",
            1.0,
            "small values sharpen, large ones flatten; auto: as peaky as the activations, no more",
            partial(automatic.temperature, domain=domain),
        ),
        reference=reference,
        smooth=partial(functions.mean_one_softmax, domain=domain),
        unit=partial(functions.unit, domain=domain),
        domain=domain,
    )


def _unsmoothed(features: FeatureMap, parameter: float) -> FeatureMap:
    return functions.none(features)


def _reciprocal_of_deviation(features: FeatureMap) -> float:
    return 1.0 / automatic.deviation(features)


_ALL = (
    Kind(
        "none",
        "F",
        None,
        "Gatys, Ecker and Bethge, CVPR 2016",
        smooth=_unsmoothed,
    ),
    _softmax("softmax", "layer", "exp(F_ik / T) / sum_mn exp(F_mn / T)", f"{PAPER}, with T = 1"),
    _softmax(
        "channel-softmax",
        "channels",
        "exp(F_ik / T) / sum_m exp(F_mk / T)",
        f"{PAPER}: first release of the authors' script, with T = 1",
    ),
    _softmax(
        "spatial-softmax",
        "positions",
        "exp(F_ik / T) / sum_n exp(F_in / T)",
        "other implementations of SWAG, with T = 1",
    ),
    Kind(
        "scale",
        "alpha F",
        Parameter(
            "alpha",
            0.001,
            "factor; auto: 1 / standard deviation of the layer, a control that only re-weights",
            _reciprocal_of_deviation,
        ),
        f"{PAPER}: released script",
        smooth=functions.scale,
    ),
    Kind(
        "power",
        "sign(F) |F|^p",
        Parameter("exponent", 0.5, "p; below 1 smooths, above 1 sharpens"),
        "none; the square root as in signed square-root pooling, Lin et al., ICCV 2015",
        smooth=functions.power,
    ),
    Kind(
        "log",
        "sign(F) log(1 + |F| / t)",
        Parameter(
            "threshold",
            "auto",
            "t, where the curve bends; auto: the standard deviation of the layer",
            automatic.deviation,
        ),
        "none; logarithmic compression",
        smooth=functions.log,
    ),
    Kind(
        "tanh",
        "t tanh(F / t)",
        Parameter(
            "threshold",
            "auto",
            "t, the largest value that can come out; auto: the standard deviation of the layer",
            automatic.deviation,
        ),
        "none; a soft clip",
        smooth=functions.tanh,
    ),
)

KINDS = Registry("smoothing", _ALL)
"""The kinds of smoothing by name, in the order in which they are listed."""
