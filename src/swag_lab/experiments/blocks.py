"""What goes into and comes out of the blocks of a network that keep the shape of their input."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from swag.backbones import Backbone
from swag.backbones.edits import PlainBlock
from swag.backbones.family import ResidualBlock
from swag.types import FeatureMap, Image

LAST_NORMS = ("bn3", "bn2")


@dataclass(frozen=True)
class BlockActivations:
    """Activations before and after a block, and of its branch if that is added to them."""

    name: str
    before: FeatureMap
    after: FeatureMap
    branch: FeatureMap | None


def blocks_of(network: Backbone, picture: Image) -> Iterator[BlockActivations]:
    """The blocks in the order in which they run: of torchvision's ResNets and of the family.

    Blocks that change the shape have no entries to follow, and are left out.
    """
    watched = [(name, block) for name, block in network.module.named_modules() if _is_block(block)]
    seen: dict[str, Tensor] = {}
    hooks = []
    for name, block in watched:
        hooks.append(block.register_forward_hook(_keep(seen, name)))
        branch = _branch(block)
        if branch is not None:
            hooks.append(branch.register_forward_hook(_keep(seen, f"{name} branch")))
    try:
        network.module(network.prepare(picture))
    finally:
        for hook in hooks:
            hook.remove()
    for name, _ in watched:
        before, after = seen[f"{name} in"], seen[name]
        if before.shape == after.shape:
            yield BlockActivations(name, before, after, seen.get(f"{name} branch"))


def _is_block(module: nn.Module) -> bool:
    from torchvision.models.resnet import BasicBlock, Bottleneck

    return isinstance(module, (BasicBlock, Bottleneck, PlainBlock, ResidualBlock))


def _branch(block: nn.Module) -> nn.Module | None:
    """The last module before the sum, of a block with a shortcut."""
    if isinstance(block, PlainBlock):
        return None
    if isinstance(block, ResidualBlock):
        return None if block.shortcut is None else block.branch
    children = dict(block.named_children())
    return next(children[name] for name in LAST_NORMS if name in children)


def _keep(seen: dict[str, Tensor], name: str) -> Any:
    def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        # Copied: the sum of a block is written into the branch.
        seen[name] = output.detach().clone()
        seen[f"{name} in"] = inputs[0].detach().clone()

    return hook
