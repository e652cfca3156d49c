"""Settings from a file."""

import json
import stat
import textwrap
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from swag.errors import SettingsError
from swag.spec import is_code

LARGEST_FILE = 1 << 16
"""Bytes of a file of settings."""

LONGEST_LINE = 4096
"""Most characters of a line of TOML, which takes at least quadratic time in a key's length."""


def load(path: Path) -> dict[str, Any]:
    """Settings from a TOML or JSON file, as `settings` takes them.

    Raises:
        SettingsError: the file is of another kind, has more than 64 KiB, or names code.
    """
    try:
        text = _text(path)
        values = json.loads(text) if path.suffix.lower() == ".json" else _toml(text)
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(
            f"{path}: cannot be read as settings (TOML or JSON): {brief(error)}"
        ) from error
    if not isinstance(values, dict):
        raise SettingsError(
            f"{path}: holds a {type(values).__name__}; expected settings by name, as in "
            '{"size": 512}'
        )
    refuse_code(values, str(path))
    return values


def refuse_code(values: Mapping[str, Any], where: str) -> None:
    """Refuse settings from a file whose network is code: files are passed around. SettingsError."""
    backbone = values.get("backbone")
    if isinstance(backbone, str) and is_code(backbone):
        raise SettingsError(
            f"{where}: names the network {brief(repr(backbone))}, which is code that SWAG would "
            "run; if you trust this code, give it with --backbone"
        )


def brief(value: object) -> str:
    """A value or an error on one short line, as a message shows it."""
    try:
        text = str(value)
    except ValueError:  # a number of more digits than Python writes down
        return "a number with thousands of digits"
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    return textwrap.shorten(text, 200, placeholder=" ...") or type(value).__name__


def _toml(text: str) -> dict[str, Any]:
    if any(len(line) > LONGEST_LINE for line in text.splitlines()):
        raise ValueError(f"a line has more than {LONGEST_LINE} characters")
    return tomllib.loads(text)


def _text(path: Path) -> str:
    """The text of a file. ValueError if the path is no regular file, or the file is too large."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST_FILE:
        raise ValueError(f"expected a file of at most {LARGEST_FILE} bytes")
    return path.read_text(encoding="utf-8")
