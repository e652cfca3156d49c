"""The part of a network behind one layer, run from that layer's map alone.

    tail = tail_of(network, "stage2", ("stage3", "stage4"))
    tail(maps["stage2"], ["stage4"])       as network.extract(picture, ["stage4"]), without the rest

A copy of the network that shares all tensors leaves out each module that has finished before the
layer; the layer itself returns the map that it is given. The network need not be a chain: if a
connection bypasses the layer, a trial gives other maps, and there is no tail.
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
"""Tolerance, as a share of a map's largest entry: above rounding in another order."""


class _FixedOutput(nn.Module):
    """A layer that returns the map stored in it."""

    def __init__(self) -> None:
        super().__init__()
        self.map: Tensor | None = None

    def forward(self, *_inputs: Any, **_options: Any) -> Tensor | None:
        return self.map


class _PassThrough(nn.Module):
    """A module that returns its first input."""

    def forward(self, first: Any, *_rest: Any, **_options: Any) -> Any:
        return first


def tail_of(network: Backbone, layer: str, later_layers: Sequence[str]) -> Tail | None:
    """The network from the map of `layer` on, for `later_layers`; None if they need more.

    None for networks of tokens, too, and if one of `later_layers` runs before `layer`.
    """
    like = next(network.module.parameters(), None)
    if like is None or not network.of_maps:
        return None
    picture = torch.rand(TRIAL, generator=torch.Generator().manual_seed(0)).to(like)
    try:
        with torch.no_grad():
            maps = network.extract(picture, (layer, *later_layers))
    except (BackboneError, *REFUSALS):
        return None
    tail = _build_tail(network, layer, later_layers, picture, trial_map=maps[layer])
    try:
        # With a gradient, so that a module that writes into its input is an error.
        tail_maps = tail(maps[layer].detach().clone().requires_grad_(), later_layers)
    except (BackboneError, *REFUSALS, TypeError, AttributeError, IndexError):
        return None  # a module that was left out is needed, in one way or another
    return (
        tail if all(_nearly_equal(tail_maps[name], maps[name]) for name in later_layers) else None
    )


@torch.no_grad()
def _build_tail(
    network: Backbone,
    layer: str,
    later_layers: Sequence[str],
    picture: Tensor,
    trial_map: FeatureMap,
) -> Tail:
    name = network.aliases.get(layer, layer)
    shared = {id(t): t for t in (*network.module.parameters(), *network.module.buffers())}
    module = copy.deepcopy(network.module, shared)
    for earlier in _run_before(network, name, picture):
        module.set_submodule(earlier, _PassThrough())
    entry = _FixedOutput()
    entry.map = trial_map
    module.set_submodule(name, entry)
    names = {other: network.aliases.get(other, other) for other in later_layers}
    extractors: dict[tuple[str, ...], FeatureExtractor] = {}
    placeholder = picture[:, :, :96, :96]

    def tail(features: FeatureMap, layers: Sequence[str]) -> FeatureMaps:
        entry.map = network.laid_out(features)
        requested = tuple(dict.fromkeys(names[other] for other in layers))
        if requested not in extractors:
            extractors[requested] = FeatureExtractor(module, requested)
        maps = extractors[requested](placeholder)
        entry.map = None
        return {other: maps[names[other]] for other in layers}

    return tail


@torch.no_grad()
def _run_before(network: Backbone, layer: str, picture: Tensor) -> list[str]:
    """Names of the modules that finish before `layer` and are not inside it."""
    clock, end_times = count(), {}

    def note_end(name: str, _output: Any) -> None:
        end_times[name] = next(clock)

    modules = {name: module for name, module in network.module.named_modules() if name}
    observe(network.module, network.prepare(picture), modules, note_end)
    return [
        name
        for name, time in end_times.items()
        if time < end_times[layer] and not name.startswith(f"{layer}.")
    ]


def _nearly_equal(maps: Tensor, expected: Tensor) -> bool:
    if maps.shape != expected.shape:
        return False
    return bool((maps - expected).abs().max() <= TOLERANCE * expected.abs().max())
