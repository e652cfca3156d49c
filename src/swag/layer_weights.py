"""The weights of layers, as settings and networks take them."""

from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from swag.errors import SettingsError
from swag.messages import one_line

TermWeight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
LayerWeights = dict[Annotated[str, Field(max_length=300)], TermWeight]
"""The weight of each layer."""

_CHECKED: TypeAdapter[dict[str, float]] = TypeAdapter(LayerWeights)


def check_not_all_zero(name: str, weights: Mapping[str, float]) -> None:
    """Refuse layers none of which has a weight: SettingsError, which begins with `name`."""
    if not any(weights.values()):
        raise SettingsError(
            f"{name} = {one_line(weights)}: expected layers with their weights, not all of them 0; "
            "leave it out to read the layers of the network's preset"
        )


def layer_weights(name: str, layers: Iterable[str] | Mapping[str, float]) -> dict[str, float]:
    """The weight of each layer: 1 if no mapping gives it. There may be no layers.

    Raises:
        SettingsError: no names, or weights that are out of their range or all 0.
    """
    try:
        if isinstance(layers, str):
            raise TypeError
        weights = dict(layers) if isinstance(layers, Mapping) else dict.fromkeys(layers, 1.0)
        weights = _CHECKED.validate_python(weights)
    except TypeError as error:
        raise SettingsError(
            f"{name} = {one_line(repr(layers))}: expected a list of layers, or their weights by "
            "name, as in {'relu2_1': 1, 'relu3_1': 2}"
        ) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, (name, *first["loc"])))
        raise SettingsError(
            f"{one_line(place)} = {one_line(repr(first['input']))}: {one_line(first['msg'])}"
        ) from error
    if weights:
        check_not_all_zero(name, weights)
    return weights
