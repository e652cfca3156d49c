"""Losses: what of a layer is to be like that of another picture.

    loss = get("gram")
    target = loss.describe(features_of_style)         once
    loss.compare(loss.describe(features), target)     each step: one number for each picture

A loss is two functions, and `magnitude` says how large a target is. Layers, weights, smoothing and
randomness stay outside. A description is a tensor or a tuple of tensors whose first dimension
counts pictures; only `describe` and `compare` look inside. Every picture of a batch is treated by
itself. Penalties are terms without a target: they measure the pixels.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch import Tensor

from swag.errors import SettingsError
from swag.losses import content, covariance, gram, moments
from swag.losses.pixel_range import pixel_range
from swag.losses.precision import in_full_precision
from swag.losses.total_variation import total_variation
from swag.shapes import FeatureMap, Image, PerImage

__all__ = [
    "LOSSES",
    "PENALTIES",
    "Description",
    "Loss",
    "Penalty",
    "get",
    "names",
    "pixel_range",
    "total_variation",
]

Description = Tensor | tuple[Tensor, ...]
"""What a loss keeps of a target; its first dimensions count pictures."""

EMPTY = 1e-20
"""Mean square of a description below which nothing can be measured relative to it."""


@dataclass(frozen=True)
class Loss:
    """A loss between two layers, and by what it is multiplied to be that of the paper or script."""

    name: str
    role: Literal["style", "content"]
    """Style ignores where things are, so both pictures may have any size; content does not."""
    describe: Callable[[FeatureMap], Any]
    """What to keep of a picture's layer: a Description."""
    compare: Callable[[Any, Any], PerImage]
    """Sum of squared differences of two descriptions."""
    poster_factor: Callable[[int, int, float], float]
    """(d, m, unit) -> the poster's term on sigma(F) = unit * smoothed, divided by `compare`."""
    released_factor: Callable[[int, int], float]
    """(d, m) -> the term of the authors' script divided by `compare`."""
    summary: str
    reference: str

    def magnitude(self, target: Description) -> PerImage:
        """The size of a target, by which `compare` is divided for a relative error: above 0.

        The sum of squares of the description, so that an error of 1 is that of an empty picture.
        A target whose mean square is below 1e-20 counts as of size one in every entry: its error
        is then absolute, rather than relative to rounding.
        """
        return _sum_of_squares(target)


@dataclass(frozen=True)
class Penalty:
    """A term without a target: what is unwanted about the pixels themselves."""

    name: str
    measure: Callable[[Image], PerImage]
    summary: str
    reference: str


@in_full_precision
def _sum_of_squares(description: Description) -> PerImage:
    parts = description if isinstance(description, tuple) else (description,)
    entries = torch.cat([part.detach().flatten(1) for part in parts], dim=1)
    size = entries.square().sum(1)
    return torch.where(size < EMPTY * entries.shape[1], float(entries.shape[1]), size)


def _loss(module: Any, role: Literal["style", "content"], summary: str, reference: str) -> Loss:
    return Loss(
        name=module.__name__.rpartition(".")[2],
        role=role,
        describe=module.describe,
        compare=module.compare,
        poster_factor=module.poster_factor,
        released_factor=module.released_factor,
        summary=summary,
        reference=reference,
    )


_LOSSES = (
    _loss(gram, "style", "which channels are active together", "Gatys et al., CVPR 2016"),
    _loss(covariance, "style", "the same about the mean of each channel", "Li et al., NIPS 2017"),
    _loss(moments, "style", "mean and deviation of each channel", "Li et al., IJCAI 2017"),
    _loss(content, "content", "the activations, place by place", "Gatys et al., CVPR 2016"),
)

LOSSES: Mapping[str, Loss] = MappingProxyType({loss.name: loss for loss in _LOSSES})
"""Losses by name, in the order in which they are listed."""

PENALTIES: Mapping[str, Penalty] = MappingProxyType(
    {
        "total_variation": Penalty(
            "total_variation",
            total_variation,
            "how much neighbouring pixels differ",
            "Rudin, Osher and Fatemi, 1992",
        ),
        "pixel_range": Penalty(
            "pixel_range",
            pixel_range,
            "how far pixels have left [0, 1]",
            "Mahendran and Vedaldi, IJCV 2016",
        ),
    }
)
"""Terms on the pixels, by name."""


def names() -> tuple[str, ...]:
    """The names that `get` knows."""
    return tuple(LOSSES)


def get(name: str) -> Loss:
    """The loss of this name. Raises SettingsError with the names there are."""
    if name in LOSSES:
        return LOSSES[name]
    if name in PENALTIES:
        raise SettingsError(f"{name} is no loss between layers but a penalty on the pixels.")
    near = get_close_matches(name, LOSSES, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise SettingsError(f"no loss is called {name!r}; {hint}there are {', '.join(LOSSES)}.")
