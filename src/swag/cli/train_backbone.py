"""swag train-backbone NAME DATA OUT: train a network of the bundled family."""

from pathlib import Path
from typing import Annotated

import typer

from swag.cli import options
from swag.cli.interruption import interrupted

Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="A network of the family: resnet ...", show_default=False),
]
Data = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        show_default=False,
        help="A folder with a folder of pictures for each class, or with packed .npz files.",
    ),
]
Checkpoint = Annotated[
    Path,
    typer.Argument(
        metavar="OUT", help="The checkpoint; a training that is there goes on.", show_default=False
    ),
]
Epochs = Annotated[
    float | None,
    typer.Option("--epochs", metavar="N", help="Passes over the pictures.", show_default=False),
]
Recipe = Annotated[str, typer.Option("--recipe", metavar="NAME", help="cpu, gpu or plain.")]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="Of whatever is random.")]
Start = Annotated[
    str | None,
    typer.Option(
        "--start",
        metavar="WEIGHTS",
        show_default=False,
        help="A checkpoint or exported weights to begin with; shipped: those in the package.",
    ),
]
Device = Annotated[str, typer.Option("--device", metavar="NAME", help="cpu, cuda, cuda:1 ...")]


def train_backbone(  # noqa: PLR0913 - the arguments of a command are its options
    name: Name,
    data: Data,
    out: Checkpoint,
    epochs: Epochs = None,
    recipe: Recipe = "cpu",
    seed: Seed = 0,
    start: Start = None,
    device: Device = "cpu",
    quiet: options.Quiet = False,
) -> None:
    """Train a network of the bundled family to tell pictures apart.

    Interrupted with Ctrl-C, the same command goes on from the last checkpoint.
    """
    from swag.cli.bars import training_bar
    from swag.training import command

    try:
        lines = command.train_backbone(
            name,
            data,
            out,
            epochs=epochs,
            recipe=recipe,
            seed=seed,
            start=start,
            device=device,
        )
        with training_bar(shown=not quiet) as show:
            for line in lines:
                show(line)
    except KeyboardInterrupt:
        kept = f"the same command goes on from {out}" if out.exists() else "nothing was kept"
        raise interrupted(f"; {kept}") from None
    if not quiet:
        typer.echo(str(out))
