"""Settings from a file."""

import json
import tomllib
from pathlib import Path
from typing import Any

from swag.errors import SettingsError


def load(path: Path) -> dict[str, Any]:
    """Settings from a TOML or JSON file, as `settings` takes them.

    Raises:
        SettingsError: not such a file.
    """
    try:
        text = path.read_text(encoding="utf-8")
        values = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise SettingsError(
            f"{path}: cannot be read as settings (TOML or JSON): {reason}"
        ) from error
    if not isinstance(values, dict):
        raise SettingsError(f"{path}: holds {type(values).__name__}, not settings by name")
    return values
