"""Files of `swag analyze`: numbers as CSV, and the paper's four panels as a figure."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from swag.cli.table import Row
from swag.errors import ResourceError, SettingsError
from swag.files import write_atomically
from swag_lab.experiments.report import as_csv

FIGURES = (".png", ".svg", ".pdf")

PANELS = {
    "(a) maximum of activations": ("max F",),
    "(b) entropy of activations": ("entropy F (sum)", "entropy F (softmax)"),
    "(c) maximum of Gram matrices": ("max G",),
    "(d) entropy of Gram matrices": ("entropy G (sum)", "entropy G (softmax)"),
}


def writable(path: Path, extensions: Sequence[str], *, overwrite: bool) -> None:
    """Check that a file with one of the extensions can be written here. SettingsError."""
    if path.suffix.lower() not in extensions:
        raise SettingsError(
            f"cannot write {path}: the extension {path.suffix!r} is not one of "
            f"{', '.join(extensions)}"
        )
    if not path.parent.is_dir():
        raise SettingsError(f"cannot write {path}: there is no folder {path.parent}; create it")
    if path.exists() and not overwrite:
        raise SettingsError(f"{path} exists; give another name, or --overwrite")


def save_csv(rows: Sequence[Row], path: Path) -> None:
    """Write rows with the same keys, numbers with all their digits. ResourceError if it fails."""
    _save(path, as_csv(rows).encode())


def draw(layers: Sequence[Row], path: Path) -> None:
    """Draw the paper's four panels over the layers into a file. ResourceError if it fails."""
    # Without pyplot, which opens windows and keeps every figure.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6), layout="constrained")
    for axes, (title, lines) in zip(figure.subplots(2, 2).flat, PANELS.items(), strict=True):
        _panel(axes, title, lines, layers)
    image = io.BytesIO()
    figure.savefig(image, format=path.suffix[1:].lower(), dpi=150)
    _save(path, image.getvalue())


def _panel(axes: Any, title: str, lines: Sequence[str], layers: Sequence[Row]) -> None:
    names = [row["layer"] for row in layers]
    for line, style in zip(lines, ("-", "--"), strict=False):
        axes.plot(names, [row[line] for row in layers], style, marker="o", label=line)
    axes.set_title(title)
    axes.tick_params(axis="x", rotation=30)
    if len(lines) > 1:
        axes.set_ylim(0, 1.03)
        axes.legend()


def _save(path: Path, data: bytes) -> None:
    try:
        write_atomically(path, lambda file: file.write(data))
    except OSError as error:
        raise ResourceError(f"cannot write {path}: {error.strerror or error}") from error
