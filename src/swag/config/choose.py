"""From names and single values to the settings of a run."""

from collections.abc import Collection, Mapping
from typing import Any, Unpack

from pydantic import ValidationError

from swag.config.keywords import SettingsKeywords
from swag.config.load import brief
from swag.config.presets import METHODS, PRESETS, Preset
from swag.config.settings import BRITISH, Settings
from swag.errors import SettingsError
from swag.registry import did_you_mean


def settings(
    preset: str | Settings = "default",
    method: str | None = None,
    **overrides: Unpack[SettingsKeywords],
) -> Settings:
    """The settings of a preset and a method, with some of them changed.

    `preset` is a name, or settings to begin with. A method that is named wins over the preset;
    single values win over both. If they ask for another start than the preset's, the preset gives
    the values that it has for other starts.

    Raises:
        SettingsError: an unknown preset, method or setting, one in two spellings, or a value out of
            its range.
    """
    changes = one_spelling(overrides)
    method_values: dict[str, Any] = {}
    if method is not None:
        method_values = {**_find("method", method, METHODS).values, "method": method}
    if isinstance(preset, Settings):
        values = preset.model_dump(exclude_unset=True)
    else:
        bundle = _find("preset", preset, PRESETS)
        values = {**bundle.values_with({**method_values, **changes}), "preset": preset}
    values |= method_values
    check_known(changes, Settings.model_fields)
    try:
        return Settings(**{**values, **changes})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        cause = first.get("ctx", {}).get("error")
        if isinstance(cause, SettingsError):
            raise cause from None
        name = brief(".".join(map(str, first["loc"])))
        # A cause of ours comes without the prefix that pydantic gives it.
        message = brief(cause if isinstance(cause, ValueError) else first["msg"])
        raise SettingsError(f"{name} = {_repr(first['input'])}: {message}") from error


def check_known(names: Collection[str], known: Collection[str]) -> None:
    """Refuse names of settings that are not known: SettingsError."""
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known).strip() or "see `swag settings`"
            raise SettingsError(f"there is no setting {brief(repr(name))}; {hint}")


def one_spelling(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The values by American names, as in `Settings`. SettingsError if one is named twice."""
    for british, name in BRITISH.items():
        if british in overrides and name in overrides:
            raise SettingsError(f"{british} and {name} are one setting; give only {name}")
    return {BRITISH.get(name, name): value for name, value in overrides.items()}


def _find(kind: str, name: object, known: Mapping[str, Preset]) -> Preset:
    if not isinstance(name, str) or name not in known:
        hint = did_you_mean(str(name), known) if isinstance(name, str) else ""
        raise SettingsError(
            f"no {kind} is called {_repr(name)}; {hint}choose from {', '.join(known)}"
        )
    return known[name]


def _repr(value: object) -> str:
    """The repr of a value, on one short line."""
    try:
        return brief(repr(value))
    except (ValueError, RecursionError):  # a number of thousands of digits, or nested as deeply
        return "a value too long to show"
