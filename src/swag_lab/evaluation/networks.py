"""The networks of a study: named, trained or random, with any switch of the family or edit."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from swag import backbones
from swag.backbones import Backbone, NetworkSource, bundled
from swag.backbones.family import ThinNetwork, from_state
from swag.backbones.initialization import seeded
from swag.backbones.weights import sha256
from swag.config import settings
from swag.errors import SettingsError, WeightsError
from swag.types import FeatureMaps, Image, Precision


@dataclass(frozen=True)
class Network:
    """A network as a study names it: `p-` is trained, `r-` random.

    `weights` may be a file. `switches` change a network of the family away from `backbone`; its
    weights are then random or those in `file`. A `slope` above 0 makes its ReLUs leaky. Without
    layers, those of the preset are read.
    """

    name: str
    backbone: str
    weights: str = "pretrained"
    switches: tuple[tuple[str, Any], ...] = ()
    edits: tuple[str, ...] = ("reflect",)
    slope: float = 0.0
    file: str = ""
    style_layers: tuple[str, ...] = ()
    content_layers: tuple[str, ...] = ()

    @property
    def random(self) -> bool:
        """Whether its weights are drawn from the seed of the run."""
        return self.weights.startswith("random")

    @property
    def large(self) -> bool:
        """Whether a run on it costs as much as several on the bundled ones."""
        return not self.backbone.startswith("swag/")

    @property
    def identity(self) -> str:
        """Its backbone and weights, without edits: a judge must have another identity."""
        return f"{self.backbone} {self.weights}"

    def config(self) -> dict[str, Any]:
        """The values that decide its activations, with the weights' hash if bundled or a file.

        Its name is not among them.
        """
        values = asdict(self) | {"switches": dict(self.switches)}
        values.pop("name")
        for layers in ("style_layers", "content_layers"):
            if not values[layers]:
                del values[layers]
        if file := values.pop("file"):
            return values | {"sha256": _hash(file)}
        if Path(self.weights).is_file():
            return values | {"sha256": _hash(self.weights)}
        if self.backbone.startswith("swag/") and not self.random:
            values["sha256"] = bundled.card(self.backbone).sha256
        return values

    def create(self, seed: int) -> Backbone:
        """The network; the last few are kept. WeightsError if there are no weights."""
        return _create(self, seed if self.random else 0)


def trained(name: str) -> Network:
    """A bundled network with its trained weights: p-NAME."""
    return as_in_paper(Network(f"p-{name}", f"swag/{name}"))


def random(
    name: str, label: str | None = None, edits: Iterable[str] = (), **switches: Any
) -> Network:
    """A network with random weights: r-NAME. Only the bundled family has switches."""
    short = name.rpartition("/")[2]
    return as_in_paper(
        Network(
            name=f"r-{label or short}",
            backbone=name,
            weights="random",
            switches=tuple(switches.items()),
            edits=("reflect", *edits),
        )
    )


def parse_network(text: str) -> Network:
    """A trained network from NAME=BACKBONE,WEIGHTS, or a bundled one from NAME=BACKBONE: p-NAME.

    Raises:
        SettingsError: the text is not of that form, or there is no file of weights.
    """
    name, _, value = text.partition("=")
    if name and value.removeprefix("swag/") in bundled.bundled_names():
        return Network(f"p-{name}", value)
    backbone, _, weights = value.rpartition(",")
    if not (name and backbone and weights):
        raise SettingsError(
            f"{text!r} is no network; give NAME=BACKBONE,WEIGHTS, "
            "as vgg16=torchvision/vgg16,vgg16.safetensors"
        )
    if not Path(weights).is_file():
        raise SettingsError(f"{text!r}: there is no file {weights}; give a file of weights")
    return Network(f"p-{name}", backbone, weights)


def pretrained_there(names: Iterable[str]) -> list[Network]:
    """Networks of torchvision whose published weights are on this machine: p-NAME."""
    from torchvision.models import get_model_weights

    folder = Path(torch.hub.get_dir()) / "checkpoints"
    available = [
        name
        for name in names
        if any((folder / Path(w.url).name).is_file() for w in get_model_weights(name))
    ]
    return [as_in_paper(Network(f"p-{name}", f"torchvision/{name}")) for name in available]


_ENDS_OF_STAGES = {
    "inception_v3": ("Conv2d_2b_3x3", "Conv2d_4a_3x3", "Mixed_5d", "Mixed_6e", "Mixed_7c"),
    "googlenet": ("conv1", "conv3", "inception3b", "inception4e", "inception5b"),
    "densenet121": ("features.relu0", *(f"features.denseblock{i}" for i in (1, 2, 3, 4))),
    "mobilenet_v2": tuple(f"features.{i}" for i in (1, 3, 6, 13, 18)),
    "mobilenet_v3_small": tuple(f"features.{i}" for i in (0, 1, 3, 8, 12)),
    "mobilenet_v3_large": tuple(f"features.{i}" for i in (1, 3, 6, 12, 16)),
    "efficientnet_b0": tuple(f"features.{i}" for i in (1, 2, 3, 5, 8)),
    "convnext_tiny": tuple(f"features.{i}" for i in (0, 1, 3, 5, 7)),
}
"""The last layers before each reduction of resolution; content is read from the last but one."""


def as_in_paper(network: Network) -> Network:
    """The same network, read as the paper's authors read a ResNet.

    Studies that repeat the paper read these layers, not those of the preset.
    """
    family, _, name = network.backbone.partition("/")
    if family == "swag" and name in bundled.ARCHITECTURES:
        stages = tuple(f"stage{number}" for number in (1, 2, 3, 4))
        return replace(network, style_layers=("stem", *stages), content_layers=("stage3",))
    if family != "torchvision":
        return network
    if "resnet" in name:
        paper = settings("paper")
        style, content = tuple(paper.style_layers or ()), tuple(paper.content_layers or ())
    else:
        style = _ENDS_OF_STAGES.get(name, ())
        content = style[-2:-1]
    return replace(network, style_layers=style, content_layers=content)


@lru_cache
def _hash(file: str) -> str:
    """The SHA-256 of a file of weights, which does not change while a study runs."""
    return sha256(Path(file))


@lru_cache(maxsize=6)
def _create(network: Network, seed: int) -> Backbone:
    if not network.switches and not network.file:
        created = backbones.create(
            network.backbone,
            weights=network.weights,
            seed=seed,
            edits=network.edits,
            style_layers=network.style_layers or None,
            content_layers=network.content_layers or None,
        )
    else:
        created = _create_switched(network, seed)
    return created if network.slope == 0 else _with_leaky_relus(created, network.slope)


def _create_switched(network: Network, seed: int) -> Backbone:
    architecture = replace(bundled.architecture(network.backbone), **dict(network.switches))
    if network.file:
        state = bundled.read_state(Path(network.file))
        module, origin = from_state(replace(architecture, norm=False), state), network.file
    elif network.random:
        with seeded(seed):
            module, origin = ThinNetwork(architecture), f"seed {seed}"
    else:
        raise WeightsError(f"{network.name} has no trained weights: its switches are not bundled")
    source = NetworkSource(module.eval())
    return backbones.assemble(
        network.backbone,
        source,
        edits=network.edits,
        weights=origin,
        style_layers=network.style_layers or None,
        content_layers=network.content_layers or None,
    )


def _with_leaky_relus(network: Backbone, slope: float) -> Backbone:
    """The same network with leaky ReLUs."""
    for name, module in list(network.module.named_modules()):
        if isinstance(module, nn.ReLU):
            network.module.set_submodule(name, nn.LeakyReLU(slope))
    return network


class Rescaled(Backbone):
    """A network whose activations are divided by a number for each layer.

    In units of a layer's deviation one temperature means the same in all layers.
    """

    def __init__(self, network: Backbone, units: Mapping[str, float]) -> None:
        super().__init__(
            network.name,
            network.module,
            style_layers=network.style_layer_weights,
            content_layers=network.content_layer_weights,
            normalize=network.normalize,
            arrange=network.arrange,
            multiple=network.multiple,
            aliases=network.aliases,
            weights=network.weights,
            edits=network.edits,
        )
        self.units = dict(units)

    def extract(
        self,
        image: Image,
        layers: Iterable[str] | None = None,
        *,
        precision: Precision = "float32",
    ) -> FeatureMaps:
        """See `Backbone.extract`."""
        maps = super().extract(image, layers, precision=precision)
        return {layer: features / self.units.get(layer, 1.0) for layer, features in maps.items()}
