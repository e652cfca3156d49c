"""Every option that commands share, declared once; `swag.cli.groups` puts them together.

An option that is not given is None: a config file decides then, and after it the preset. The
default that help shows is the one of `swag.config`, and a test compares them.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

NETWORK, RUN, OUTPUT = "Network", "Run", "Output"
SECONDS = 30.0
"""The default of `--checkpoint-every`; `swag.run` has the same."""


def option(*names: str, panel: str, help: str, value: str = "", default: str = "") -> Any:
    """An option in a panel of the help; `value` stands for what is given, `default` is shown."""
    return typer.Option(
        *names,
        metavar=value or None,
        help=help,
        show_default=default or False,
        rich_help_panel=panel,
    )


Content = Annotated[
    Path,
    typer.Argument(
        metavar="CONTENT",
        help="The photo: PNG, JPEG, WebP, TIFF, AVIF, GIF or BMP; - is standard input.",
        show_default=False,
    ),
]
Styles = Annotated[
    list[Path],
    typer.Argument(
        metavar="STYLE...",
        help="The style picture; - is standard input. Several are blended.",
        show_default=False,
    ),
]

Backbone = Annotated[
    str | None,
    option(
        "--backbone",
        "-b",
        panel=NETWORK,
        value="NAME",
        default="swag/vgg16-distilled",
        help="The network: swag/..., torchvision/... or timm/... (see `swag backbones`), or your "
        "own code: module.path:factory, file.py:factory, program.pt2.",
    ),
]
Weights = Annotated[
    str | None,
    option(
        "--weights",
        panel=NETWORK,
        value="WEIGHTS",
        default="pretrained",
        help="Weights of the network: pretrained, random, random:greedy, or a .safetensors or "
        ".pth file.",
    ),
]
Smoothing = Annotated[
    str | None,
    option(
        "--smoothing",
        panel=NETWORK,
        value="SPEC",
        default="none",
        help="Smoothing of activations, for example softmax:temperature=auto@relu4_1,relu5_1; "
        "see `swag smoothings`.",
    ),
]
StyleLoss = Annotated[
    str | None,
    option(
        "--style-loss",
        panel=NETWORK,
        value="NAME",
        default="the method's",
        help="Loss between styles, for example gram-robust:penalty=l1; see `swag losses`.",
    ),
]
ContentLoss = Annotated[
    str | None,
    option(
        "--content-loss",
        panel=NETWORK,
        value="NAME",
        default="the method's",
        help="Loss between the result and the photo; see `swag losses`.",
    ),
]

Size = Annotated[
    str | None,
    option(
        "--size",
        panel=RUN,
        value="PIXELS",
        default="512",
        help="Long side of the result. original: the photo's own size.",
    ),
]
Pixels = Annotated[
    int | None,
    option("--size", panel=RUN, value="PIXELS", help="Long side of the pictures."),
]
MaxPixels = Annotated[
    int | None,
    typer.Option(
        "--max-pixels",
        metavar="N",
        min=1,
        show_default=False,
        rich_help_panel=RUN,
        help="Refuse to read pictures with more pixels. Default: 178,956,970, and more for formats "
        "read in strips.",
    ),
]
Steps = Annotated[
    int | None,
    option(
        "--steps", panel=RUN, value="N", default="75", help="Optimization steps over all scales."
    ),
]
Seed = Annotated[
    int | None,
    option("--seed", panel=RUN, value="N", default="0", help="Seed of all random numbers."),
]
Device = Annotated[
    str | None,
    option(
        "--device",
        panel=RUN,
        value="NAME",
        default="auto",
        help="Device that computes: auto, cpu, cuda, cuda:1 or mps.",
    ),
]
Start = Annotated[
    str | None,
    option(
        "--start",
        panel=RUN,
        value="NAME",
        help="Picture that the optimization begins with: content, noise, style, or instant for "
        "the photo painted in one pass. Default: content (preset quick: instant), and noise for "
        "textures and reconstructions.",
    ),
]
Tile = Annotated[
    str | None,
    option(
        "--tile",
        panel=RUN,
        value="PIXELS",
        default="auto",
        help="Tile size for large pictures. 0: no tiles. auto: tiles only when memory requires "
        "them.",
    ),
]
Precision = Annotated[
    str | None,
    option(
        "--precision",
        panel=RUN,
        value="NAME",
        default="auto",
        help="Precision of network passes: auto, float32 or bfloat16. The last steps always use "
        "float32.",
    ),
]
Config = Annotated[
    Path | None,
    option(
        "--config",
        panel=RUN,
        value="FILE",
        help="TOML or JSON file of settings. Options win over the file.",
    ),
]
Set = Annotated[
    list[str] | None,
    option(
        "--set",
        panel=RUN,
        value="NAME=VALUE",
        help="Any setting of `swag settings`, with its value as in TOML. Repeat the option for "
        "several settings.",
    ),
]

Out = Annotated[
    Path | None,
    option(
        "--output",
        "-o",
        panel=OUTPUT,
        value="OUT",
        default="a .png in this folder, named for its inputs",
        help="Picture to write. The extension chooses the format; - is standard output.",
    ),
]
Resume = Annotated[
    Path | None,
    option(
        "--resume",
        panel=OUTPUT,
        value="FILE",
        help="Continue an interrupted run from this checkpoint, with the settings stored in it.",
    ),
]
Every = Annotated[
    float,
    typer.Option(
        "--checkpoint-every",
        metavar="SECONDS",
        min=0,
        rich_help_panel=OUTPUT,
        help="Time between two checkpoints (OUT.ckpt), at most 50 steps. 0: after each step.",
    ),
]
SaveEvery = Annotated[
    int | None,
    typer.Option(
        "--save-every",
        metavar="N",
        min=1,
        show_default=False,
        rich_help_panel=OUTPUT,
        help="Also save the picture after every N steps, for example as OUT-0050.png.",
    ),
]
Preview = Annotated[
    Path | None,
    option(
        "--preview",
        panel=OUTPUT,
        value="FILE",
        help="Every few seconds, write the picture so far to this file, replacing the last one.",
    ),
]
Format = Annotated[
    str | None,
    option(
        "--format",
        panel=OUTPUT,
        value="NAME",
        default="png",
        help="Format on standard output (-o -): png, jpg, webp, avif or tiff.",
    ),
]
Bits = Annotated[
    int,
    typer.Option(
        "--bits",
        metavar="8|16",
        rich_help_panel=OUTPUT,
        help="Bits of each color value in the picture. PNG and TIFF can hold 16.",
    ),
]
NoMetadata = Annotated[
    bool,
    option(
        "--no-metadata", panel=OUTPUT, help="Store no settings, hashes or losses in the picture."
    ),
]
Overwrite = Annotated[bool, option("--overwrite", panel=OUTPUT, help="Replace existing files.")]
Quiet = Annotated[bool, option("--quiet", "-q", panel=OUTPUT, help="Print nothing but errors.")]
Json = Annotated[bool, option("--json", panel=OUTPUT, help="Print JSON.")]
JsonLines = Annotated[
    bool,
    option(
        "--json",
        panel=OUTPUT,
        help="Instead of a progress bar, print a line of JSON for each step or job and one at the "
        "end.",
    ),
]
Ray = Annotated[
    bool,
    typer.Option("--ray", help="Distribute the work with Ray, here or on the cluster RAY_ADDRESS."),
]
