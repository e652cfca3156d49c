"""A choice of smoothing as users write it: NAME[:PARAMETER=VALUE][@LAYER,LAYER...]."""

from dataclasses import dataclass, replace
from typing import Literal

import torch

from swag.errors import SettingsError
from swag.maps import check_maps
from swag.registry import did_you_mean
from swag.smoothing.kinds import KINDS, Kind
from swag.spec import Spec, parse_with_layers
from swag.types import FeatureMap


@dataclass(frozen=True)
class Smoothing:
    """A kind of smoothing, its parameter, and the layers it applies to.

    `parameter` is None for a kind without one; None for another stands for its default.
    `layers` None means every layer; an entry means the layer of that name and all inside it, so
    `layer3` also means `layer3.5` but not `layer30`. Raises SettingsError for an unknown name, a
    parameter out of range, and layers that cannot be written in a specification.
    """

    name: str
    parameter: float | Literal["auto"] | None = None
    layers: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        # A frozen dataclass can complete its fields only in this way.
        object.__setattr__(self, "parameter", _parameter(KINDS.find(self.name), self.parameter))
        _check_layers(self.layers)

    def __str__(self) -> str:
        parameter = self.kind.parameter
        value = "" if parameter is None else f":{parameter.name}={_format(self.parameter)}"
        layers = "" if self.layers is None else f"@{','.join(self.layers)}"
        return f"{self.name}{value}{layers}"

    def __call__(self, features: FeatureMap) -> FeatureMap:
        """The smoothed map: a softmax has mean one, all others are the formula itself.

        `layers` is ignored: see `at`. Raises SettingsError for a parameter that is still `auto`
        (`fitted` turns it into a number), and unless `features` are a batch of maps.
        """
        check_maps(features, self.name)
        if self.parameter == "auto":
            raise SettingsError(
                f"{self} has no number for `auto` yet; fit it to the style's activations."
            )
        return self.kind.smooth(features, 0.0 if self.parameter is None else self.parameter)

    @property
    def kind(self) -> Kind:
        """The kind of smoothing: formula, parameter, reference."""
        return KINDS.find(self.name)

    def includes(self, layer: str) -> bool:
        """Whether the smoothing applies to a layer."""
        return self.layers is None or any(
            f"{layer}.".startswith(f"{entry}.") for entry in self.layers
        )

    def at(self, layer: str) -> "Smoothing":
        """The smoothing of one layer: this one if `layers` include it, otherwise `none`."""
        return replace(self, layers=None) if self.includes(layer) else Smoothing("none")

    def fitted(self, features_of_style: FeatureMap) -> "Smoothing":
        """This smoothing, `auto` replaced by a number from the style's activations at one layer.

        Several pictures give one number together. A parameter that is not `auto` stays. Raises
        SettingsError if it is `auto` and the activations are not all finite.
        """
        parameter = self.kind.parameter
        if self.parameter != "auto" or parameter is None or parameter.fit is None:
            return self
        check_maps(features_of_style, self.name)
        return replace(self, parameter=parameter.fit(features_of_style))

    def unit(self, shape: torch.Size) -> float:
        """The factor that turns the smoothed map of this shape into the paper's sigma(F).

        1 / (D M) for a softmax over the layer, 1 / D over channels, 1 / M over positions, else 1.
        """
        return self.kind.unit(shape)


def parse(spec: str) -> Smoothing:
    """Read a specification such as `softmax`, `softmax:temperature=auto@layer3,layer4`, `none`.

    Missing parts have their defaults; str() of the result has all parts. Raises SettingsError
    that says what is wrong and what there is.
    """
    choice = parse_with_layers(spec)
    kind = KINDS.find(choice.name)
    return Smoothing(kind.name, _read_parameter(kind, choice), choice.layers)


def _read_parameter(kind: Kind, choice: Spec) -> float | Literal["auto"] | None:
    if not choice.options:
        return None
    if kind.parameter is None:
        raise SettingsError(
            f"{kind.name} has no parameter, but {choice.written_options!r} was given; leave it out."
        )
    for key in choice.options.keys() - {kind.parameter.name}:
        hint = did_you_mean(key, [kind.parameter.name])
        raise SettingsError(
            f"{kind.name} has no parameter {key!r}; {hint}it has {kind.parameter.name} "
            f"(default {kind.parameter.default}), as in {kind.name}:{kind.parameter.name}=1."
        )
    value = choice.options[kind.parameter.name]
    return kind.parameter.check(_number(value), kind.name)


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _parameter(kind: Kind, value: object) -> float | Literal["auto"] | None:
    if kind.parameter is None:
        if value is not None:
            raise SettingsError(f"{kind.name} has no parameter, but {value} was given.")
        return None
    return kind.parameter.check(kind.parameter.default if value is None else value, kind.name)


def _format(value: float | str | None) -> str:
    """A number so that it reads back as itself, without the .0 of a whole one."""
    return str(value).removesuffix(".0")


def _check_layers(layers: tuple[str, ...] | None) -> None:
    if layers is None:
        return
    wrong = [layer for layer in layers if not layer or layer != layer.strip() or "," in layer]
    if wrong or not layers:
        raise SettingsError(
            f"the layers of a smoothing are {', '.join(map(repr, layers)) or 'missing'}; "
            "write names separated by commas after @, as in softmax@layer3,layer4."
        )
