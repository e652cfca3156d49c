"""Groups of options, each of which a command takes as one argument.

    @grouped
    def texture(style: options.Styles, *, method: MethodOptions, run: RunOptions) -> None: ...

The fields of a group become options of the command, in the order of the groups.
"""

import inspect
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from swag.cli import options


def option_field(names: str, help: str, *, value: Any = None, **more: Any) -> Any:
    """A field that is an option (see `options.option`); `value` is its value if not given."""
    return field(default=value, metadata={"option": options.option(names, help, **more)})


_look = partial(option_field, panel=options.LOOK)
_regions = partial(option_field, panel=options.REGIONS)
_network = partial(option_field, panel=options.NETWORK)
_run = partial(option_field, panel=options.RUN)
_output = partial(option_field, panel=options.OUTPUT)


@dataclass(frozen=True)
class MethodOptions:
    """The method, and the bundles of settings."""

    method: str | None = _look(
        "--method -m NAME",
        "Style loss with settings tuned for it; see `swag methods`.",
        default="w2",
    )
    preset: str | None = _look(
        "--preset -p NAME",
        "Bundle of settings: default, quick, quality ...; see `swag presets`.",
        default="default",
    )
    config: Path | None = _run(
        "--config FILE", "TOML or JSON file of settings. Options win over the file."
    )
    set: list[str] | None = _run(
        "--set NAME=VALUE",
        "Any setting of `swag settings`, with its value as in TOML. Repeat the option for several "
        "settings.",
    )


@dataclass(frozen=True)
class LookOptions:
    """How photo and style are weighed against each other."""

    strength: options.Strength = None
    colors: str | None = _look(
        "--colors --colours WHOSE",
        "Whose colors the result has: style, content, content-linear, match, match-cholesky or "
        "match-histogram.",
        default="style",
    )
    blend: str | None = _look(
        "--blend X,X...",
        "Weight of each of several styles, for example 2,1.",
        default="equal weights",
    )
    style_scale: float | None = _look(
        "--style-scale X",
        "Size of the style picture: below 1 gives smaller strokes, above 1 larger ones.",
        default="1",
    )
    style_rotations: bool = _look(
        "--style-rotations",
        "Also use the style picture turned by 90, 180 and 270 degrees.",
        value=False,
    )


@dataclass(frozen=True)
class NetworkOptions:
    """The network, and the losses and the smoothing of its activations."""

    backbone: options.Backbone = None
    weights: options.Weights = None
    smoothing: str | None = _network(
        "--smoothing SPEC",
        "Smoothing of activations, for example softmax:temperature=auto@relu4_1,relu5_1; see "
        "`swag smoothings`.",
        default="none",
    )
    style_loss: str | None = _network(
        "--style-loss NAME",
        "Loss between styles, for example gram-robust:penalty=l1; see `swag losses`.",
        default="the method's",
    )
    content_loss: str | None = _network(
        "--content-loss NAME",
        "Loss between the result and the photo; see `swag losses`.",
        default="the method's",
    )


@dataclass(frozen=True)
class RegionOptions:
    """Pictures beside photo and style, by their parameters of `swag.iterate`."""

    content_mask: Path | None = _regions(
        "--content-mask FILE",
        "Picture of the photo's regions, in flat colors or shades of gray. Without a style mask, "
        "white regions get the style.",
    )
    style_mask: list[Path] | None = _regions(
        "--style-mask FILE",
        "Picture of the style's regions: each gives its style to the photo's region of the same "
        "color. One mask for each style.",
    )
    content_map: Path | None = _regions(
        "--content-map FILE",
        "Picture that weights the photo: white parts count fully, black parts not at all.",
    )
    initial: Path | None = _regions(
        "--initial FILE", "Picture that the optimization begins with.", default="see --start"
    )


@dataclass(frozen=True)
class RunOptions:
    """How much is computed, and where."""

    size: options.Size = None
    steps: options.Steps = None
    start: str | None = _run(
        "--start NAME",
        "Picture that the optimization begins with: style-colors (the photo in the colors of "
        "the style), content, noise, style, or instant (the photo painted in one pass). Default: "
        "style-colors; content for strotss and nnst, instant for mrf, noise for textures and "
        "reconstructions.",
    )
    seed: options.Seed = None
    device: options.Device = None
    tile: str | None = _run(
        "--tile PIXELS",
        "Tile size for large pictures. 0: no tiles. auto: tiles only when memory requires them.",
        default="auto",
    )
    precision: str | None = _run(
        "--precision NAME",
        "Precision of network passes: auto, float32 or bfloat16. The last steps always use "
        "float32.",
        default="auto",
    )


