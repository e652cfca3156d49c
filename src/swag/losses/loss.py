"""The record of a loss: two functions, their properties, and their options."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import ModuleType
from typing import Any, Literal

import torch
from torch import Tensor

from swag.errors import SettingsError
from swag.losses.precision import in_full_precision
from swag.losses.streaming import StreamingStatistics
from swag.maps import check_maps
from swag.registry import did_you_mean
from swag.types import PerImage

Description = Tensor | tuple[Tensor, ...]
"""The description of a layer or of all; the first dimension of each tensor counts pictures."""

Role = Literal["style", "content"]

Option = str | int | float | bool

EMPTY = 1e-20
"""Mean square of a description below which errors relative to it have no meaning."""


@in_full_precision
def sum_of_squares(description: Description) -> PerImage:
    """The size of a target, so that an error of 1 is that of an empty picture: above 0.

    A target whose mean square is below 1e-20 counts as of size one in every entry: its error
    is then absolute, rather than relative to rounding.
    """
    parts = description if isinstance(description, tuple) else (description,)
    entries = torch.cat([part.detach().flatten(1) for part in parts], dim=1)
    size = entries.square().sum(1)
    return torch.where(size < EMPTY * entries.shape[1], float(entries.shape[1]), size)


def mean_of(descriptions: Sequence[Description]) -> Description:
    """Several targets as one: the mean of their descriptions, entry by entry."""
    if isinstance(descriptions[0], Tensor):
        return torch.stack(list(descriptions)).mean(0)  # type: ignore[arg-type]
    return tuple(torch.stack(entries).mean(0) for entries in zip(*descriptions, strict=True))


def of_equal_batch(a: Description, b: Description, name: str) -> tuple[Description, Description]:
    """Two descriptions of equally many pictures: a single picture is repeated to match the other.

    SettingsError if the numbers of pictures differ and the smaller one is not 1.
    """
    counts = _batch_size(a), _batch_size(b)
    if counts[0] == counts[1]:
        return a, b
    if min(counts) != 1:
        raise SettingsError(
            f"{name} was given {counts[0]} pictures and {counts[1]} targets; expected one target, "
            "or one for each picture"
        )
    return _repeat(a, max(counts)), _repeat(b, max(counts))


def _batch_size(description: Description) -> int:
    first = description[0] if isinstance(description, tuple) else description
    return first.shape[0]


def _repeat(description: Description, count: int) -> Description:
    if isinstance(description, tuple):
        return tuple(part.expand(count, *part.shape[1:]) for part in description)
    return description.expand(count, *description.shape[1:])


@dataclass(frozen=True)
class Loss:
    """A loss between two layers, with the factors that turn it into that of the paper or script."""

    name: str
    role: Role
    """Style ignores positions, so that both pictures may have any size; content does not."""
    describe_fn: Callable[..., Any]
    """(features, mask) -> Description; see `describe`."""
    compare_fn: Callable[[Any, Any], PerImage]
    """(description, target) -> one number for each picture; see `compare`."""
    summary: str
    reference: str
    target_norm: Callable[[Any], PerImage] = sum_of_squares
    """The size of a target, by which `compare` is divided for a relative error: above 0."""
    combine_targets: Callable[[Sequence[Any]], Any] = mean_of
    """The descriptions of several targets as that of one."""
    joint: bool = False
    """Whether all layers are described together: a tuple of maps, from shallow to deep."""
    of_pixels: bool = False
    """Whether the maps are the pictures themselves rather than layers of a network."""
    streaming: StreamingStatistics | None = None
    """How to describe a map piece by piece; None if a description needs all of it at once."""
    factors: tuple[Callable[[int, int, float], float], Callable[[int, int], float]] | None = None
    options: Mapping[str, Option] = field(default_factory=dict)
    """The options that are not the default ones."""

    def __str__(self) -> str:
        options = ",".join(f"{key}={_format(value)}" for key, value in self.options.items())
        return f"{self.name}:{options}" if options else self.name

    def describe(self, features: Any, mask: Tensor | None = None) -> Any:
        """Describe a layer, or all layers of a joint loss: a `Description`.

        Args:
            features: maps (batch, channels, rows, columns); of a joint loss a tuple of them.
            mask: (b, 1, h, w), at least 0, says how much each position counts; None: all alike.

        Raises:
            SettingsError: `features` are no batches of maps in floating point.
        """
        if self.joint and not isinstance(features, tuple):
            raise SettingsError(
                f"{self.name} was given {type(features).__name__}; expected a tuple of the maps "
                "of several layers, which it describes together"
            )
        for maps in features if self.joint else (features,):
            check_maps(maps, self.name)
        return self.describe_fn(features, mask)

    def compare(self, description: Any, target: Any) -> PerImage:
        """How far descriptions differ from those of targets: 0 for a description and itself.

        One target is compared with every picture of a batch.

        Raises:
            SettingsError: the numbers of pictures differ, and the smaller one is not 1.
        """
        return self.compare_fn(*of_equal_batch(description, target, self.name))

    def paper_factor(self, d: int, m: int, unit: float) -> float:
        """The paper's term on sigma(F) = unit * smoothed, divided by `compare`.

        For d channels and m positions. SettingsError for a loss that replaces no term of the paper.
        """
        return self._known_factors()[0](d, m, unit)

    def released_factor(self, d: int, m: int) -> float:
        """The term of the authors' script, divided by `compare`; see `paper_factor`."""
        return self._known_factors()[1](d, m)

    def _known_factors(
        self,
    ) -> tuple[Callable[[int, int, float], float], Callable[[int, int], float]]:
        if self.factors is None:
            raise SettingsError(
                f"neither the paper nor the released script has a loss like {self.name}; choose "
                "gram, covariance or content, or the normalization span, target or initial."
            )
        return self.factors

    def with_options(self, chosen: Mapping[str, str]) -> "Loss":
        """The same loss with options as users write them; SettingsError names those there are."""
        known = options_of(self.describe_fn) | options_of(self.compare_fn)
        values = {key: _parse_option(self.name, key, text, known) for key, text in chosen.items()}
        return replace(
            self,
            describe_fn=_bind(self.describe_fn, values),
            compare_fn=_bind(self.compare_fn, values),
            target_norm=_bind(self.target_norm, values),
            options={key: value for key, value in values.items() if value != known[key]},
        )


