"""From names and single values to the settings of a run."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from swag.config.presets import METHODS, PRESETS, Preset
from swag.config.settings import Settings
from swag.errors import SettingsError


def settings(preset: str = "default", method: str | None = None, **overrides: Any) -> Settings:
    """The settings of a preset and a method, with some of them changed.

    A method that is named wins over the preset; single values win over both.

    Raises:
        SettingsError: an unknown preset, method or setting, or a value out of its range.
    """
    values = {**_found("preset", preset, PRESETS).values}
    if method is not None:
        values |= {**_found("method", method, METHODS).values, "method": method}
    for name in overrides:
        if name not in Settings.model_fields:
            near = get_close_matches(name, Settings.model_fields, n=1)
            hint = f"did you mean {near[0]}?" if near else "see the settings in the documentation"
            raise SettingsError(f"there is no setting {name!r}; {hint}")
    try:
        return Settings(**{**values, **overrides, "preset": preset})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise SettingsError(f"{where} = {first['input']!r}: {first['msg']}") from error


def _found(kind: str, name: object, known: Mapping[str, Preset]) -> Preset:
    if not isinstance(name, str) or name not in known:
        raise SettingsError(f"no {kind} is called {name!r}; there are {', '.join(known)}")
    return known[name]
