"""The figures of a report, as PNG: variants differ by line and marker, so that gray is enough."""

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
"""Height in inches of a row in a figure of effects."""

Curve = tuple[Sequence[Any], Sequence[float]]


def curves(
    panels: Mapping[str, Mapping[str, Curve]],
    *,
    x: str = "",
    y: str = "",
    columns: int = 2,
    logarithmic: Sequence[str] = (),
) -> bytes:
    """Panels by title, each with curves by label; `logarithmic` names panels with such a y-axis."""
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    legend = 0.2 * len({label for lines in panels.values() for label in lines}) / columns
    figure = Figure((4.6 * columns, 3 * rows + legend), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    styles = _styles(label for lines in panels.values() for label in lines)
    for ax, (title, lines) in zip(axes, panels.items(), strict=False):
        for label, (xs, ys) in lines.items():
            ax.plot(xs, ys, label=label, markersize=4, linewidth=1.1, **styles[label])
        ax.set(title=title, xlabel=x, ylabel=y)
        categorical = any(isinstance(value, str) for xs, _ in lines.values() for value in xs)
        ax.tick_params(axis="x", rotation=30 if categorical else 0)
        if title in logarithmic:
            ax.set_yscale("log")
    for ax in axes[len(panels) :]:
        ax.axis("off")
    _add_legend(figure)
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
    """The mean difference of each comparison with its 95 % interval; filled if p < 0.05."""
    tested = {label: c for label, c in comparisons.items() if c is not None}
    figure = Figure((8.4, 1 + SHORTEST * max(1, len(tested))), layout="constrained")
    ax = figure.subplots()
    ax.axvline(0, color="0.6", linewidth=0.8)
    for row, c in enumerate(reversed(tested.values())):
        ax.plot([c.low, c.high], [row, row], color="0.0", linewidth=1.2)
        fill = "0.0" if c.p < 0.05 else "1.0"
        ax.plot(c.mean, row, "o", color="0.0", markerfacecolor=fill)
    ax.set_yticks(range(len(tested)), list(reversed(tested)), fontsize=8)
    ax.set_xlabel(x)
    return _png(figure)


def draw_sheet(columns: Sequence[str], rows: Mapping[str, Sequence[Path | None]]) -> bytes:
    """Pictures side by side: a row for each variant, with its name on the left."""
    side = 1.25
    size = (side * len(columns) + 1.6, side * len(rows) + 0.4)
    figure = Figure(size, layout="constrained")
    rows_of_axes = figure.subplots(len(rows), len(columns), squeeze=False)
    for axes, (label, pictures) in zip(rows_of_axes, rows.items(), strict=True):
        for ax, picture in itertools.zip_longest(axes, pictures):
            ax.set_xticks([])
            ax.set_yticks([])
            if picture is not None and picture.exists():
                ax.imshow(read(picture).pixels.permute(1, 2, 0).numpy())
        axes[0].set_ylabel(label, fontsize=7, rotation=0, ha="right", va="center")
    for ax, title in zip(rows_of_axes[0], columns, strict=True):
        ax.set_title(title, fontsize=6)
    return _png(figure, dpi=110)


def _styles(labels: Any) -> dict[str, dict[str, Any]]:
    """Line, marker and gray of each label, the same in all panels."""
    unique = dict.fromkeys(labels)
    return {
        label: {
            "linestyle": LINES[i % len(LINES)],
            "marker": MARKERS[i % len(MARKERS)],
            "color": GRAYS[i % len(GRAYS)],
        }
        for i, label in enumerate(unique)
    }


def _add_legend(figure: Figure) -> None:
    """Add one legend below all panels, with an entry for each label of any panel."""
    lines: dict[str, Any] = {}
    for ax in figure.axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            lines.setdefault(label, handle)
    if lines:
        ncols = max(1, round(figure.get_figwidth() / 3.2))
        figure.legend(
            lines.values(), lines, loc="outside lower left", ncols=ncols, fontsize=7, frameon=False
        )


def _png(figure: Figure, dpi: int = 90) -> bytes:
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=dpi)
    return image.getvalue()
