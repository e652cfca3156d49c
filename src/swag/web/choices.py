"""Which settings the page offers, and which values it may send.

The page is open to whoever reaches it, so that it names no file, no code, no device and nothing
that would be downloaded: networks are those of the package.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from swag import config
from swag.backbones import bundled
from swag.config import METHODS, ORIGINAL, PRESETS, Preset, Settings
from swag.config.load import brief
from swag.errors import SettingsError
from swag.losses import LOSSES
from swag.smoothing import KINDS
from swag.web.limits import WebLimits

HIDDEN = {"device", "tile", "style_weights"}
"""Settings of the machine, and the weights of the paintings, which the page shows beside them."""

PLAIN = ("preset", "strength", "size", "steps", "method", "colors", "style_scale")
"""Settings on the page itself; all others are behind "More"."""

BACKBONES = tuple(f"swag/{name}" for name in bundled.bundled_names())
LARGEST_SEED = 2**53 - 1
"""The largest whole number that a browser counts to."""

_LONG_NUMBER = re.compile(r"(?<![\d.])\d{5,}|\d[eE]\+?\d")
_SPECS = ("weights", "parametrization", "style_loss", "content_loss", "smoothing")
"""Settings whose text holds numbers."""


def page_settings(
    values: Mapping[str, Any], limits: WebLimits, *, weights: Iterable[float] = ()
) -> Settings:
    """The settings of a run that a page asks for, with the weights of its paintings.

    SettingsError if a value is invalid, not available on a page, or beyond the limits.
    """
    unknown = sorted(values.keys() - (Settings.model_fields.keys() - HIDDEN))
    if unknown:
        raise SettingsError(f"this page has no setting {brief(repr(unknown[0]))}; leave it out")
    chosen = config.settings(**values, style_weights=tuple(weights) or None)
    _check_names(chosen)
    _check_cost(chosen, limits)
    return chosen


def _check_names(chosen: Settings) -> None:
    if chosen.backbone not in BACKBONES:
        raise SettingsError(
            f"backbone = {brief(repr(chosen.backbone))} is not available on this page; choose a "
            f"network that comes with SWAG: {', '.join(BACKBONES)}"
        )
    head = chosen.weights.removesuffix("+calibrated").partition(":")[0]
    if head not in {"pretrained", "random"} or chosen.weights.startswith("pretrained:"):
        raise SettingsError(
            f"weights = {brief(repr(chosen.weights))} are not available on this page; choose "
            "pretrained, or random with a scheme"
        )


def _check_cost(chosen: Settings, limits: WebLimits) -> None:
    if chosen.size == ORIGINAL:
        raise SettingsError("size = original is not available on this page; give pixels")
    for name, value, most in (
        ("size", chosen.size, limits.size),
        ("steps", chosen.steps, limits.steps),
        ("size times style_scale", round(chosen.size * chosen.style_scale), 2 * limits.size),
    ):
        if value > most:
            raise SettingsError(
                f"{name} = {value} is more than this server allows; give at most {most}"
            )
    for name in _SPECS:
        if _LONG_NUMBER.search(getattr(chosen, name)):
            raise SettingsError(f"{name} has a number too large for this page; at most 9999")


def offered_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a picture that a page can show."""
    return {name: value for name, value in values.items() if name not in HIDDEN}


def page_choices(limits: WebLimits) -> dict[str, Any]:
    """All that a page needs to draw its controls, as plain values."""
    return {
        "settings": [_field(name, limits) for name in Settings.model_fields if name not in HIDDEN],
        "plain": PLAIN,
        "presets": _bundles(p for p in PRESETS.values() if _is_offered(p, limits)),
        "methods": _bundles(METHODS.values()),
        "limits": {"megabytes": limits.megabytes, "megapixels": limits.megapixels},
    }


def _is_offered(preset: Preset, limits: WebLimits) -> bool:
    try:
        page_settings({"preset": preset.name}, limits)
    except SettingsError:
        return False
    return True


def _bundles(bundles: Iterable[Preset]) -> list[dict[str, Any]]:
    return [
        {
            "name": bundle.name,
            "what": bundle.summary,
            "values": dict(bundle.values),
            "premise": dict(bundle.premise),
            "otherwise": dict(bundle.otherwise),
        }
        for bundle in bundles
    ]


def _values(limits: WebLimits) -> dict[str, list[str]]:
    """Values to choose from for settings of free text; some accept others, too."""
    return {
        "preset": [p.name for p in PRESETS.values() if _is_offered(p, limits)],
        "method": list(METHODS),
        "backbone": list(BACKBONES),
        "style_loss": [loss.name for loss in LOSSES.values() if loss.role == "style"],
        "content_loss": [loss.name for loss in LOSSES.values() if loss.role == "content"],
        "smoothing": list(KINDS),
        "weights": ["pretrained", "random", "random:greedy"],
    }


def _field(name: str, limits: WebLimits) -> dict[str, Any]:
    """One setting: its kind, range, default and meaning, from the JSON schema of the settings."""
    schema = _SCHEMA[name]
    schemas = [schema, *schema.get("anyOf", ())]
    kind = next(variant["type"] for variant in schemas if variant.get("type", "null") != "null")
    maxima = {"size": limits.size, "steps": limits.steps, "seed": LARGEST_SEED}
    merged = {key: value for variant in reversed(schemas) for key, value in variant.items()}
    low, high = (merged.get(f"exclusive{bound}", merged.get(bound.lower())) for bound in _BOUNDS)
    return {
        "name": name,
        "kind": kind,
        "optional": any(variant.get("type") == "null" for variant in schemas),
        "default": schema.get("default"),
        "minimum": low,
        "maximum": maxima.get(name, high),
        "words": merged.get("enum") or _values(limits).get(name),
        "free": "enum" not in merged and name not in {"preset", "method", "backbone"},
        "what": _MEANINGS.get(name) or re.sub(r"; see `[^`]*`", "", schema["description"]),
    }


_MEANINGS = {"weights": "pretrained, or random with a scheme"}
"""Meanings of settings that accept less from a page than elsewhere."""

_BOUNDS = ("Minimum", "Maximum")
_SCHEMA: Mapping[str, Any] = Settings.model_json_schema()["properties"]
