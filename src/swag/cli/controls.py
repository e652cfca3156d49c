"""Options for whoever makes pictures: how much style, in whose colors, and where."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

from swag.cli.options import RUN, option

LOOK, REGIONS = "Look", "Regions"
_look = partial(option, panel=LOOK)
_regions = partial(option, panel=REGIONS)


def long_side(usual: str) -> Any:
    """The option `--size` of a pass of a trained network; `usual` is the size without it."""
    return option("--size PIXELS", "Long side of the result.", panel=RUN, default=usual)


def two_colors(panel: str) -> Any:
    """The option `--colors` where it is either those of the style or those of the content."""
    return option(
        "--colors WHOSE",
        "Whose colors the result has: style or content.",
        panel=panel,
        default="style",
    )


Strength = Annotated[
    float | None,
    _look(
        "--strength X", "How much style: 0 is the photo alone, 1 the style alone.", default="0.5"
    ),
]
Method = Annotated[
    str | None,
    _look(
        "--method -m NAME",
        "Style loss with settings tuned for it; see `swag methods`.",
        default="w2",
    ),
]
Preset = Annotated[
    str | None,
    _look(
        "--preset -p NAME",
        "Bundle of settings: default, quick, quality ...; see `swag presets`.",
        default="default",
    ),
]
Colors = Annotated[
    str | None,
    _look(
        "--colors --colours WHOSE",
        "Whose colors the result has: style, content, content-linear, match, match-cholesky "
        "or match-histogram.",
        default="style",
    ),
]
Blend = Annotated[
    str | None,
    _look(
        "--blend X,X...",
        "Weight of each of several styles, for example 2,1.",
        default="equal weights",
    ),
]
StyleScale = Annotated[
    float | None,
    _look(
        "--style-scale X",
        "Size of the style picture: below 1 gives smaller strokes, above 1 larger ones.",
        default="1",
    ),
]
Rotations = Annotated[
    bool,
    _look("--style-rotations", "Also use the style picture turned by 90, 180 and 270 degrees."),
]

ContentMask = Annotated[
    Path | None,
    _regions(
        "--content-mask FILE",
        "Picture of the photo's regions, in flat colors or shades of gray. Without a style "
        "mask, white regions get the style.",
    ),
]
StyleMask = Annotated[
    list[Path] | None,
    _regions(
        "--style-mask FILE",
        "Picture of the style's regions: each gives its style to the photo's region of the "
        "same color. One mask for each style.",
    ),
]
Feather = Annotated[
    float | None,
    _regions("--feather PIXELS", "Blur of the edges of the content mask.", default="0"),
]
ContentMap = Annotated[
    Path | None,
    _regions(
        "--content-map FILE",
        "Picture that weights the photo: white parts count fully, black parts not at all.",
    ),
]
Initial = Annotated[
    Path | None,
    _regions("--initial FILE", "Picture that the optimization begins with.", default="the photo"),
]
