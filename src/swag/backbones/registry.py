"""Create a network by its name, and list the names."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from swag.backbones import bundled
from swag.backbones import edits as edits_by_name
from swag.backbones import weights as weights_of
from swag.backbones.backbone import Backbone
from swag.backbones.greedy import choose
from swag.backbones.initialization import SCHEMES, calibrate, seeded
from swag.backbones.modules import own_copy
from swag.backbones.own import own_source
from swag.backbones.presets import PRESETS, LayerPreset
from swag.backbones.reductions import find_layers, keeps_places
from swag.backbones.sources import NetworkSource, timm_source, torchvision_source
from swag.backbones.tokens import guess_maps
from swag.backbones.weights import Weights
from swag.errors import BackboneError, WeightsError
from swag.modes import check_default_precision, own_modes
from swag.spec import is_code
from swag.types import Image

FEW = 2
"""Style layers up to which a network may be one of tokens: `guess_maps` is tried, too."""

FAMILIES = ("swag", "torchvision", "timm")


@dataclass(frozen=True)
class Entry:
    """A line of the list of networks: name, whether it has a preset of layers, and a description.

    Networks with weights in the package have a model card.
    """

    name: str
    preset: bool
    about: str
    card: bundled.Card | None = None


@own_modes()
def create(
    name: str | nn.Module,
    *,
    weights: str | Path = "pretrained",
    seed: int = 0,
    edits: Iterable[str] = (),
    calibrate_on: Image | None = None,
    style_layers: Iterable[str] | Mapping[str, float] | None = None,
    content_layers: Iterable[str] | Mapping[str, float] | None = None,
) -> Backbone:
    """Create a frozen network that maps sRGB pictures to activations by layer.

    Args:
        name: `swag/...` (bundled), `torchvision/...` or `timm/...`; your own code, which is run:
            `module.path:factory`, `file.py:factory`, or `program.pt2` of torch.export; or a module,
            which is copied. Your own networks keep their weights if `weights="pretrained"`, and
            take pictures normalized with ImageNet's mean and standard deviation.
        weights: `pretrained`, `random`, `random:SCHEME[:OPTION][+calibrated]`, or a file; see
            `weights`.
        seed: seed of random weights.
        edits: names of changes to the network, in order; see `edits`. By default batch
            normalization is folded, channels are laid out last and the gradient at the pixels is
            computed in blocks, which only affects speed and memory; `no-fold`,
            `no-channels-last` and `no-pixel-blocks` switch these off. Runs that are given a name
            also apply `replicate-all` and `reflect` (the setting `edits`); a network made here
            pads with zeros unless you name these, and the zeros show as a frame.
        calibrate_on: sRGB pictures for `+calibrated`; the greedy scheme reconstructs the first.
        style_layers: layers to use instead of the preset's, with their weights if not all count
            alike in losses that add up layers. Default without a preset: the first
            and last block of each stage, or its last layer; see `reductions.find_layers`. An empty
            list reads none.
        content_layers: the same for the content. Default without a preset: the last layers at 1/2,
            1/4 (which counts twice) and 1/8 of the picture's resolution.

    Raises:
        BackboneError: an unknown name, edit or layer.
        WeightsError: weights that are missing, damaged, or of another network.
        SettingsError: weights of layers that are out of their range, or all 0; or torch's default
            precision is not float32.
    """
    check_default_precision()
    network_name = name_of(name)
    choice = weights_of.parse_weights(weights)
    if choice.calibrated and calibrate_on is None:
        raise WeightsError(f"weights {str(weights)!r} need pictures: give calibrate_on")
    source = _source(name, choice, seed)
    if choice.calibrated and calibrate_on is not None:
        calibrate(source.module, source.normalize(calibrate_on))
    backbone = assemble(
        network_name,
        source,
        edits=edits,
        weights=f"{weights}, seed {seed}" if choice.scheme else str(weights),
        style_layers=style_layers,
        content_layers=content_layers,
    )
    if choice.draws > 1:
        choose(backbone, draws=choice.draws, seed=seed, pictures=calibrate_on)
    return backbone


def name_of(network: object) -> str:
    """The name of a network that is given by its name or as a module; of others a BackboneError."""
    if isinstance(network, str):
        return network
    if not isinstance(network, nn.Module):
        raise BackboneError(
            f"an object of type {type(network).__name__} was given as the network; expected a "
            "name or a torch.nn.Module (not its class or a factory, but what these return)"
        )
    return network.name if isinstance(network, Backbone) else type(network).__name__


def assemble(
    name: str,
    source: NetworkSource,
    *,
    edits: Iterable[str] = (),
    weights: str = "",
    style_layers: Iterable[str] | Mapping[str, float] | None = None,
    content_layers: Iterable[str] | Mapping[str, float] | None = None,
) -> Backbone:
    """Make a backbone of a network with its weights: apply edits, choose layers, normalize."""
    module, applied = edits_by_name.apply(source.module.eval().requires_grad_(False), edits)
    if name.startswith("swag/"):
        preset = LayerPreset("", *bundled.layers(name))
    elif name in PRESETS:
        preset = PRESETS[name]
    elif style_layers is not None and content_layers is not None:
        preset = LayerPreset("", (), ())
    else:
        preset = _find_preset(module, source)
    backbone = Backbone(
        name=name,
        module=module,
        style_layers=preset.style if style_layers is None else style_layers,
        content_layers=preset.content if content_layers is None else content_layers,
        normalize=source.normalize,
        arrange=source.arrange,
        multiple=source.multiple,
        aliases=preset.aliases,
        weights=weights,
        edits=applied,
    )
    backbone.check_layers(backbone.style_layers + backbone.content_layers)
    return backbone


def available() -> list[Entry]:
    """The networks that can be named: bundled, with a preset, the rest of torchvision, timm."""
    import torchvision

    entries = [_bundled_entry(bundled.card(name)) for name in bundled.bundled_names()]
    entries += [Entry(name, True, preset.about) for name, preset in PRESETS.items()]
    description = "layers found by one pass: the ends of each stage"
    for name in torchvision.models.list_models(module=torchvision.models):
        if f"torchvision/{name}" not in PRESETS:
            entries.append(Entry(f"torchvision/{name}", False, description))
    return [*entries, Entry("timm/NAME", False, f"any network of timm; {description}")]


def _bundled_entry(card: bundled.Card) -> Entry:
    remark = f"distilled from {card.teacher}" if card.teacher else ""
    if card.top1 is not None:
        remark = f"top-1 {card.top1:.1%} of Tiny ImageNet"
    about = f"bundled, {card.bytes / 1e6:.1f} MB, {remark}, SHA-256 {card.sha256[:12]}..."
    return Entry(card.name, True, about, card)


def _source(name: str | nn.Module, choice: Weights, seed: int) -> NetworkSource:
    """Build a network and load or draw its weights."""
    if isinstance(name, str) and name.startswith("swag/"):
        return _bundled_source(name, choice, seed)
    with seeded(seed):
        if isinstance(name, nn.Module):
            source = NetworkSource(own_copy(name))
        else:
            source = _named_source(name, blank=choice.scheme is None)
        if choice.scheme is not None:
            SCHEMES[choice.scheme](source.module)
    if choice.file is not None:
        state = weights_of.read_weights(choice.file)
        weights_of.load_weights(source.module, state, origin=str(choice.file), ignore=source.ignore)
    elif choice.scheme is None:
        source.load_pretrained()
    return source


def _bundled_source(name: str, choice: Weights, seed: int) -> NetworkSource:
    """A bundled network with its weights; kaiming and orthogonal replace its random ones."""
    if choice.file is not None:
        return NetworkSource(bundled.from_file(name, choice.file))
    kind: Literal["pretrained", "random"] = "random" if choice.scheme else "pretrained"
    source = NetworkSource(bundled.network(name, weights=kind, seed=seed))
    if choice.scheme in ("kaiming", "orthogonal"):
        with seeded(seed):
            SCHEMES[choice.scheme](source.module)
    return source


def _named_source(name: str, *, blank: bool) -> NetworkSource:
    family, _, architecture = name.partition("/")
    if family == "torchvision":
        return torchvision_source(architecture, blank=blank)
    if family == "timm":
        return timm_source(architecture)
    if is_code(name):
        return own_source(name)
    raise BackboneError(
        f"no network {name!r}; expected {', '.join(f'{f}/NAME' for f in FAMILIES)}, "
        "as torchvision/resnet50, or code of your own: module.path:factory, file.py:factory, or "
        "program.pt2"
    )


def _find_preset(module: nn.Module, source: NetworkSource) -> LayerPreset:
    """The layers found by a trial pass; if few, those with outputs arranged by `guess_maps`."""

    def prepare(image: torch.Tensor) -> torch.Tensor:
        normalized: torch.Tensor = source.normalize(image)
        return normalized

    best: LayerPreset | None = None
    refusal: BackboneError | None = None
    for arrange in (source.arrange, guess_maps):
        try:
            candidate = find_layers(module, prepare, arrange=arrange)
        except BackboneError as error:
            refusal = refusal or error
            continue
        is_own = arrange is source.arrange
        is_richer = best is None or len(candidate.style) > len(best.style)
        if is_richer and (is_own or keeps_places(module, candidate.style, prepare, arrange)):
            best, source.arrange = candidate, arrange
        if best is not None and len(best.style) > FEW:
            break
    if best is None:
        raise refusal or BackboneError(f"{type(module).__name__} has no layers that can be read")
    return best
