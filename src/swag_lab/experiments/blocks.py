"""What goes into and comes out of the blocks of a network that keep the shape of their input."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn

from swag.backbones import Backbone
from swag.backbones.edits import PlainBlock
from swag.backbones.family import ResidualBlock
from swag.types import FeatureMap, Image

LAST_OF_BRANCH = ("bn3", "bn2", "conv3", "conv2")
"""Names of the last module before the sum in ResNets, the first that there is; without batch norm
a branch ends with a convolution."""


@dataclass(frozen=True)
class BlockActivations:
    """Activations before and after a block, and of its branch if that is added to them."""

    name: str
    before: FeatureMap
    after: FeatureMap
    branch: FeatureMap | None


@dataclass(frozen=True)
class _Block:
    """The modules whose input and output are those of a block, and the end of its branch."""

    name: str
    first: nn.Module
    last: nn.Module
    branch: nn.Module | None = None


def blocks_of(network: Backbone, picture: Image) -> Iterator[BlockActivations]:
    """The blocks in the order in which they run: of ResNets and of the family.

    In a network without any, such as VGG, each convolution and its ReLU count as a block. Blocks
    that change the shape have no entries to follow, and are left out.
    """
    seen: dict[tuple[str, str], Tensor] = {}

    def keep(block: _Block, part: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        # Copied: ReLUs and the sum of a block may be written into what is kept.
        return lambda module, inputs, output: seen.update({(block.name, part): output.clone()})

    def keep_input(block: _Block) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        return lambda module, inputs: seen.update({(block.name, "before"): inputs[0].clone()})

    blocks = _residual_or_plain(network.module) or _convolutions(network.module)
    hooks = []
    for block in blocks:
        hooks.append(block.first.register_forward_pre_hook(keep_input(block)))
        hooks.append(block.last.register_forward_hook(keep(block, "after")))
        if block.branch is not None:
            hooks.append(block.branch.register_forward_hook(keep(block, "branch")))
    try:
        network.module(network.prepare(picture))
    finally:
        for hook in hooks:
            hook.remove()
    for name in (block.name for block in blocks):
        before, after = seen[name, "before"], seen[name, "after"]
        if before.shape == after.shape:
            yield BlockActivations(name, before, after, seen.get((name, "branch")))


def _residual_or_plain(module: nn.Module) -> list[_Block]:
    return [
        _Block(name, part, part, _branch(part))
        for name, part in module.named_modules()
        if isinstance(part, (PlainBlock, ResidualBlock)) or _is_of_resnet(part)
    ]


def _is_of_resnet(module: nn.Module) -> bool:
    """Whether a module has the parts of a block of a ResNet, of torchvision or of one's own."""
    return all(hasattr(module, name) for name in ("conv1", "conv2", "downsample"))


def _branch(block: nn.Module) -> nn.Module | None:
    """The last module before the sum, of a block with a shortcut."""
    if isinstance(block, PlainBlock):
        return None
    if isinstance(block, ResidualBlock):
        return None if block.shortcut is None else block.branch
    children = dict(block.named_children())
    return next(children[name] for name in LAST_OF_BRANCH if name in children)


def _convolutions(module: nn.Module) -> list[_Block]:
    """Each convolution of a sequence that a ReLU follows."""
    return [
        _Block(f"{name}.{number}", first, last)
        for name, sequence in module.named_modules()
        if isinstance(sequence, nn.Sequential)
        for number, (first, last) in enumerate(pairwise(sequence))
        if isinstance(first, nn.Conv2d) and isinstance(last, nn.ReLU)
    ]
