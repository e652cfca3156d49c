"""The jobs of a batch: a table, or every content in every style."""

import csv
import io
import json
import os
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import Any

from swag.batch.folders import output_name, pictures_of
from swag.config.load import brief, refuse_code
from swag.errors import SettingsError

LARGEST_TABLE = 16 << 20
MOST_JOBS = 100_000
_SINGLE, _SEVERAL = ("content_mask", "content_map", "initial"), ("style_mask",)
"""Pictures that a job may name beside its content and styles."""


@dataclass(frozen=True)
class Job:
    """One picture to be made; `output` is its name within the folder of the batch.

    `pictures` are those beside content and styles, by the names that `iterate` has for them.
    `line` is the file and line of a table that asks for the job, empty for one of two folders.
    """

    content: Path
    styles: tuple[Path, ...]
    output: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    pictures: Mapping[str, Path | list[Path]] = field(default_factory=dict)
    line: str = field(default="", compare=False)

    @property
    def files(self) -> dict[str, Path]:
        """Every picture that the job reads, by the name that a run has for it."""
        by_name = {"content": self.content, "style": list(self.styles), **self.pictures}
        return {
            f"{name} {number}" if number > 1 else name: path
            for name, paths in by_name.items()
            for number, path in enumerate(paths if isinstance(paths, list) else [paths], start=1)
        }


def product(contents: Path, styles: Path, out: Path | None = None) -> list[Job]:
    """Every picture of one folder in the style of every picture of another.

    Either may be a single picture. Results of contents in sub-folders are in sub-folders, too; what
    is below `out`, where results go, is no input.

    Raises:
        SettingsError: no such folder, no pictures in it, or results are to go into it.
    """
    photos, paintings = pictures_of(contents, out), pictures_of(styles, out)
    pairs = [(photo, painting) for photo in photos for painting in paintings]
    jobs = [Job(c, (s,), output_name(photos[c], paintings[s])) for c, s in pairs]
    check_distinct(jobs)
    return jobs


def read_jobs(table: Path) -> list[Job]:
    """The jobs of a CSV file with a line of names first, or of JSON objects, one a line.

    Cells of CSV are divided by commas or semicolons, whichever the first line has more of. A cell
    with | in it is a list, as one of JSON may be; an empty cell is not given.

    `content`, `style` (several are blended), `content_mask`, `style_mask` (one for each style),
    `content_map` and `initial` are paths relative to the table's folder; ~ is the home folder.
    `output` is a name in the folder of the batch, by default CONTENT-STYLE.png. Any other name is
    a setting.

    Raises:
        SettingsError: the table cannot be read, or a line of it, which is named by its number.
    """
    text = _text(table)
    rows = _json_rows(text, table) if table.suffix.lower() != ".csv" else _csv_rows(text, table)
    jobs: list[Job] = []
    for number, row in rows:
        if len(jobs) == MOST_JOBS:
            raise SettingsError(f"{table}: more than {MOST_JOBS} jobs; split the table")
        line = f"{table}, line {number}"
        try:
            jobs.append(_job(row, table.parent, line))
        except SettingsError as error:
            raise SettingsError(f"{line}: {error}") from error
    if not jobs:
        raise SettingsError(f"{table}: holds no jobs; expected lines with content and style")
    check_distinct(jobs)
    return jobs


def _text(table: Path) -> str:
    try:
        status = table.stat()
        if stat.S_ISREG(status.st_mode) and status.st_size <= LARGEST_TABLE:
            return table.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not text in UTF-8"
        raise SettingsError(f"{table}: cannot be read ({reason})") from error
    raise SettingsError(
        f"{table}: not a file of at most {LARGEST_TABLE} bytes; expected CSV or JSON lines"
    )


def _csv_rows(text: str, table: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    header = text.partition("\n")[0]  # spreadsheets of half of Europe have semicolons
    delimiter = ";" if header.count(";") > header.count(",") else ","
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
    try:
        for row in reader:
            if None in row or None in row.values():
                raise SettingsError(
                    f"{table}, line {reader.line_num}: expected {len(reader.fieldnames or ())} "
                    "cells, as in the first line"
                )
            yield reader.line_num, {name: _cell(text) for name, text in row.items() if text != ""}
    except csv.Error as error:
        raise SettingsError(f"{table}, line {reader.line_num}: {error}") from error


def _cell(text: str) -> str | list[str]:
    return [part.strip() for part in text.split("|")] if "|" in text else text


def _json_rows(text: str, table: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise SettingsError(f"{table}, line {number}: is no JSON object") from error
        if not isinstance(row, dict):
            raise SettingsError(f"{table}, line {number}: is no JSON object")
        yield number, row


def _job(row: Mapping[str, Any], folder: Path, line: str) -> Job:
    values = dict(row)
    refuse_code(values, "a job")
    if not values.get("content") or not values.get("style"):
        raise SettingsError("content or style is missing; expected the path of a picture for each")
    content = _path("content", values.pop("content"), folder)
    styles = _paths("style", values.pop("style"), folder)
    pictures: dict[str, Path | list[Path]] = {
        name: (_paths if name in _SEVERAL else _path)(name, values.pop(name), folder)
        for name in (*_SEVERAL, *_SINGLE)
        if name in values
    }
    output = values.pop("output", None) or "-".join(x.stem for x in (content, *styles)) + ".png"
    _check_name(output)
    return Job(content, tuple(styles), output, settings=values, pictures=pictures, line=line)


def _paths(name: str, value: object, folder: Path) -> list[Path]:
    return [_path(name, path, folder) for path in (value if isinstance(value, list) else [value])]


def _path(name: str, value: object, folder: Path) -> Path:
    if not isinstance(value, str) or not value:
        raise SettingsError(f"{name} is {brief(repr(value))}; expected the path of a picture")
    return folder / os.path.expanduser(value)


def _check_name(output: object) -> None:
    """Refuse a name that could lead out of the folder of the batch."""
    safe = isinstance(output, str) and 0 < len(output) < 1000 and output.isprintable()
    if isinstance(output, str) and safe:
        parts = PureWindowsPath(output).parts  # knows both kinds of slashes, and drives
        absolute = PureWindowsPath(output).drive or output.startswith(("/", "\\"))
        safe = not absolute and not any(part == ".." or part.startswith(".") for part in parts)
    if not safe:
        raise SettingsError(
            f"output {str(output)[:100]!r} is not a name within the folder of the batch; expected "
            "a name without .. and without a slash at its start"
        )


def check_distinct(jobs: Iterable[Job], folder: Path = Path()) -> None:
    """Refuse two jobs whose pictures would be one file in this folder: SettingsError.

    Names are compared as the file system resolves them, links too, and without regard to the
    case of letters or to how accents are composed: there are file systems that have none.
    """
    by_path: dict[str, Job] = {}
    for job in jobs:
        path = os.path.realpath(folder / job.output.replace("\\", "/"))
        other = by_path.setdefault(unicodedata.normalize("NFC", path).casefold(), job)
        if other is not job:
            hint = "" if other.output == job.output else f", also as {other.output}"
            raise SettingsError(
                f"two jobs have the output {job.output}{hint}: {other.content} and {job.content}; "
                "give each job its own output in a table of jobs"
            )
