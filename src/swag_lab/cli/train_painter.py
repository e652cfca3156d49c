"""swag train-painter PHOTOS PAINTINGS OUT: train the network that paints in one pass."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from swag.cli import options
from swag_lab.cli import new_argument

Photos = Annotated[
    Path, new_argument(metavar="PHOTOS", help="Folder of photos, or a packed .npz file of them.")
]
Paintings = Annotated[
    Path,
    new_argument(
        metavar="PAINTINGS",
        help="Folder of paintings, or a packed .npz file of them: the styles to learn from.",
    ),
]
Checkpoint = Annotated[
    Path,
    new_argument(
        metavar="OUT",
        help="Checkpoint file. If the file exists, its training is continued. The weights are "
        "written beside the file, as .safetensors.",
    ),
]
Steps = Annotated[
    int, typer.Option("--steps", metavar="N", help="Training steps, one batch of photos each.")
]
Size = Annotated[int, typer.Option("--size", metavar="PIXELS", help="Side of the square crops.")]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="Seed of the random numbers.")]
Backbone = Annotated[
    str,
    typer.Option(
        "--backbone", metavar="NAME", help="Network of the training loss; see `swag backbones`."
    ),
]
Weights = Annotated[
    str,
    typer.Option(
        "--weights", metavar="WEIGHTS", help="Weights of --backbone: pretrained, or a file."
    ),
]
Device = Annotated[str, typer.Option("--device", metavar="NAME", help="cpu, cuda, cuda:1 ...")]


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
