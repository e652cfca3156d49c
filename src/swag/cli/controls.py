"""Options for whoever makes pictures: how much style, in whose colors, and where."""

from pathlib import Path
from typing import Annotated, Any

from swag.cli.options import RUN, option

LOOK, REGIONS = "Look", "Regions"


def long_side(usual: str) -> Any:
    """The option `--size` of a pass of a trained network; `usual` is the size without it."""
    return option(
        "--size", panel=RUN, value="PIXELS", default=usual, help="Long side of the result."
    )


def two_colors(panel: str) -> Any:
    """The option `--colors` where it is either those of the style or those of the content."""
    return option(
        "--colors",
        panel=panel,
        value="WHOSE",
        default="style",
        help="Whose colors the result has: style or content.",
    )


Strength = Annotated[
    float | None,
    option(
        "--strength",
        panel=LOOK,
        value="X",
        default="0.5",
        help="How much style: 0 is the photo alone, 1 the style alone.",
    ),
]
Method = Annotated[
    str | None,
    option(
        "--method",
        "-m",
        panel=LOOK,
        value="NAME",
        default="w2",
        help="Style loss with settings tuned for it; see `swag methods`.",
    ),
]
Preset = Annotated[
    str | None,
    option(
        "--preset",
        "-p",
        panel=LOOK,
        value="NAME",
        default="default",
        help="Bundle of settings: default, quick, quality ...; see `swag presets`.",
    ),
]
Colors = Annotated[
    str | None,
    option(
        "--colors",
        "--colours",
        panel=LOOK,
        value="WHOSE",
        default="style",
        help="Whose colors the result has: style, content, content-linear, match, match-cholesky "
        "or match-histogram.",
    ),
]
Blend = Annotated[
    str | None,
    option(
        "--blend",
        panel=LOOK,
        value="X,X...",
        default="equal weights",
        help="Weight of each of several styles, for example 2,1.",
    ),
]
StyleScale = Annotated[
    float | None,
    option(
        "--style-scale",
        panel=LOOK,
        value="X",
        default="1",
        help="Size of the style picture: below 1 gives smaller strokes, above 1 larger ones.",
    ),
]
Rotations = Annotated[
    bool,
    option(
        "--style-rotations",
        panel=LOOK,
        help="Also use the style picture turned by 90, 180 and 270 degrees.",
    ),
]

ContentMask = Annotated[
    Path | None,
    option(
        "--content-mask",
        panel=REGIONS,
        value="FILE",
        help="Picture of the photo's regions, in flat colors or shades of gray. Without a style "
        "mask, white regions get the style.",
    ),
]
StyleMask = Annotated[
    list[Path] | None,
    option(
        "--style-mask",
        panel=REGIONS,
        value="FILE",
        help="Picture of the style's regions: each gives its style to the photo's region of the "
        "same color. One mask for each style.",
    ),
]
Feather = Annotated[
    float | None,
    option(
        "--feather",
        panel=REGIONS,
        value="PIXELS",
        default="0",
        help="Blur of the edges of the content mask.",
    ),
]
ContentMap = Annotated[
    Path | None,
    option(
        "--content-map",
        panel=REGIONS,
        value="FILE",
        help="Picture that weights the photo: white parts count fully, black parts not at all.",
    ),
]
Initial = Annotated[
    Path | None,
    option(
        "--initial",
        panel=REGIONS,
        value="FILE",
        default="the photo",
        help="Picture that the optimization begins with.",
    ),
]
