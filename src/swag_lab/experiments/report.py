"""A report of studies: one page that opens from disk, and its tables as CSV files beside it."""

import base64
import csv
import html
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swag.files import write_atomically
from swag_lab.experiments.job import StudyRun
from swag_lab.experiments.study import Row, Section, Study

STYLE = """
body { font: 16px/1.5 Georgia, serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h2 { border-top: 2px solid; padding-top: 1rem; margin-top: 3rem; }
img { max-width: 100%; }
dt { font-weight: bold; float: left; width: 6rem; } dd { margin-left: 7rem; }
.table { overflow-x: auto; } table { border-collapse: collapse; font: 13px/1.3 sans-serif; }
td, th { padding: .2rem .6rem; text-align: right; border-bottom: 1px solid #ccc; }
td:first-child, th:first-child { text-align: left; } .note { color: #444; font-size: 14px; }
"""
SCRIPT = """
for (const button of document.querySelectorAll("button[data-table]")) button.onclick = () => {
  const rows = [...document.getElementById(button.dataset.table).rows];
  const quote = text => '"' + text.replaceAll('"', '""') + '"';
  const value = cell => quote(cell.dataset.value ?? cell.innerText);
  const lines = rows.map(row => [...row.cells].map(value).join(","));
  navigator.clipboard.writeText(lines.join("\\n") + "\\n");
  button.textContent = "copied";
};
"""


@dataclass(frozen=True)
class Chapter:
    """A study, the sections on its runs, and counts of these runs."""

    study: Study
    sections: Sequence[Section]
    finished_runs: int
    failed_runs: int
    planned_runs: int


def write_report(folder: Path, name: str, chapters: Sequence[Chapter], facts: Row) -> Path:
    """Write NAME.html, NAME.md, tables/STUDY-N.csv and figures/STUDY-N.png; the page's path.

    The page needs no other file: figures are in it. `facts` say how the runs were made.
    """
    for chapter in chapters:
        for number, section in enumerate(chapter.sections, start=1):
            stem = f"{chapter.study.name}-{number}"
            if section.table:
                _save(folder / "tables" / f"{stem}.csv", as_csv(section.table).encode())
            if section.figure is not None:
                _save(folder / "figures" / f"{stem}.png", section.figure)
    path = folder / f"{name}.html"
    _save(path, page(name, chapters, facts).encode())
    _save(folder / f"{name}.md", markdown(name, chapters, facts).encode())
    return path


def page(name: str, chapters: Sequence[Chapter], facts: Row) -> str:
    """The report as a page of HTML."""
    body = "".join(_chapter(chapter) for chapter in chapters)
    links = "".join(
        f'<li><a href="#{c.study.name}">{_html(c.study.title)}</a></li>' for c in chapters
    )
    entries = "".join(f"<dt>{_html(k)}</dt><dd>{_html(_rounded(v))}</dd>" for k, v in facts.items())
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>SWAG: {_html(name)}</title>'
        f"<style>{STYLE}</style><h1>SWAG: {_html(name)}</h1><dl>{entries}</dl><ul>{links}</ul>"
        f"{body}<script>{SCRIPT}</script></html>\n"
    )


def markdown(name: str, chapters: Sequence[Chapter], facts: Row) -> str:
    """The report as Markdown, with links to the figures."""
    lines = [f"# SWAG: {name}", "", *(f"- {k}: {_rounded(v)}" for k, v in facts.items())]
    for chapter in chapters:
        lines += ["", f"## {chapter.study.title}", "", chapter.study.question, _run_counts(chapter)]
        for number, section in enumerate(chapter.sections, start=1):
            lines += ["", f"### {section.title}", "", f"Expected: {section.expected}", ""]
            lines += [f"Found: {section.finding}", "", f"How sure: {section.certainty}.", ""]
            if section.figure is not None:
                lines += [f"![{section.title}](figures/{chapter.study.name}-{number}.png)", ""]
            lines += _markdown_table(section.table)
            lines += [section.note] if section.note else []
    return "\n".join(lines) + "\n"


def as_csv(table: Sequence[Row]) -> str:
    """The rows as CSV with all digits; a column for every key of any row."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=_columns(table), restval="")
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue()


def row_of(run: StudyRun) -> Row:
    """A run as a row of the table of all runs: what it was made with, and its numbers."""
    job = run.job
    network = job.network.config()
    numbers = {k: v for k, v in run.metrics.items() if isinstance(v, int | float | str)}
    return {
        "variant": job.variant,
        "kind": job.kind,
        "task": job.task,
        "network": job.network.backbone,
        "weights": job.network.weights,
        "weights SHA-256": network.get("sha256", ""),
        "seed": job.seed,
        "size": job.size,
        "content": job.content.name,
        "content SHA-256": job.content.digest,
        "style": job.style.name,
        "style SHA-256": job.style.digest,
        "settings": json.dumps(dict(job.settings), sort_keys=True),
        "folder": run.folder.name,
        **_errors(run),
        **numbers,
    }


def _errors(run: StudyRun) -> Row:
    """Style and content errors, by judge and measure."""
    return {
        f"{judge} {measure}": value
        for judge, measures in run.metrics.get("judges", {}).items()
        for measure, value in measures.items()
    }


def _chapter(chapter: Chapter) -> str:
    study = chapter.study
    sections = "".join(
        _section(section, f"{study.name}-{number}")
        for number, section in enumerate(chapter.sections, start=1)
    )
    return (
        f'<h2 id="{study.name}">{_html(study.title)}</h2><p>{_html(study.question)}</p>'
        f'<p class="note">{_run_counts(chapter)}</p>{sections}'
    )


def _run_counts(chapter: Chapter) -> str:
    return (
        f"Runs: {chapter.finished_runs} of {chapter.planned_runs} are there; "
        f"{chapter.failed_runs} of them ended without a picture."
    )


def _section(section: Section, name: str) -> str:
    items = {"Expected": section.expected, "Found": section.finding, "How sure": section.certainty}
    entries = "".join(f"<dt>{k}</dt><dd>{_html(v)}</dd>" for k, v in items.items())
    parts = [f'<section id="{name}"><h3>{_html(section.title)}</h3><dl>{entries}</dl>']
    if section.figure is not None:
        data = base64.b64encode(section.figure).decode()
        parts.append(f'<img alt="{_html(section.title)}" src="data:image/png;base64,{data}">')
    if section.table:
        parts.append(_table(section.table, name))
    if section.note:
        parts.append(f'<p class="note">{_html(section.note)}</p>')
    return "".join(parts) + "</section>"


def _table(table: Sequence[Row], name: str) -> str:
    columns = _columns(table)
    head = "".join(f"<th>{_html(column)}</th>" for column in columns)
    rows = "".join(
        f"<tr>{''.join(_cell(row.get(column)) for column in columns)}</tr>" for row in table
    )
    return (
        f'<p><button data-table="table-{name}">copy as CSV</button> '
        f'<a href="tables/{name}.csv">{name}.csv</a></p>'
        f'<div class="table"><table id="table-{name}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _cell(value: Any) -> str:
    exact = "" if value is None else str(value)
    return f'<td data-value="{_html(exact)}">{_html(_rounded(value))}</td>'


def _markdown_table(table: Sequence[Row]) -> list[str]:
    if not table:
        return []
    columns = _columns(table)
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(_rounded(row.get(c)) for c in columns) + " |" for row in table]
    return [*lines, ""]


def _columns(table: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(key for row in table for key in row))


def _rounded(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return "" if value is None else str(value)


def _html(value: object) -> str:
    return html.escape(str(value), quote=True)


def _save(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda file: file.write(data))
