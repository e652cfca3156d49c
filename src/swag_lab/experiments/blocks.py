"""Activations before and after the blocks of a network that keep the shape of their input."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn

from swag.backbones import Backbone
from swag.backbones.edits import PlainBlock
from swag.backbones.family import ResidualBlock
from swag.types import FeatureMap, Image

LAST_OF_BRANCH = ("bn3", "bn2", "conv3", "conv2")
"""Names that the last module of a ResNet's branch may have, the first that exists counts; without
batch norm a branch ends with a convolution."""


@dataclass(frozen=True)
class BlockActivations:
    """Activations before and after a block, and of its branch if that is added to them."""

    name: str
    before: FeatureMap
    after: FeatureMap
    branch: FeatureMap | None


@dataclass(frozen=True)
class _Block:
    """The first and last module of a block, which get hooks, and the last of its branch."""

    name: str
    first: nn.Module
    last: nn.Module
    branch: nn.Module | None = None


def blocks_of(network: Backbone, picture: Image) -> Iterator[BlockActivations]:
    """Activations of the blocks of ResNets and of the family, in the order in which they run.

    In a network without any, such as VGG, each convolution and its ReLU count as a block. Blocks
    that change the shape have no entries to follow, and are left out.
    """
    maps: dict[tuple[str, str], Tensor] = {}

    def record(block: _Block, part: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        # Cloned: ReLUs and the sum of a block may overwrite their input in place.
        return lambda module, inputs, output: maps.update({(block.name, part): output.clone()})

    def record_input(block: _Block) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        return lambda module, inputs: maps.update({(block.name, "before"): inputs[0].clone()})

    blocks = _residual_and_plain_blocks(network.module) or _convolution_blocks(network.module)
    hooks = []
    for block in blocks:
        hooks.append(block.first.register_forward_pre_hook(record_input(block)))
        hooks.append(block.last.register_forward_hook(record(block, "after")))
        if block.branch is not None:
            hooks.append(block.branch.register_forward_hook(record(block, "branch")))
    try:
        network.module(network.prepare(picture))
    finally:
        for hook in hooks:
            hook.remove()
    for name in (block.name for block in blocks):
        before, after = maps[name, "before"], maps[name, "after"]
        if before.shape == after.shape:
            yield BlockActivations(name, before, after, maps.get((name, "branch")))


def _residual_and_plain_blocks(module: nn.Module) -> list[_Block]:
    return [
        _Block(name, block, block, _last_of_branch(block))
        for name, block in module.named_modules()
        if isinstance(block, (PlainBlock, ResidualBlock)) or _is_resnet_block(block)
    ]


def _is_resnet_block(module: nn.Module) -> bool:
    """Whether a module has the parts of a ResNet's block, of torchvision or of the user's own."""
    return all(hasattr(module, name) for name in ("conv1", "conv2", "downsample"))


def _last_of_branch(block: nn.Module) -> nn.Module | None:
    """The last module before the sum, if a block has a shortcut."""
    if isinstance(block, PlainBlock):
        return None
    if isinstance(block, ResidualBlock):
        return None if block.shortcut is None else block.branch
    children = dict(block.named_children())
    return next(children[name] for name in LAST_OF_BRANCH if name in children)


def _convolution_blocks(module: nn.Module) -> list[_Block]:
    """Each convolution of a sequence that a ReLU follows."""
    return [
        _Block(f"{name}.{number}", first, last)
        for name, sequence in module.named_modules()
        if isinstance(sequence, nn.Sequential)
        for number, (first, last) in enumerate(pairwise(sequence))
        if isinstance(first, nn.Conv2d) and isinstance(last, nn.ReLU)
    ]
