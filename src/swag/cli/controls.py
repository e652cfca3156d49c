"""The options for whoever makes pictures: which style goes where, how large, in whose colours."""

from pathlib import Path
from typing import Annotated

import typer

PANEL = "Control"

StyleLoss = Annotated[
    str | None,
    typer.Option(
        "--style-loss",
        metavar="NAME",
        rich_help_panel=PANEL,
        show_default=False,
        help="What of a style is compared, as in gram-robust:penalty=l1; see `swag losses`.",
    ),
]
ContentLoss = Annotated[
    str | None,
    typer.Option(
        "--content-loss",
        metavar="NAME",
        rich_help_panel=PANEL,
        show_default=False,
        help="What of the photo is kept; see `swag losses`.",
    ),
]
Blend = Annotated[
    str | None,
    typer.Option(
        "--blend",
        metavar="X,X...",
        rich_help_panel=PANEL,
        show_default=False,
        help="How much each of several styles counts, as in 2,1.",
    ),
]
StyleScale = Annotated[
    float | None,
    typer.Option(
        "--style-scale",
        metavar="X",
        rich_help_panel=PANEL,
        show_default=False,
        help="Size of the style picture: below 1 smaller strokes, above 1 larger ones.",
    ),
]
Rotations = Annotated[
    bool,
    typer.Option(
        "--style-rotations",
        rich_help_panel=PANEL,
        help="The style's quarter turns count as it does.",
    ),
]
Colours = Annotated[
    str | None,
    typer.Option(
        "--colours",
        "--colors",
        metavar="WHOSE",
        rich_help_panel=PANEL,
        show_default=False,
        help="style, content, content-linear, match, match-cholesky or match-histogram.",
    ),
]
ContentMask = Annotated[
    Path | None,
    typer.Option(
        "--content-mask",
        metavar="FILE",
        rich_help_panel=PANEL,
        show_default=False,
        help="Regions of the photo, in flat colours or shades of grey; alone: style where white.",
    ),
]
StyleMask = Annotated[
    list[Path] | None,
    typer.Option(
        "--style-mask",
        metavar="FILE",
        rich_help_panel=PANEL,
        show_default=False,
        help="The regions of the style that go there, in the same colours; one for each style.",
    ),
]
Feather = Annotated[
    float | None,
    typer.Option(
        "--feather",
        metavar="PIXELS",
        rich_help_panel=PANEL,
        show_default=False,
        help="How far the edges of the content mask are blurred.",
    ),
]
ContentMap = Annotated[
    Path | None,
    typer.Option(
        "--content-map",
        metavar="FILE",
        rich_help_panel=PANEL,
        show_default=False,
        help="How much the photo counts: fully where white, not at all where black.",
    ),
]
Initial = Annotated[
    Path | None,
    typer.Option(
        "--initial",
        metavar="FILE",
        rich_help_panel=PANEL,
        show_default=False,
        help="A picture to begin with instead of the photo.",
    ),
]


def weights(text: str | None) -> list[str] | None:
    """The entries of a list in words; whether they are numbers is the settings' to say."""
    return None if text is None else [entry.strip() for entry in text.split(",")]
