"""The figures of a report, as PNG: told apart by line and marker, so that gray is enough."""

import io
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from swag.image import read
from swag_lab.evaluation.equal_content import Point
from swag_lab.evaluation.paired import Comparison

LINES = ("-", "--", "-.", ":")
MARKERS = "os^Dvx*P<>"
GRAYS = ("0.0", "0.35", "0.55")
SHORTEST = 0.35
"""Inches of a line of text."""

Curve = tuple[Sequence[Any], Sequence[float]]


def curves(
    panels: Mapping[str, Mapping[str, Curve]],
    *,
    x: str = "",
    y: str = "",
    columns: int = 2,
    logarithmic: Sequence[str] = (),
) -> bytes:
    """Panels by title, each with lines by label; `logarithmic` names panels with such a y-axis."""
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    legend = 0.2 * len({label for lines in panels.values() for label in lines}) / columns
    figure = Figure((4.6 * columns, 3 * rows + legend), layout="constrained")
    places = list(figure.subplots(rows, columns, squeeze=False).flat)
    styles = _styles(label for lines in panels.values() for label in lines)
    for place, (title, lines) in zip(places, panels.items(), strict=False):
        for label, (across, up) in lines.items():
            place.plot(across, up, label=label, markersize=4, linewidth=1.1, **styles[label])
        place.set(title=title, xlabel=x, ylabel=y)
        words = any(isinstance(value, str) for across, _ in lines.values() for value in across)
        place.tick_params(axis="x", rotation=30 if words else 0)
        if title in logarithmic:
            place.set_yscale("log")
    for place in places[len(panels) :]:
        place.axis("off")
    _legend(figure)
    return _png(figure)


def draw_fronts(panels: Mapping[str, Mapping[str, Sequence[Point]]]) -> bytes:
    """Style error over content error, a line for each variant: lower and further left is better."""
    lines = {
        title: {
            label: ([p[0] for p in points], [p[1] for p in points])
            for label, points in variants.items()
            if points
        }
        for title, variants in panels.items()
    }
    return curves(lines, x="content error", y="style error (sliced)")


def draw_effects(comparisons: Mapping[str, Comparison | None], *, x: str) -> bytes:
    """The mean difference of each comparison with its 95 % interval; filled where p < 0.05."""
    known = {label: c for label, c in comparisons.items() if c is not None}
    figure = Figure((8.4, 1 + SHORTEST * max(1, len(known))), layout="constrained")
    place = figure.subplots()
    place.axvline(0, color="0.6", linewidth=0.8)
    for row, c in enumerate(reversed(known.values())):
        place.plot([c.low, c.high], [row, row], color="0.0", linewidth=1.2)
        face = "0.0" if c.p < 0.05 else "1.0"
        place.plot(c.mean, row, "o", color="0.0", markerfacecolor=face)
    place.set_yticks(range(len(known)), list(reversed(known)), fontsize=8)
    place.set_xlabel(x)
    return _png(figure)


def draw_sheet(columns: Sequence[str], rows: Mapping[str, Sequence[Path | None]]) -> bytes:
    """Pictures side by side: a row for each variant, with its name on the left."""
    side = 1.25
    size = (side * len(columns) + 1.6, side * len(rows) + 0.4)
    figure = Figure(size, layout="constrained")
    grid = figure.subplots(len(rows), len(columns), squeeze=False)
    for line, (label, pictures) in zip(grid, rows.items(), strict=True):
        for place, picture in itertools.zip_longest(line, pictures):
            place.set_xticks([])
            place.set_yticks([])
            if picture is not None and picture.exists():
                place.imshow(read(picture).pixels.permute(1, 2, 0).numpy())
        line[0].set_ylabel(label, fontsize=7, rotation=0, ha="right", va="center")
    for place, title in zip(grid[0], columns, strict=True):
        place.set_title(title, fontsize=6)
    return _png(figure, dpi=110)


def _styles(labels: Any) -> dict[str, dict[str, Any]]:
    """A line for each label, the same in all panels."""
    found = dict.fromkeys(labels)
    return {
        label: {
            "linestyle": LINES[i % len(LINES)],
            "marker": MARKERS[i % len(MARKERS)],
            "color": GRAYS[i % len(GRAYS)],
        }
        for i, label in enumerate(found)
    }


def _legend(figure: Figure) -> None:
    """One legend below all panels, a line of it for each label that any of them has."""
    known: dict[str, Any] = {}
    for place in figure.axes:
        for handle, label in zip(*place.get_legend_handles_labels(), strict=True):
            known.setdefault(label, handle)
    if known:
        wide = max(1, round(figure.get_figwidth() / 3.2))
        figure.legend(
            known.values(), known, loc="outside lower left", ncols=wide, fontsize=7, frameon=False
        )


def _png(figure: Figure, dpi: int = 90) -> bytes:
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=dpi)
    return image.getvalue()
