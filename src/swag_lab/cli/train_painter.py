"""swag train-painter PHOTOS PAINTINGS OUT: train the network that paints in one pass."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from swag.cli import options

Photos = Annotated[
    Path, options.argument("PHOTOS", "Folder of photos, or a packed .npz file of them.")
]
Paintings = Annotated[
    Path,
    options.argument(
        "PAINTINGS", "Folder of paintings, or a packed .npz file of them: the styles to learn from."
    ),
]
Checkpoint = Annotated[
    Path,
    options.argument(
        "OUT",
        "Checkpoint file. If the file exists, its training is continued. The weights are "
        "written beside the file, as .safetensors.",
    ),
]
Steps = Annotated[
    int, options.option("--steps N", "Training steps, one batch of photos each.", default=True)
]
Size = Annotated[int, options.option("--size PIXELS", "Side of the square crops.", default=True)]
Seed = Annotated[
    int,
    options.option("--seed N", "Seed of the random numbers.", default=True, min=0, max=2**63 - 1),
]
Backbone = Annotated[
    str,
    options.option(
        "--backbone NAME", "Network of the training loss; see `swag backbones`.", default=True
    ),
]
Weights = Annotated[
    str,
    options.option(
        "--weights WEIGHTS", "Weights of --backbone: pretrained, or a file.", default=True
    ),
]
Device = Annotated[str, options.option("--device NAME", "cpu, cuda, cuda:1 ...", default=True)]


def train_painter(  # noqa: PLR0913 - the arguments of a command are its options
    photos: Photos,
    paintings: Paintings,
    out: Checkpoint,
    steps: Steps = 2600,
    size: Size = 160,
    seed: Seed = 0,
    backbone: Backbone = "swag/vgg16-distilled",
    weights: Weights = "pretrained",
    device: Device = "cpu",
    quiet: options.Quiet = False,
) -> None:
    """Train the network of --method instant, which paints in any style in one pass.

    swag train-painter photos/ paintings/ painter.pt

    After Ctrl-C, the same command continues from the last checkpoint.
    """
    from swag_lab.cli.bars import watch
    from swag_lab.training.instant.command import export_painter, train_on
    from swag_lab.training.instant.recipe import PainterRecipe

    recipe = PainterRecipe(steps=steps, size=size, seed=seed)
    train = partial(
        train_on,
        photos,
        paintings,
        out,
        recipe=recipe,
        backbone=backbone,
        weights=weights,
        device=device,
    )
    watch(train, out, quiet=quiet)
    weights_file = out.with_suffix(".safetensors")
    export_painter(out, weights_file)
    if not quiet:
        typer.echo(str(weights_file))
