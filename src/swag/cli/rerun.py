"""swag rerun PICTURE --content FILE --style FILE: the same picture again."""

from pathlib import Path
from typing import Annotated

import typer

from swag.cli import controls, options

Picture = Annotated[
    Path,
    typer.Argument(
        metavar="PICTURE",
        help="A picture that swag has made, with its metadata.",
        show_default=False,
    ),
]
Content = Annotated[
    Path | None,
    typer.Option("--content", metavar="FILE", help="The photo of it.", show_default=False),
]
Styles = Annotated[
    list[Path] | None,
    typer.Option(
        "--style",
        metavar="FILE",
        show_default=False,
        help="The style picture of it; several in their order.",
    ),
]


def rerun(  # noqa: PLR0913 - the arguments of a command are its options
    picture: Picture,
    content: Content = None,
    style: Styles = None,
    output: options.Out = None,
    weights: options.Weights = None,
    device: options.Device = None,
    content_mask: controls.ContentMask = None,
    style_mask: controls.StyleMask = None,
    content_map: controls.ContentMap = None,
    initial: controls.Initial = None,
    checkpoint_every: options.Every = options.SECONDS,
    no_metadata: options.NoMetadata = False,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Make a picture again from the settings in it and the files it was made from.

    On the same machine it is the same to the bit. Files other than those it was made from are
    refused.
    """
    from swag.cli.running import Output, perform
    from swag.run import recorded

    like = recorded(picture)
    for doubt in [] if quiet else like.reproducibility_warnings:
        typer.echo(f"swag: note: the picture may differ: {doubt}", err=True)
    pictures = {
        "content_mask": content_mask,
        "style_mask": style_mask or None,
        "content_map": content_map,
        "initial": initial,
        "like": like,
    }
    path = output or picture.with_stem(f"{picture.stem}-again")
    out = Output(
        path=path,
        overwrite=overwrite,
        quiet=quiet,
        as_json=json,
        resume=None,
        every=checkpoint_every,
        metadata=not no_metadata,
    )
    chosen = options.overrides(None, weights=weights, device=device)
    perform(like.made.task, content, style or None, chosen, output=out, pictures=pictures)
