"""Every option that commands share, declared once; `swag.cli.groups` puts them together.

An option that is not given is None: a config file decides then, and after it the preset. The
default that help shows is the one of `swag.config`, and a test compares them.
"""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

NETWORK, RUN, OUTPUT = "Network", "Run", "Output"
SECONDS = 30.0
"""The default of `--checkpoint-every`; `swag.run` has the same."""


def argument(name: str, help: str) -> Any:
    """An argument of a command, by the name that help has for it."""
    return typer.Argument(metavar=name, help=help, show_default=False)


def option(
    names: str, help: str, *, panel: str | None = None, default: str | bool = False, **more: Any
) -> Any:
    """An option, written as in help: `--output -o OUT`, the last for the value, if it takes one.

    `default` is shown; True: the one of the function. `more` are keywords of `typer.Option`.
    """
    words = names.split()
    value = None if words[-1].startswith("-") else words.pop()
    return typer.Option(
        *words, metavar=value, help=help, show_default=default, rich_help_panel=panel, **more
    )


_network = partial(option, panel=NETWORK)
_run = partial(option, panel=RUN)
_output = partial(option, panel=OUTPUT)

Content = Annotated[
    Path,
    argument("CONTENT", "The photo: PNG, JPEG, WebP, TIFF, AVIF, GIF or BMP; - is standard input."),
]
Styles = Annotated[
    list[Path],
    argument("STYLE...", "The style picture; - is standard input. Several are blended."),
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
Smoothing = Annotated[
    str | None,
    _network(
        "--smoothing SPEC",
        "Smoothing of activations, for example softmax:temperature=auto@relu4_1,relu5_1; see "
        "`swag smoothings`.",
        default="none",
    ),
]
StyleLoss = Annotated[
    str | None,
    _network(
        "--style-loss NAME",
        "Loss between styles, for example gram-robust:penalty=l1; see `swag losses`.",
        default="the method's",
    ),
]
ContentLoss = Annotated[
    str | None,
    _network(
        "--content-loss NAME",
        "Loss between the result and the photo; see `swag losses`.",
        default="the method's",
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
Start = Annotated[
    str | None,
    _run(
        "--start NAME",
        "Picture that the optimization begins with: content, noise, style, or instant for "
        "the photo painted in one pass. Default: content (preset quick: instant), and noise for "
        "textures and reconstructions.",
    ),
]
Tile = Annotated[
    str | None,
    _run(
        "--tile PIXELS",
        "Tile size for large pictures. 0: no tiles. auto: tiles only when memory requires them.",
        default="auto",
    ),
]
Precision = Annotated[
    str | None,
    _run(
        "--precision NAME",
        "Precision of network passes: auto, float32 or bfloat16. The last steps always use "
        "float32.",
        default="auto",
    ),
]
Config = Annotated[
    Path | None,
    _run("--config FILE", "TOML or JSON file of settings. Options win over the file."),
]
Set = Annotated[
    list[str] | None,
    _run(
        "--set NAME=VALUE",
        "Any setting of `swag settings`, with its value as in TOML. Repeat the option for "
        "several settings.",
    ),
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
Every = Annotated[
    float,
    _output(
        "--checkpoint-every SECONDS",
        "Time between two checkpoints (OUT.ckpt), at most 50 steps. 0: after each step.",
        default=True,
        min=0,
    ),
]
SaveEvery = Annotated[
    int | None,
    _output(
        "--save-every N",
        "Also save the picture after every N steps, for example as OUT-0050.png.",
        min=1,
    ),
]
Preview = Annotated[
    Path | None,
    _output(
        "--preview FILE",
        "Every few seconds, write the picture so far to this file, replacing the last one.",
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
Bits = Annotated[
    int,
    _output(
        "--bits 8|16",
        "Bits of each color value in the picture. PNG and TIFF can hold 16.",
        default=True,
    ),
]
NoMetadata = Annotated[
    bool, _output("--no-metadata", "Store no settings, hashes or losses in the picture.")
]
Overwrite = Annotated[bool, _output("--overwrite", "Replace existing files.")]
Quiet = Annotated[bool, _output("--quiet -q", "Print nothing but errors.")]
Json = Annotated[bool, _output("--json", "Print JSON.")]
JsonLines = Annotated[
    bool,
    _output(
        "--json",
        "Instead of a progress bar, print a line of JSON for each step or job and one at the end.",
    ),
]
Ray = Annotated[
    bool,
    option(
        "--ray", "Distribute the work with Ray, here or on the cluster RAY_ADDRESS.", default=True
    ),
]
