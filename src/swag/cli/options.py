"""The options that several commands share, and how they become settings.

An option that is not given is None: a config file decides then, and after it the preset.
"""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from swag.errors import SettingsError

Content = Annotated[
    Path,
    typer.Argument(
        metavar="CONTENT", help="The photo: PNG, JPEG, WebP, TIFF or AVIF.", show_default=False
    ),
]
Styles = Annotated[
    list[Path],
    typer.Argument(
        metavar="STYLE...", help="The style picture; several are blended.", show_default=False
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="OUT",
        show_default=False,
        help="Where the picture goes; the extension is the format. By default a .png in the "
        "current folder, named for its inputs.",
    ),
]
Backbone = Annotated[
    str | None,
    typer.Option(
        "--backbone",
        "-b",
        metavar="NAME",
        show_default=False,
        help="The network: swag/..., torchvision/... or timm/...; see `swag backbones`.",
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(
        "--weights",
        metavar="WEIGHTS",
        show_default=False,
        help="pretrained, random, random:greedy, or a .safetensors or .pth file.",
    ),
]
Smoothing = Annotated[
    str | None,
    typer.Option(
        "--smoothing",
        metavar="SPEC",
        show_default=False,
        help="How activations are smoothed, as in softmax:temperature=auto@layer3,layer4; "
        "see `swag smoothings`.",
    ),
]
Size = Annotated[
    int | None,
    typer.Option("--size", metavar="PIXELS", help="Long side of the result.", show_default=False),
]
Steps = Annotated[
    int | None,
    typer.Option("--steps", metavar="N", help="Steps over all scales.", show_default=False),
]
Strength = Annotated[
    float | None,
    typer.Option(
        "--strength",
        metavar="X",
        show_default=False,
        help="0 is the content alone, 1 the style alone.",
    ),
]
Preset = Annotated[
    str | None,
    typer.Option(
        "--preset",
        "-p",
        metavar="NAME",
        show_default=False,
        help="Settings that belong together; see `swag presets`.",
    ),
]
Method = Annotated[
    str | None,
    typer.Option(
        "--method",
        "-m",
        metavar="NAME",
        show_default=False,
        help="How styles are compared, as a whole; see `swag methods`.",
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        show_default=False,
        help="Settings in a TOML or JSON file; options given here win over it.",
    ),
]
Seed = Annotated[
    int | None,
    typer.Option("--seed", metavar="N", help="Of whatever is random.", show_default=False),
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device", metavar="NAME", help="auto, cpu, cuda, cuda:1, mps ...", show_default=False
    ),
]
Tile = Annotated[
    str | None,
    typer.Option(
        "--tile",
        metavar="PIXELS",
        show_default=False,
        help="Side of the tiles a large picture is computed in; 0: at once; auto: if it must be.",
    ),
]
Precision = Annotated[
    str | None,
    typer.Option(
        "--precision",
        metavar="NAME",
        show_default=False,
        help="Of the network's passes before the last steps: auto, float32 or bfloat16.",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, and no progress bar.")]


Resume = Annotated[
    Path | None,
    typer.Option(
        "--resume",
        metavar="FILE",
        show_default=False,
        help="Go on from the checkpoint of a run that was interrupted, with its settings.",
    ),
]
Every = Annotated[
    float,
    typer.Option(
        "--checkpoint-every",
        metavar="SECONDS",
        min=0,
        help="How often OUT.ckpt is written, at the least every 50 steps; 0: after each step.",
    ),
]
NoMetadata = Annotated[
    bool,
    typer.Option("--no-metadata", help="Keep settings, hashes and losses out of the picture."),
]
SECONDS = 30.0
"""The default of `--checkpoint-every`; `swag.run` has the same."""

Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        show_default=False,
        help="Any other setting, its value as in TOML; may be given several times.",
    ),
]


def overrides(
    config: Path | None, single: Sequence[str] | None = None, /, **options: Any
) -> dict[str, Any]:
    """Settings of the config file, over them those of `--set`, and over both the options given.

    Raises:
        SettingsError: the file cannot be read, or not NAME=VALUE.
    """
    from swag.config import load

    given = {name: value for name, value in options.items() if value is not None}
    return {**({} if config is None else load(config)), **_single(single or ()), **given}


def _single(pairs: Sequence[str]) -> dict[str, Any]:
    """NAME=VALUE, where what is no value of TOML is taken as text."""
    values: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = (part.strip() for part in pair.partition("="))
        if not equals or not name:
            raise SettingsError(f"--set {pair[:100]!r}: expected NAME=VALUE, as in --set scales=3")
        try:
            values[name] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            values[name] = text
    return values


def output_of(
    given: Path | None, resume: Path | None, inputs: Sequence[Path], suffix: str = ""
) -> Path:
    """The path given, or that of a checkpoint's picture, or one named for the inputs."""
    if given is None and resume is not None and resume.suffix == ".ckpt":
        return resume.with_suffix("")
    return given or named_for(inputs, suffix)


def named_for(inputs: Sequence[Path], suffix: str = "") -> Path:
    """The picture's name in the current folder: the stems of its inputs, joined."""
    return Path("-".join(path.stem for path in inputs) + suffix + ".png")
