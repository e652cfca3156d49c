"""Trained networks that are given by their files: their layers, and the same with random weights.

Studies 3, 4, 5 and 7 are about these networks, instead of those of the package, if some are given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from swag_lab.evaluation.networks import Network
from swag_lab.experiments.study import Plan

LayerNames = tuple[tuple[str, ...], tuple[str, ...]]
"""Style layers and content layers; if empty, those of the preset."""

_STAGES = ("relu", "layer1", "layer2", "layer3", "layer4")
_EIGHT_LAYERS = (
    "relu",
    "layer1.0",
    "layer1.2",
    "layer2.0",
    "layer2.3",
    "layer3.0",
    "layer3.2",
    "layer3.5",
)
_TEN_LAYERS = (*_EIGHT_LAYERS, "layer4.0", "layer4.2")

AUTHORS, SHALLOW = "authors' layers", "five shallow layers"

RESIDUAL: Mapping[str, LayerNames] = {
    "eight layers": (_EIGHT_LAYERS, ("layer1.2", "layer2.3")),
    AUTHORS: (_STAGES, ("layer3",)),
    "ten layers": (_TEN_LAYERS, ("layer1.2", "layer2.3")),
    SHALLOW: (_EIGHT_LAYERS[:5], ("layer1.2", "layer2.3")),
}
"""Layers of ResNets with 50 layers. All of smoothing is tried on the first set, which has deep
layers; the last is the preset. The paper's authors read the stem and the end of each stage."""

PLAIN: Mapping[str, LayerNames] = {"preset": ((), ()), AUTHORS: ((), ("features.20",))}
"""Layers of VGG-16: five style layers, with content at two, or at relu4_2 alone."""


def layer_sets(network: Network) -> Mapping[str, LayerNames]:
    """The sets of layers to try on a network."""
    if not network.large:
        return {"preset": ((), ())}
    return PLAIN if "vgg" in network.backbone.rpartition("/")[2].lower() else RESIDUAL


def best(network: Network) -> str:
    """The name of the first set of layers, on which every smoothing is tried."""
    return next(iter(layer_sets(network)))


def with_layers(network: Network, name: str) -> Network:
    """The same network, read at one of its sets of layers."""
    style, content = layer_sets(network)[name]
    return replace(network, style_layers=style, content_layers=content)


def with_random_weights(network: Network) -> Network:
    """The same network with random weights: r-NAME."""
    return replace(network, name=f"r-{network.name.removeprefix('p-')}", weights="random")


def measured_networks(plan: Plan, usual: Sequence[Network]) -> list[Network]:
    """The given networks, trained and with random weights, large ones at the authors' layers.

    If none are given, the `usual` ones.
    """
    networks = [n for network in plan.given for n in (network, with_random_weights(network))]
    return [with_layers(n, AUTHORS if n.large else best(n)) for n in networks] or list(usual)


def stylized_networks(plan: Plan, usual: Sequence[Network]) -> list[Network]:
    """The given networks, each at its best set of layers, or the `usual` ones if none are given."""
    return [with_layers(n, best(n)) for n in plan.given] or list(usual)
