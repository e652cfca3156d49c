"""Which pictures of a folder are compared: results of two methods for the same photo and style."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from swag.errors import SettingsError
from swag.image import extensions

UNIT = ("content", "style", "seed", "size")
"""What two runs of a study must share to be compared."""


@dataclass(frozen=True)
class BlindPair:
    """Two results for one `unit`, by the names of their methods; `key` names the pair."""

    unit: str
    first: str
    second: str

    @property
    def key(self) -> str:
        """A name for the pair that stays the same between starts."""
        return json.dumps([self.unit, self.first, self.second])


@dataclass(frozen=True)
class Results:
    """Pictures of a study, by unit and method."""

    pictures: Mapping[str, Mapping[str, Path]]

    def pairs(self) -> list[BlindPair]:
        """Every two methods of every unit."""
        return [
            BlindPair(unit, first, second)
            for unit, methods in self.pictures.items()
            for first, second in combinations(sorted(methods), 2)
        ]


def find_results(folder: Path) -> Results:
    """The results in a folder: a study's runs, or METHOD/PICTURE with the same picture names.

    SettingsError if there are no two pictures to compare.
    """
    if not folder.is_dir():
        raise SettingsError(f"there is no folder {folder}; give one with results to compare")
    runs = next((f for f in (folder / "runs", folder) if any(f.glob("*/config.json"))), None)
    pictures: dict[str, dict[str, Path]] = {}
    for unit, method, path in _folder_pictures(folder) if runs is None else _run_pictures(runs):
        pictures.setdefault(unit, {})[method] = path
    by_unit = {unit: dict(sorted(pictures[unit].items())) for unit in sorted(pictures)}
    results = Results({unit: methods for unit, methods in by_unit.items() if len(methods) > 1})
    if not results.pictures:
        raise SettingsError(
            f"{folder} has no two pictures to compare; expected METHOD/PICTURE.png with the same "
            "picture names in several folders, or the runs of a study of `swag experiment`"
        )
    return results


def _folder_pictures(folder: Path) -> Iterator[tuple[str, str, Path]]:
    for path in sorted(folder.glob("*/*")):
        if path.suffix.lower() in extensions() and path.is_file():
            yield path.stem, path.parent.name, path


def _run_pictures(folder: Path) -> Iterator[tuple[str, str, Path]]:
    """The pictures of runs; a method is named for the settings in which the runs differ."""
    runs = [(path.with_name("picture.png"), _facts(path)) for path in folder.glob("*/config.json")]
    runs = [(path, facts) for path, facts in runs if facts and path.is_file()]
    names = sorted({name for _, facts in runs for name in facts} - set(UNIT))
    differing = [n for n in names if len({repr(facts.get(n)) for _, facts in runs}) > 1]
    for path, facts in runs:
        unit = " ".join(str(facts.get(name))[:12] for name in UNIT)
        method = ", ".join(f"{n.rpartition('.')[2]}={facts[n]}" for n in differing if n in facts)
        yield unit, method or "default", path


def _facts(path: Path) -> dict[str, Any]:
    """The values of a config file by name, nested ones as OUTER.INNER; empty if it is none."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    flat: dict[str, Any] = {}
    for name, value in config.items() if isinstance(config, dict) else ():
        inner = value.items() if isinstance(value, dict) else ()
        flat.update({f"{name}.{key}": part for key, part in inner})
        if not isinstance(value, dict | list):
            flat[name] = value
    return flat
