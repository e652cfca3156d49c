"""The pictures of a folder, however deep, and what the results made of them are called."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path, PurePath

from swag.errors import SettingsError
from swag.image import extensions, is_picture

LOG = logging.getLogger("swag")

MOST_NAMED = 5
"""Files that were left out and are named; the others are counted."""


def pictures_of(place: Path, out: Path | None = None) -> dict[Path, PurePath]:
    """The pictures in a folder and below it, or a single one, each with its name for results.

    Taken are files whose extension is a picture's, in upper or lower case, and those that begin as
    a picture does. What is below `out`, where results go, is no input; hidden files and folders are
    passed over; what else is left out is told in a warning.

    Raises:
        SettingsError: no such folder, no pictures in it, or results are to go into it.
    """
    if place.is_file():
        return with_names([place], place.parent)
    if out is not None and os.path.realpath(out) == os.path.realpath(place):
        raise SettingsError(
            f"{out} is the folder of the pictures to read, so results would be read as inputs; "
            "choose another folder for --out"
        )
    files = _files(place, out)
    found = [path for path in files if _is_taken(path)]
    if not found:
        raise SettingsError(f"{place} holds no pictures; expected {', '.join(extensions())}")
    left_out = sorted(set(files) - set(found))
    if left_out:
        names = ", ".join(str(path.relative_to(place)) for path in left_out[:MOST_NAMED])
        more = f" and {len(left_out) - MOST_NAMED} more" if len(left_out) > MOST_NAMED else ""
        LOG.warning(f"{place}: left out files that are no readable pictures: {names!r}{more}")
    return with_names(found, place)


def with_names(files: Sequence[Path], folder: Path) -> dict[Path, PurePath]:
    """A name for each, seen from the folder; with its extension only if others have it, too."""
    names = [path.relative_to(folder) for path in files]
    stems = [str(name.with_suffix("")).casefold() for name in names]
    return {
        path: name if stems.count(stem) > 1 else name.with_suffix("")
        for path, name, stem in zip(files, names, stems, strict=True)
    }


def output_name(content: PurePath, style: PurePath) -> str:
    """The name of a result: in the content's sub-folder, CONTENT-STYLE.png."""
    return str(content.parent / "-".join([content.name, *style.parts])) + ".png"


def _is_taken(path: Path) -> bool:
    return path.suffix.lower() in extensions() or is_picture(path)


def _files(folder: Path, out: Path | None) -> list[Path]:
    """All files below a folder that are not hidden, but for those below `out`, in order."""
    below = None if out is None else Path(os.path.realpath(out))
    files: list[Path] = []
    try:
        os.listdir(folder)  # what `walk` passes over in silence
    except OSError as error:
        raise SettingsError(f"cannot look into {folder}: {error.strerror}") from error
    for place, folders, names in os.walk(folder):
        here = Path(place)
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and Path(os.path.realpath(here / name)) != below
        ]
        files += [here / name for name in names if not name.startswith(".")]
    return sorted(files)
