"""swag rerun PICTURE --content FILE --style FILE: the same picture again."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from swag.cli import groups, options
from swag.cli.groups import grouped, settings_from

Picture = Annotated[Path, options.argument("PICTURE", "A picture made by swag, with its metadata.")]
Content = Annotated[Path | None, options.option("--content FILE", "Its photo.")]
Styles = Annotated[
    list[Path] | None,
    options.option(
        "--style FILE", "Its style picture. Repeat the option for several styles, in their order."
    ),
]


@grouped
def rerun(  # noqa: PLR0913 - the arguments of a command are its options
    picture: Picture,
    *,
    content: Content = None,
    style: Styles = None,
    output: options.Out = None,
    to: groups.OutputOptions,
    max_pixels: options.MaxPixels = None,
    watch: groups.WatchOptions,
    backbone: options.Backbone = None,
    weights: options.Weights = None,
    device: options.Device = None,
    regions: groups.RegionOptions,
) -> None:
    """Make a picture again, with the settings stored in the picture and the same inputs.

    swag rerun result.png --content photo.jpg --style painting.jpg

    On the same machine the new picture equals the old one bit for bit. Input files that differ
    from those of the old picture are refused.
    """
    from swag.cli.output import Output
    from swag.cli.running import run_and_save
    from swag.run import recorded

    like = recorded(picture)
    for reason in [] if to.quiet else like.reproducibility_warnings:
        typer.echo(f"swag: note: the picture may differ: {reason}", err=True)
    run_and_save(
        like.made.task,
        content,
        style or None,
        settings_from(backbone=backbone, weights=weights, device=device),
        output=Output.of(to, output or picture.with_stem(f"{picture.stem}-again"), watch=watch),
        pictures={**asdict(regions), "max_pixels": max_pixels, "like": like},
    )
