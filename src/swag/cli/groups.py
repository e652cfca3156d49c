"""Groups of options, each of which a command takes as one argument.

    @grouped
    def texture(style: options.Styles, *, method: MethodOptions, run: RunOptions) -> None: ...

The fields of a group become options of the command, in the order of the groups.
"""

import inspect
import os
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

from swag.cli import controls, options
from swag.cli.pipes import DASH
from swag.errors import SettingsError


@dataclass(frozen=True)
class MethodOptions:
    """The method, and the bundles of settings."""

    method: controls.Method = None
    preset: controls.Preset = None
    config: options.Config = None
    set: options.Set = None


@dataclass(frozen=True)
class LookOptions:
    """How photo and style are weighed against each other."""

    strength: controls.Strength = None
    colors: controls.Colors = None
    blend: controls.Blend = None
    style_scale: controls.StyleScale = None
    style_rotations: controls.Rotations = False


@dataclass(frozen=True)
class NetworkOptions:
    """Through which network pictures are seen, and what of it is compared."""

    backbone: options.Backbone = None
    weights: options.Weights = None
    smoothing: options.Smoothing = None
    style_loss: options.StyleLoss = None
    content_loss: options.ContentLoss = None


@dataclass(frozen=True)
class RegionOptions:
    """Pictures beside photo and style, by the names that `swag.iterate` has for them."""

    content_mask: controls.ContentMask = None
    style_mask: controls.StyleMask = None
    content_map: controls.ContentMap = None
    initial: controls.Initial = None


@dataclass(frozen=True)
class RunOptions:
    """How much is computed, and where."""

    size: options.Size = None
    steps: options.Steps = None
    start: options.Start = None
    seed: options.Seed = None
    device: options.Device = None
    tile: options.Tile = None
    precision: options.Precision = None


@dataclass(frozen=True)
class OutputOptions:
    """Options of files and of printing."""

    checkpoint_every: options.Every = options.SECONDS
    bits: options.Bits = 8
    no_metadata: options.NoMetadata = False
    overwrite: options.Overwrite = False
    quiet: options.Quiet = False
    json: options.JsonLines = False


@dataclass(frozen=True)
class WatchOptions:
    """Where pictures go besides: files while a run goes on, and standard output."""

    save_every: options.SaveEvery = None
    preview: options.Preview = None
    format: options.Format = None


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the fields of its groups, which are keywords, as options of its own."""
    hints = get_type_hints(command, include_extras=True)
    hints.pop("return")
    own = inspect.signature(command).parameters
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}
    parameters = []
    for name, kind in hints.items():
        if name not in groups:
            parameters.append(own[name].replace(annotation=kind))
            continue
        annotations = get_type_hints(kind, include_extras=True)
        parameters += [
            own[name].replace(name=f.name, default=f.default, annotation=annotations[f.name])
            for f in fields(kind)
        ]

    def flat(**values: Any) -> None:
        values = {name: _at_home(value) for name, value in values.items()}
        made = {
            name: kind(**{field.name: values.pop(field.name) for field in fields(kind)})
            for name, kind in groups.items()
        }
        command(**made, **values)

    flat.__name__, flat.__doc__ = command.__name__, command.__doc__
    flat.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    flat.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return flat


def _at_home(value: Any) -> Any:
    """Paths with ~, which no shell has replaced inside quotes or after an equals sign, in full."""
    if isinstance(value, list):
        return [_at_home(one) for one in value]
    return Path(os.path.expanduser(value)) if isinstance(value, Path) else value


def settings_from(*groups: Any, **more: Any) -> dict[str, Any]:
    """Settings of the config file, over them those of `--set`, and over both the options given.

    Raises:
        SettingsError: the file cannot be read, or not NAME=VALUE.
    """
    from swag.config import load, one_spelling

    given = {name: value for group in groups for name, value in asdict(group).items()} | more
    config, single = given.pop("config", None), given.pop("set", None)
    if (blend := given.pop("blend", None)) is not None:
        # Whether the entries are numbers is the settings' to say.
        given["style_weights"] = [entry.strip() for entry in blend.split(",")]
    if "style_rotations" in given:
        given["style_rotations"] = given["style_rotations"] or None
    chosen = {name: value for name, value in given.items() if value is not None}
    layers = ({} if config is None else load(config), _single(single or ()), chosen)
    return {name: value for layer in layers for name, value in one_spelling(layer).items()}


def option_names() -> dict[str, str]:
    """The options that give a setting, by the name of the setting."""
    kinds = (LookOptions, MethodOptions, NetworkOptions, RunOptions)
    found = {"feather": "--feather"}
    for kind in kinds:
        for name, hint in get_type_hints(kind, include_extras=True).items():
            info = hint.__metadata__[0]  # in an annotation, the first name stands in `default`
            found[name] = next(o for o in (info.default, *info.param_decls) if o.startswith("--"))
    return found | {"style_weights": found.pop("blend")}


def _single(pairs: Sequence[str]) -> dict[str, Any]:
    """The values of NAME=VALUE; a VALUE that TOML does not know is text."""
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


def output_path(
    given: Path | None, resume: Path | None, inputs: Sequence[Path], suffix: str = ""
) -> Path:
    """The path given, or that of a checkpoint's picture, or one named for the inputs.

    A folder that is there gets a picture named for the inputs. What is made of standard input goes
    to standard output.
    """
    if given is None and resume is None and DASH in inputs:
        return DASH
    if given is None and resume is not None and resume.suffix == ".ckpt":
        return resume.with_suffix("")
    name = "-".join(path.stem for path in inputs) + suffix + ".png"
    if given is not None and given.is_dir():
        return given / name
    return given or Path(name)