def loss_of(module: ModuleType, summary: str, reference: str, *, role: Role, **rest: Any) -> Loss:
    """The loss of a module with `describe`, `compare` and perhaps other functions of a `Loss`."""
    factors = None
    if hasattr(module, "paper_factor"):
        factors = (module.paper_factor, module.released_factor)
    return Loss(
        name=module.__name__.rpartition(".")[2].replace("_", "-"),
        role=role,
        describe_fn=module.describe,
        compare_fn=module.compare,
        summary=summary,
        reference=reference,
        target_norm=getattr(module, "target_norm", sum_of_squares),
        combine_targets=getattr(module, "combine_targets", mean_of),
        streaming=getattr(module, "STREAMING", None),
        factors=factors,
        **rest,
    )


def options_of(function: Callable[..., Any]) -> dict[str, Option]:
    """The options of a function and their defaults: its keyword-only arguments."""
    return {
        name: argument.default
        for name, argument in inspect.signature(function).parameters.items()
        if argument.kind is argument.KEYWORD_ONLY
    }


def _bind(function: Callable[..., Any], values: Mapping[str, Option]) -> Callable[..., Any]:
    options = {key: value for key, value in values.items() if key in options_of(function)}
    return partial(function, **options) if options else function


def _parse_option(loss: str, key: str, text: str, known: Mapping[str, Option]) -> Option:
    if key not in known:
        hint = did_you_mean(key, known)
        names = ", ".join(f"{name}={_format(value)}" for name, value in known.items())
        raise SettingsError(
            f"{loss} has no option {key!r}; {hint}{f'it has {names}' if names else 'it has none'}."
        )
    default = known[key]
    try:
        if isinstance(default, bool):
            return {"true": True, "false": False}[text.lower()]
        return type(default)(text)
    except (ValueError, KeyError):
        kinds = {bool: "true or false", int: "a whole number", float: "a number"}
        kind = kinds.get(type(default), "a word")
        raise SettingsError(
            f"{loss}:{key}={text}: expected {kind}, as in {loss}:{key}={_format(default)}."
        ) from None


def _format(value: Option) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
