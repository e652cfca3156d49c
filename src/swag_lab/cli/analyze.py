"""swag analyze IMAGE...: how peaky the activations of a backbone are, layer by layer.

The panels are those of the paper's figure: maximum and entropy of activations and of Gram
matrices. Each entropy is given for both distributions, which tell different stories (see
`swag.statistics`).
"""

from pathlib import Path
from typing import Annotated

import typer

from swag.cli import options
from swag.cli.groups import settings_from
from swag.cli.table import show

Images = Annotated[list[Path], typer.Argument(metavar="IMAGE...", show_default=False)]
Csv = Annotated[
    Path | None,
    options.option("--csv FILE", "Write a table with a line for each picture and layer."),
]
Figure = Annotated[
    Path | None,
    options.option(
        "--figure FILE", "Draw maxima and entropies over the layers: .png, .svg or .pdf."
    ),
]


def analyze(  # noqa: PLR0913 - the arguments of a command are its options
    images: Images,
    backbone: options.Backbone = None,
    weights: options.Weights = None,
    size: options.Pixels = None,
    seed: options.Seed = None,
    device: options.Device = None,
    csv: Csv = None,
    figure: Figure = None,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> None:
    """Measure how peaky activations and Gram matrices are, layer by layer.

    The table shows the mean over the pictures; --csv and --json have each picture. Entropies are
    divided by log n, so that a flat distribution has 1. Columns named `sum` show the entropy of
    F / sum F, those named `softmax` the entropy of softmax(F).
    """
    from swag_lab.cli.figures import FIGURES, draw, save_csv, writable
    from swag_lab.cli.peakiness import layer_means, peakiness_rows

    if csv is not None:
        writable(csv, (".csv",), overwrite=overwrite)
    if figure is not None:
        writable(figure, FIGURES, overwrite=overwrite)
    chosen = settings_from(backbone=backbone, weights=weights, size=size, seed=seed, device=device)
    rows = peakiness_rows(images, chosen)
    if csv is not None:
        save_csv(rows, csv)
    if figure is not None:
        draw(layer_means(rows), figure)
    show(rows if json else layer_means(rows), as_json=json)
