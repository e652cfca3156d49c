"""The pictures in a folder and its sub-folders, and the names of the results made of them."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path, PurePath

from swag.errors import SettingsError
from swag.image import extensions, is_picture

LOG = logging.getLogger("swag")

MOST_NAMED = 5
"""Most files left out that a warning names; the others are counted."""


def pictures_of(place: Path, out: Path | None = None) -> dict[Path, PurePath]:
    """The pictures in a folder and below it, or a single one, each with its name for results.

    Pictures are files with the extension of one, in upper or lower case, and those that begin as
    one. Files below `out`, where results go, are no inputs; hidden files and folders are skipped;
    a warning names other files that are left out.

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
    pictures = [path for path in files if _is_picture_file(path)]
    if not pictures:
        raise SettingsError(f"{place} holds no pictures; expected {', '.join(extensions())}")
    left_out = sorted(set(files) - set(pictures))
    if left_out:
        names = ", ".join(str(path.relative_to(place)) for path in left_out[:MOST_NAMED])
        others = f" and {len(left_out) - MOST_NAMED} more" if len(left_out) > MOST_NAMED else ""
        LOG.warning(f"{place}: left out files that are no readable pictures: {names!r}{others}")
    return with_names(pictures, place)


def with_names(files: Sequence[Path], folder: Path) -> dict[Path, PurePath]:
    """A name for each file, relative to the folder; with its extension only if others share it."""
    names = [path.relative_to(folder) for path in files]
    stems = [str(name.with_suffix("")).casefold() for name in names]
    return {
        path: name if stems.count(stem) > 1 else name.with_suffix("")
        for path, name, stem in zip(files, names, stems, strict=True)
    }


def output_name(content: PurePath, style: PurePath) -> str:
    """The name of a result: in the content's sub-folder, CONTENT-STYLE.png."""
    return str(content.parent / "-".join([content.name, *style.parts])) + ".png"


def _is_picture_file(path: Path) -> bool:
    return path.suffix.lower() in extensions() or is_picture(path)


def _files(folder: Path, out: Path | None) -> list[Path]:
    """All files below a folder that are not hidden, but for those below `out`, in order."""
    out_path = None if out is None else Path(os.path.realpath(out))
    files: list[Path] = []
    try:
        os.listdir(folder)  # what `walk` passes over in silence
    except OSError as error:
        raise SettingsError(f"cannot look into {folder}: {error.strerror}") from error
    for path, folders, names in os.walk(folder):
        directory = Path(path)
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and Path(os.path.realpath(directory / name)) != out_path
        ]
        files += [directory / name for name in names if not name.startswith(".")]
    return sorted(files)
