"""The part of a network behind one layer, run from that layer's map alone.

    tail = tail_of(network, "stage2", ("stage3", "stage4"))
    tail(maps["stage2"], ["stage4"])       as network.extract(picture, ["stage4"]), without the rest

Every module that has run when the layer has is left out of a copy that shares all tensors, and the
layer itself gives back the map that it is handed. A network need not be a chain for that to be
right: whatever leaps over the layer makes the trial differ, and then there is no tail.
"""

import copy
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import torch
from torch import Tensor, nn

from swag.backbones.backbone import Backbone
from swag.errors import BackboneError
from swag.features import REFUSALS, FeatureExtractor, observe
from swag.types import FeatureMap, FeatureMaps

Tail = Callable[[FeatureMap, Sequence[str]], FeatureMaps]
"""(map of the layer, layers behind it) -> activations by layer."""

TRIAL = (1, 3, 160, 192)
TOLERANCE = 1e-4
"""Tolerance, as a share of a map's largest entry: rounding in another order is below it."""


class _Given(nn.Module):
    """A layer whose output is known."""

    def __init__(self) -> None:
        super().__init__()
        self.map: Tensor | None = None

    def forward(self, *_inputs: Any, **_options: Any) -> Tensor | None:
        return self.map


class _Skipped(nn.Module):
    """A module that gives back what it is given."""

    def forward(self, first: Any, *_rest: Any, **_options: Any) -> Any:
        return first


def tail_of(network: Backbone, layer: str, behind: Sequence[str]) -> Tail | None:
    """The network from the map of `layer` on, for the layers `behind` it; None if there is none.

    None for networks of tokens, too, and where a layer of `behind` runs before `layer`.
    """
    like = next(network.module.parameters(), None)
    if like is None or not network.of_maps:
        return None
    picture = torch.rand(TRIAL, generator=torch.Generator().manual_seed(0)).to(like)
    try:
        with torch.no_grad():
            maps = network.extract(picture, (layer, *behind))
    except (BackboneError, *REFUSALS):
        return None
    tail = _built(network, layer, behind, picture, known=maps[layer])
    try:
        # With a graph: a module that writes into the map it is handed is an error then.
        found = tail(maps[layer].detach().clone().requires_grad_(), behind)
    except (BackboneError, *REFUSALS, TypeError, AttributeError, IndexError):
        return None  # what is left out was needed, in one way or another
    return tail if all(_alike(found[name], maps[name]) for name in behind) else None


@torch.no_grad()
def _built(
    network: Backbone, layer: str, behind: Sequence[str], picture: Tensor, known: FeatureMap
) -> Tail:
    name = network.aliases.get(layer, layer)
    shared = {id(t): t for t in (*network.module.parameters(), *network.module.buffers())}
    module = copy.deepcopy(network.module, shared)
    for before in _run_before(network, name, picture):
        module.set_submodule(before, _Skipped())
    given = _Given()
    given.map = known
    module.set_submodule(name, given)
    names = {other: network.aliases.get(other, other) for other in behind}
    extractors: dict[tuple[str, ...], FeatureExtractor] = {}
    smallest = picture[:, :, :96, :96]

    def tail(features: FeatureMap, layers: Sequence[str]) -> FeatureMaps:
        given.map = network.laid_out(features)
        asked = tuple(dict.fromkeys(names[other] for other in layers))
        if asked not in extractors:
            extractors[asked] = FeatureExtractor(module, asked)
        maps = extractors[asked](smallest)
        given.map = None
        return {other: maps[names[other]] for other in layers}

    return tail


@torch.no_grad()
def _run_before(network: Backbone, layer: str, picture: Tensor) -> list[str]:
    """The modules that have ended when `layer` does and are neither around it nor in it."""
    clock, ended = count(), {}

    def end(name: str, _output: Any) -> None:
        ended[name] = next(clock)

    modules = {name: module for name, module in network.module.named_modules() if name}
    observe(network.module, network.prepare(picture), modules, end)
    return [
        name
        for name, time in ended.items()
        if time < ended[layer] and not name.startswith(f"{layer}.")
    ]


def _alike(found: Tensor, expected: Tensor) -> bool:
    if found.shape != expected.shape:
        return False
    return bool((found - expected).abs().max() <= TOLERANCE * expected.abs().max())
