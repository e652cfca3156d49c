"""The results of a study: shares and strengths as rows, CSV and a figure."""

import csv
import io
from typing import Any

from matplotlib.figure import Figure

from swag.web.ranking import bradley_terry, shares
from swag.web.study import AnswerStore


def results_of(store: AnswerStore) -> dict[str, Any]:
    """Results of each method, the strongest first, with 95 % intervals; and the catch trials."""
    comparisons = store.comparisons()
    share_of = {row.method: row for row in shares(comparisons)}
    rows = [
        {
            "method": row.method,
            "strength": row.strength,
            "strength_low": row.low,
            "strength_high": row.high,
            **{f: getattr(share_of[row.method], f) for f in ("won", "lost", "undecided", "share")},
            "share_low": share_of[row.method].low,
            "share_high": share_of[row.method].high,
        }
        for row in bradley_terry(comparisons)
    ]
    caught = list(store.catches().values())
    return {
        "rows": rows,
        "answers": len(comparisons),
        "catches": sum(total for _, total in caught),
        "caught": sum(passed for passed, _ in caught),
    }


def results_csv(rows: list[dict[str, Any]]) -> str:
    """The rows as CSV, a line for each method."""
    text = io.StringIO()
    fields = list(rows[0]) if rows else ["method"]
    writer = csv.DictWriter(text, fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows({**row, "method": _escaped(row["method"])} for row in rows)
    return text.getvalue()


def _escaped(name: str) -> str:
    """A name, quoted if a spreadsheet would take it for a formula."""
    return f"'{name}" if name[:1] in "=+-@\t\r" else name


def results_figure(rows: list[dict[str, Any]]) -> bytes:
    """Strengths and shares with their intervals, as SVG."""
    figure = Figure(figsize=(9, 1.4 + 0.4 * max(1, len(rows))), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, name, title in zip(
        axes, ("strength", "share"), ("strength (Bradley-Terry)", "share preferred"), strict=True
    ):
        for height, row in enumerate(reversed(rows)):
            axis.plot([row[f"{name}_low"], row[f"{name}_high"]], [height, height], color="#7a869a")
            axis.plot([row[name]], [height], "o", color="#1f4fa3")
        axis.axvline(0 if name == "strength" else 0.5, color="#c0c6d0", linewidth=0.8, zorder=0)
        axis.set_xlabel(f"{title}, with 95 % intervals")
        axis.set_yticks(range(len(rows)), [row["method"] for row in reversed(rows)])
    stream = io.BytesIO()
    figure.savefig(stream, format="svg")
    return stream.getvalue()
