"""Options for whoever makes pictures: how much style, in whose colors, and where."""

from pathlib import Path
from typing import Annotated

from swag.cli.options import option

LOOK, REGIONS = "Look", "Regions"

Strength = Annotated[
    float | None,
    option(
        "--strength",
        panel=LOOK,
        value="X",
        default="0.5",
        help="From 0, the content alone, to 1, the style alone.",
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
        help="How styles are compared, tuned as a whole; see `swag methods`.",
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
        help="Settings that belong together: default, quick, quality; see `swag presets`.",
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
        help="style, content, content-linear, match, match-cholesky or match-histogram.",
    ),
]
Blend = Annotated[
    str | None,
    option(
        "--blend",
        panel=LOOK,
        value="X,X...",
        default="all alike",
        help="How much each of several styles counts, as in 2,1.",
    ),
]
StyleScale = Annotated[
    float | None,
    option(
        "--style-scale",
        panel=LOOK,
        value="X",
        default="1",
        help="Size of the style picture: below 1 smaller strokes, above 1 larger ones.",
    ),
]
Rotations = Annotated[
    bool,
    option(
        "--style-rotations",
        panel=LOOK,
        help="Use the style picture turned by 90, 180 and 270 degrees, too.",
    ),
]

ContentMask = Annotated[
    Path | None,
    option(
        "--content-mask",
        panel=REGIONS,
        value="FILE",
        help="Regions of the photo, in flat colors or shades of gray; alone: style where white.",
    ),
]
StyleMask = Annotated[
    list[Path] | None,
    option(
        "--style-mask",
        panel=REGIONS,
        value="FILE",
        help="The regions of the style that go there, in the same colors; one for each style.",
    ),
]
Feather = Annotated[
    float | None,
    option(
        "--feather",
        panel=REGIONS,
        value="PIXELS",
        default="0",
        help="How far the edges of the content mask are blurred.",
    ),
]
ContentMap = Annotated[
    Path | None,
    option(
        "--content-map",
        panel=REGIONS,
        value="FILE",
        help="How much the photo counts: fully where white, not at all where black.",
    ),
]
Initial = Annotated[
    Path | None,
    option(
        "--initial",
        panel=REGIONS,
        value="FILE",
        default="the photo",
        help="A picture to begin with.",
    ),
]
