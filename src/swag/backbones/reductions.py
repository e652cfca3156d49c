"""Find the layers of a network without a preset, by one trial pass.

find_layers(resnet50()).style      # ("relu", "layer1.0", "layer1.2", "layer2.0", "layer2.3")
find_layers(resnet50()).content    # {"relu": 1.0, "layer1": 2.0, "layer2": 1.0}
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import log2
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from swag.backbones.presets import LayerPreset
from swag.errors import BackboneError
from swag.features import Arrange, FeatureExtractor, Preprocess, observe, trial_picture

_SIZES = ((256, 192), (224, 224), (299, 299), (384, 384), (512, 512), (96, 96))
"""Rows and columns of trial pictures: large, so that the deepest maps have several positions, and
first not square, so that a table of 15 x 15 weights is not taken for a map."""

DEEPEST = 24
DEEPEST_OF_BLOCKS = 12
"""Reductions from which on stages are left out, the second for networks of blocks: deeper layers of
a trained ResNet-50 and of an EfficientNet make the pictures worse (docs/study.md, section 9)."""

FEWEST = 3
"""Resolutions that are read in any case, from the finest on."""

CONTENT_WEIGHTS: Mapping[int, float] = MappingProxyType({2: 1.0, 4: 2.0, 8: 1.0})
"""Weights of content layers by reduction. Without 1/2 the pictures of a trained EfficientNet keep
less of the photo at equal style error (docs/study.md, section 9)."""

MANY = 5
"""Blocks of a stage from which on the middle one is read, too."""


@dataclass(frozen=True)
class Layer:
    """A module as one trial pass shows it.

    Args:
        name: as in `named_modules`.
        runs: how often it ran.
        shape: batch, channels, rows, columns of its last output; None if that is not a map.
        learns: whether it has parameters of its own.
        folded: whether the normalization after it was folded into it, so that it is not read.
        reduction: how many rows of the picture one row of the map stands for.
        block: its class, if it has children and is not merely a sequence of them.
    """

    name: str
    runs: int
    shape: tuple[int, ...] | None
    learns: bool
    folded: bool = False
    reduction: float = 1.0
    block: type[nn.Module] | None = None


def trace(
    model: nn.Module, preprocess: Preprocess | None = None, *, arrange: Arrange | None = None
) -> list[Layer]:
    """The modules of a network in the order in which they first finish, by one trial pass."""
    model = model.eval()
    sample = trial_picture(model, preprocess, sizes=_SIZES)
    x = sample if preprocess is None else preprocess(sample)
    modules = {name: module for name, module in model.named_modules() if name}
    layers: dict[str, Layer] = {}

    def record(name: str, output: Any) -> None:
        shape = _map_shape(output, (x.shape[-2], x.shape[-1]), arrange)
        learns = next(modules[name].parameters(recurse=False), None) is not None
        folded = bool(getattr(modules[name], "folded_into", ""))
        layer = layers.get(name, Layer(name, 0, None, learns=learns, folded=folded))
        reduction = x.shape[-2] / shape[-2] if shape else 1.0
        layers[name] = replace(
            layer,
            runs=layer.runs + 1,
            shape=shape,
            reduction=reduction,
            block=_block_class(modules[name]),
        )

    with torch.no_grad():
        observe(model, x, modules, record)
    return list(layers.values())


def find_layers(
    model: nn.Module, preprocess: Preprocess | None = None, *, arrange: Arrange | None = None
) -> LayerPreset:
    """The layers to read style and content from, found by one trial pass.

    If stages repeat blocks of one class, as in a ResNet, style is read at each resolution down to
    1/8 from the first and last block, and from the middle one of five or more; otherwise down to
    1/16. A stage without such blocks is read at the last of its outermost layers. Three
    resolutions are read in any case. Content is read from the last layers at 1/2, 1/4 (which counts
    twice) and 1/8. For ResNets these are the layers of the presets, but that style layers count
    alike; for VGG the last ReLU of each block stands in for the first.

    Stages in which nothing has parameters (the pool before a classifier) are left out. A network
    that never reduces, as a transformer, gives up to five layers evenly spaced along its longest
    row of siblings, and content from the second deepest of them.

    Raises:
        BackboneError: no module of the network returns maps.
    """
    stages = [stage for stage in _stages(trace(model, preprocess, arrange=arrange)) if stage]
    if not stages:
        raise BackboneError(
            f"{type(model).__name__} has no layer that returns maps of more than one position"
        )
    if len(stages) == 1:
        style = _evenly_spaced(_longest_row(stages[0]), 5)
        return LayerPreset("", style, content=style[-2:-1] or style)
    of_blocks = any(len(_ends(stage)) > 1 for stage in stages)
    deepest = DEEPEST_OF_BLOCKS if of_blocks else DEEPEST
    count = sum(stage[0].reduction < deepest for stage in stages)
    style_stages = stages[: max(FEWEST, count)]
    content = {
        _last(stage).name: CONTENT_WEIGHTS[reduction]
        for stage in stages
        if (reduction := 2 ** round(log2(stage[0].reduction))) in CONTENT_WEIGHTS
    }
    return LayerPreset(
        "",
        style=tuple(layer.name for stage in style_stages for layer in _ends(stage)),
        content=content or (_last(style_stages[-2]).name,),
    )


@torch.no_grad()
def keeps_places(
    model: nn.Module, layers: Iterable[str], preprocess: Preprocess, arrange: Arrange | None
) -> bool:
    """Whether a change at the top left of the picture changes the maps mostly at the top left.

    It does not if tokens are in an order of the network's own, as in Hiera.
    """
    gray = trial_picture(model, preprocess, sizes=_SIZES) + 0.5
    changed = gray.clone()
    rows, columns = (side // 3 for side in gray.shape[-2:])
    noise = torch.rand(3, rows, columns, generator=torch.Generator().manual_seed(0))
    changed[0, :, :rows, :columns] = noise.to(gray)
    extract = FeatureExtractor(model, layers, preprocess, arrange=arrange)
    before, after = extract(gray), extract(changed)
    return all(_top_left_share(after[name] - before[name]) > 0.5 for name in before)


def _top_left_share(change: Tensor) -> float:
    """The share of a change's energy in the top left quarter of the map, in [0, 1]."""
    energy = change.square().sum(1)[0]
    rows, columns = ((side + 1) // 2 for side in energy.shape)
    return float(energy[:rows, :columns].sum() / energy.sum())


def _map_shape(
    output: Any, size: tuple[int, int], arrange: Arrange | None
) -> tuple[int, ...] | None:
    """Shape of a map with more than one position and the proportions of the picture, or None."""
    if not isinstance(output, Tensor) or output.ndim < 3 or output.shape[0] != 1:
        return None
    maps = output if arrange is None else arrange(output, size)
    if maps.ndim != 4 or maps.shape[-2:].numel() == 1:
        return None
    same_aspect = abs(maps.shape[-2] / size[0] - maps.shape[-1] / size[1]) * max(size) < 2
    return tuple(maps.shape) if same_aspect else None


def _stages(layers: list[Layer]) -> list[list[Layer]]:
    """Layers that can be read, by resolution; none without parameters, none after upsampling."""
    stages: list[list[Layer]] = []
    has_parameters: list[bool] = []
    rows = 0.0
    for layer in layers:
        if layer.shape is None:
            continue
        # Convolutions without padding cost a few rows each, which is no reduction. Of a module that
        # runs more than once, as a ReLU shared by all layers, only the last map is known.
        if layer.runs == 1 and (not stages or layer.shape[-2] < 0.7 * rows):
            stages.append([])
            has_parameters.append(False)
            rows = layer.shape[-2]
        if stages and layer.shape[-2] <= rows:
            has_parameters[-1] |= layer.learns
            if layer.runs == 1 and not layer.folded:
                stages[-1].append(layer)
    return [stage for stage, keep in zip(stages, has_parameters, strict=True) if keep]


def _block_class(module: nn.Module) -> type[nn.Module] | None:
    """The class of a module that has children.

    None for a row of modules, and for a convolution that has its padding as a child.
    """
    is_block = not isinstance(module, (nn.Sequential, nn.ModuleList, nn.Conv2d))
    return type(module) if is_block and next(module.children(), None) is not None else None


def _last(stage: list[Layer]) -> Layer:
    """The last of the outermost layers: a whole stage of a ResNet, not the last ReLU in it."""
    return min(reversed(stage), key=_depth)


def _ends(stage: list[Layer]) -> list[Layer]:
    """The first, middle and last of a stage's repeated blocks, or its last layer without any.

    Blocks with less than half of the last layer's channels, as those that a DenseNet adds to its
    maps, do not count.
    """
    last = _last(stage)
    by_kind: dict[tuple[int, type[nn.Module]], list[Layer]] = {}
    for layer in stage:
        if layer.block is not None and 2 * _channels(layer) >= _channels(last):
            by_kind.setdefault((_depth(layer), layer.block), []).append(layer)
    repeated = {kind: blocks for kind, blocks in by_kind.items() if len(blocks) > 1}
    if not repeated:
        return [last]
    blocks = repeated[min(repeated, key=lambda kind: kind[0])]
    middle = [blocks[(len(blocks) - 1) // 2]] if len(blocks) >= MANY else []
    return [blocks[0], *middle, blocks[-1]]


def _channels(layer: Layer) -> int:
    return 0 if layer.shape is None else layer.shape[1]


def _depth(layer: Layer) -> int:
    return layer.name.count(".")


def _longest_row(layers: list[Layer]) -> list[str]:
    rows: dict[str, list[str]] = {}
    for layer in layers:
        rows.setdefault(layer.name.rpartition(".")[0], []).append(layer.name)
    # The blocks of a network are numbered; the modules within one have names.
    return max(
        rows.values(),
        key=lambda row: (all(name.rpartition(".")[2].isdecimal() for name in row), len(row)),
    )


def _evenly_spaced(names: list[str], count: int) -> tuple[str, ...]:
    count = min(count, len(names))
    return tuple(names[(i + 1) * len(names) // count - 1] for i in range(count))
