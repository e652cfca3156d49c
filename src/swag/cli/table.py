"""Rows on the screen: a table to read, or JSON for programs."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import typer

WIDEST = 400
"""Columns of text for output that is not a terminal."""

Row = Mapping[str, Any]


def show(rows: Sequence[Row], *, as_json: bool) -> None:
    """Print rows with the same keys, which become the columns, on standard output."""
    if as_json:
        typer.echo(json.dumps([dict(row) for row in rows], indent=1))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for number, name in enumerate(rows[0]):
        table.add_column(name, overflow="fold", no_wrap=number == 0)
    for row in rows:
        # As plain text: Rich would take brackets in a value for markup.
        table.add_row(*(Text(format_value(value)) for value in row.values()))
    # A pipe has no width: there, each row is one line.
    Console(width=None if Console().is_terminal else WIDEST).print(table)


def format_value(value: object) -> str:
    """A value as a table shows it."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)
