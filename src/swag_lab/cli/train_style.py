"""swag train-style PAINTING PHOTOS...: train a network that paints in the style of one painting."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from swag.cli import options
from swag.cli.groups import LookOptions, MethodOptions, NetworkOptions, grouped, settings_from
from swag.cli.interruption import interruption_exit, stop_on_interrupt

Painting = Annotated[Path, options.argument("PAINTING", "The style picture.")]
Photos = Annotated[
    list[Path],
    options.argument("PHOTOS...", "Folders of photos, or packed .npz files of them."),
]
StyleOut = Annotated[
    Path,
    options.option(
        "--output -o NAME.safetensors",
        "Style file to write. The checkpoint of the training, its log and a sheet of pictures "
        "are written beside the file.",
    ),
]
TrainSteps = Annotated[
    int, options.option("--steps N", "Training steps, one batch each.", default=True, min=1)
]
Batch = Annotated[int, options.option("--batch N", "Photos in a batch.", default=True, min=1)]
Crop = Annotated[
    int, options.option("--crop PIXELS", "Side of the square crops.", default=True, min=64)
]


@grouped
def train_style(  # noqa: PLR0913 - the arguments of a command are its options
    painting: Painting,
    photos: Photos,
    out: StyleOut,
    *,
    steps: TrainSteps = 1500,
    batch: Batch = 2,
    crop: Crop = 176,
    size: options.Size = None,
    seed: options.Seed = None,
    device: options.Device = None,
    look: LookOptions,
    method: MethodOptions,
    network: NetworkOptions,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
) -> None:
    """Train a network for the style of one painting; `swag apply` then paints photos with it.

    swag train-style painting.jpg photos/ -o painting.safetensors

    Losses, layers, smoothing, strength and backbone mean the same as for `swag stylize`. --size is
    the size of the photos that the network will paint; the painting is scaled to this size. After
    Ctrl-C, the same command continues.
    """
    from swag.config import settings
    from swag_lab.cli.bars import resumption_hint, training_bar
    from swag_lab.training.style.command import checkpoint_of, train_style_on
    from swag_lab.training.style.recipe import StyleRecipe

    chosen = settings(**settings_from(look, method, network, size=size, seed=seed, device=device))
    recipe = StyleRecipe(steps=steps, batch=batch, size=crop)
    done, state = 0, checkpoint_of(out)
    try:
        with stop_on_interrupt(lambda: done > 0) as should_stop:
            lines = train_style_on(
                painting,
                photos,
                out,
                settings=chosen,
                recipe=recipe,
                overwrite=overwrite,
                should_stop=should_stop,
            )
            with training_bar(visible=not quiet) as show:
                for line in lines:
                    done = line.step
                    show(line)
    except KeyboardInterrupt:
        done = 0
    if done < steps:
        raise interruption_exit(f"; {resumption_hint(state)}")
    if not quiet:
        typer.echo(str(out))
