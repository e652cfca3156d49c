"""Options that commands share, declared once, as are those of `swag.cli.groups`.

An option that is not given is None: then the config file decides, and after it the preset. The
default that help shows is the one of `swag.config`; a test compares them.
"""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

LOOK, REGIONS, NETWORK, RUN, OUTPUT = "Look", "Regions", "Network", "Run", "Output"
SECONDS = 30.0
"""The default of `--checkpoint-every`; `swag.run` has the same."""


def argument(name: str, help: str) -> Any:
    """An argument of a command, by its name in the help."""
    return typer.Argument(metavar=name, help=help, show_default=False)


def option(
    names: str, help: str, *, panel: str | None = None, default: str | bool = False, **more: Any
) -> Any:
    """An option, written as in the help: `--output -o OUT`, the last word for a value, if any.

    The help shows `default`, or if True that of the function. `more` go to `typer.Option`.
    """
    words = names.split()
    value = None if words[-1].startswith("-") else words.pop()
    return typer.Option(
        *words, metavar=value, help=help, show_default=default, rich_help_panel=panel, **more
    )


def long_side(usual: str) -> Any:
    """The option `--size` of a pass of a trained network; `usual` is the size without it."""
    return option("--size PIXELS", "Long side of the result.", panel=RUN, default=usual)


def two_colors(panel: str) -> Any:
    """The option `--colors` of commands that offer only the style's and the content's colors."""
    return option(
        "--colors WHOSE",
        "Whose colors the result has: style or content.",
        panel=panel,
        default="style",
    )


_network = partial(option, panel=NETWORK)
_run = partial(option, panel=RUN)
_output = partial(option, panel=OUTPUT)

Content = Annotated[
    Path,
    argument("CONTENT", "The photo: PNG, JPEG, WebP, TIFF, AVIF, GIF or BMP; - is standard input."),
]
Styles = Annotated[
    list[Path], argument("STYLE...", "The style picture; - is standard input. Several are blended.")
]

Strength = Annotated[
    float | None,
    option(
        "--strength X",
        "How much style: 0 is the photo alone, 1 the style alone.",
        panel=LOOK,
        default="0.5",
    ),
]
Feather = Annotated[
    float | None,
    option(
        "--feather PIXELS", "Blur of the edges of the content mask.", panel=REGIONS, default="0"
    ),
]

Backbone = Annotated[
    str | None,
    _network(
        "--backbone -b NAME",
        "The network: swag/..., torchvision/... or timm/... (see `swag backbones`), or your "
        "own code: module.path:factory, file.py:factory, program.pt2.",
        default="swag/vgg16-distilled",
    ),
]
Weights = Annotated[
    str | None,
    _network(
        "--weights WEIGHTS",
        "Weights of the network: pretrained, random, random:greedy, or a .safetensors or "
        ".pth file.",
        default="pretrained",
    ),
]

Size = Annotated[
    str | None,
    _run(
        "--size PIXELS", "Long side of the result. original: the photo's own size.", default="512"
    ),
]
Pixels = Annotated[int | None, _run("--size PIXELS", "Long side of the pictures.")]
MaxPixels = Annotated[
    int | None,
    _run(
        "--max-pixels N",
        "Refuse to read pictures with more pixels. Default: 178,956,970, and more for formats "
        "read in strips.",
        min=1,
    ),
]
Steps = Annotated[
    int | None, _run("--steps N", "Optimization steps over all scales.", default="75")
]
Seed = Annotated[int | None, _run("--seed N", "Seed of all random numbers.", default="0")]
Device = Annotated[
    str | None,
    _run("--device NAME", "Device that computes: auto, cpu, cuda, cuda:1 or mps.", default="auto"),
]

Out = Annotated[
    Path | None,
    _output(
        "--output -o OUT",
        "Picture to write. The extension chooses the format; - is standard output.",
        default="a .png in this folder, named for its inputs",
    ),
]
Resume = Annotated[
    Path | None,
    _output(
        "--resume FILE",
        "Continue an interrupted run from this checkpoint, with the settings stored in it.",
    ),
]
Format = Annotated[
    str | None,
    _output(
        "--format NAME",
        "Format on standard output (-o -): png, jpg, webp, avif or tiff.",
        default="png",
    ),
]
NoMetadata = Annotated[
    bool, _output("--no-metadata", "Store no settings, hashes or losses in the picture.")
]
Overwrite = Annotated[bool, _output("--overwrite", "Replace existing files.")]
Quiet = Annotated[bool, _output("--quiet -q", "Print nothing but errors.")]
Json = Annotated[bool, _output("--json", "Print JSON.")]
Ray = Annotated[
    bool,
    option(
        "--ray", "Distribute the work with Ray, here or on the cluster RAY_ADDRESS.", default=True
    ),
]