@dataclass(frozen=True)
class OutputOptions:
    """Options of files and of printing."""

    checkpoint_every: float = _output(
        "--checkpoint-every SECONDS",
        "Time between two checkpoints (OUT.ckpt), at most 50 steps. 0: after each step.",
        value=options.SECONDS,
        default=True,
        min=0,
    )
    bits: int = _output(
        "--bits 8|16",
        "Bits of each color value in the picture. PNG and TIFF can hold 16.",
        value=8,
        default=True,
    )
    no_metadata: options.NoMetadata = False
    overwrite: options.Overwrite = False
    quiet: options.Quiet = False
    json: bool = _output(
        "--json",
        "Instead of a progress bar, print a line of JSON for each step or job and one at the end.",
        value=False,
    )


@dataclass(frozen=True)
class WatchOptions:
    """Pictures written during a run, and the format on standard output."""

    save_every: int | None = _output(
        "--save-every N",
        "Also save the picture after every N steps, for example as OUT-0050.png.",
        min=1,
    )
    preview: Path | None = _output(
        "--preview FILE",
        "Every few seconds, write the picture so far to this file, replacing the last one.",
    )
    format: options.Format = None


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the fields of its groups, which are keywords, as options of its own."""
    hints = get_type_hints(command, include_extras=True)
    hints.pop("return")
    declared = inspect.signature(command).parameters
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}
    parameters = []
    for name, kind in hints.items():
        if name not in groups:
            parameters.append(declared[name].replace(annotation=kind))
            continue
        annotations = _annotations(kind)
        parameters += [
            declared[name].replace(name=f.name, default=f.default, annotation=annotations[f.name])
            for f in fields(kind)
        ]

    def flat(**values: Any) -> None:
        values = {name: _expand_home(value) for name, value in values.items()}
        group_values = {
            name: kind(**{field.name: values.pop(field.name) for field in fields(kind)})
            for name, kind in groups.items()
        }
        command(**group_values, **values)

    flat.__name__, flat.__doc__ = command.__name__, command.__doc__
    flat.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    flat.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return flat


def _annotations(kind: Any) -> dict[str, Any]:
    """Typer's annotations of a group's fields, by name."""
    hints = get_type_hints(kind, include_extras=True)
    infos = {f.name: f.metadata["option"] for f in fields(kind) if f.metadata}
    return hints | {name: Annotated[hints[name], infos[name]] for name in infos}


def _expand_home(value: Any) -> Any:
    """Expand ~ in paths: shells do not inside quotes or after an equals sign."""
    if isinstance(value, list):
        return [_expand_home(item) for item in value]
    return Path(os.path.expanduser(value)) if isinstance(value, Path) else value


def settings_from(*groups: Any, **more: Any) -> dict[str, Any]:
    """Settings from the config file, `--set` and the options given; the later ones win.

    Raises:
        SettingsError: the file cannot be read, a setting in it is wrong, an entry of `--set` is not
            NAME=VALUE, or an entry of `--blend` is no weight.
    """
    from swag.cli.values import blend_weights, parse_pairs, settings_of_file
    from swag.config import one_spelling

    values = {name: value for group in groups for name, value in asdict(group).items()} | more
    config, pairs = values.pop("config", None), values.pop("set", None)
    if (blend := values.pop("blend", None)) is not None:
        values["style_weights"] = blend_weights(blend)
    if "style_rotations" in values:
        values["style_rotations"] = values["style_rotations"] or None
    chosen = {name: value for name, value in values.items() if value is not None}
    of_file = {} if config is None else settings_of_file(config)
    sources = (of_file, parse_pairs(pairs or ()), chosen)
    return {name: value for source in sources for name, value in one_spelling(source).items()}


def option_names() -> dict[str, str]:
    """The option of each setting that has one, by the name of the setting."""
    kinds = (LookOptions, MethodOptions, NetworkOptions, RunOptions)
    names = {"feather": "--feather"}
    for kind in kinds:
        for name, hint in _annotations(kind).items():
            info = hint.__metadata__[0]  # in an annotation, the first name stands in `default`
            names[name] = next(o for o in (info.default, *info.param_decls) if o.startswith("--"))
    return names | {"style_weights": names.pop("blend")}
