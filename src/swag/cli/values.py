"""Settings from what the command line gives as text: files, NAME=VALUE pairs, lists of weights."""

import math
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from swag.config import load, settings
from swag.config.load import brief
from swag.errors import SettingsError


def settings_of_file(path: Path) -> dict[str, Any]:
    """The settings of a TOML or JSON file. SettingsError, which names it, if one is wrong."""
    values = load(path)
    try:
        settings(**values)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error
    return values


def parse_pairs(pairs: Sequence[str]) -> dict[str, Any]:
    """The values of NAME=VALUE pairs; a VALUE that is not TOML is text.

    SettingsError for one that begins as a table, a list or text in quotes, and is none.
    """
    values: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = (part.strip() for part in pair.partition("="))
        if not equals or not name:
            raise SettingsError(f"--set {pair[:100]!r}: expected NAME=VALUE, as in --set scales=3")
        try:
            values[name] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError as error:
            if text.startswith(("{", "[", '"', "'")):
                raise SettingsError(
                    f"--set {pair[:100]!r}: the value is not valid TOML ({brief(error)}); expected "
                    'for example {relu2_1=1, relu3_1=2}, ["relu2_1"] or "text"'
                ) from error
            values[name] = text
    return values


def blend_weights(blend: str) -> list[str]:
    """The entries of `--blend`. SettingsError if one is not a number of at least 0."""
    entries = [entry.strip() for entry in blend.split(",")]
    for entry in entries:
        try:
            valid = 0 <= float(entry) < math.inf
        except ValueError:
            valid = False
        if not valid:
            raise SettingsError(
                f"--blend {brief(repr(blend))}: expected numbers of at least 0, one for each "
                "style, as in 2,1"
            )
    return entries
