"""Changes to a network, by name: functions module -> module that `create` applies in order.

create("torchvision/resnet50", edits=("without-residuals",))     the paper's NoResNet
create("torchvision/vgg19", edits=("average-pooling", "reflect")) as Gatys et al., no frame
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import torch
from torch import Tensor, nn

from swag.backbones.family import ResidualBlock
from swag.backbones.folding import fold
from swag.backbones.pixel_blocks import in_blocks
from swag.errors import BackboneError
from swag.registry import Registry

Edit = Callable[[nn.Module], nn.Module]


def pad(mode: str, *, everywhere: bool) -> Edit:
    """Pad the first convolution (or every one) by `mode` instead of zeros.

    Zeros act as a gray frame around the picture, which the optimization then paints.
    Convolutions without padding, as the first of Inception-v3, stay as they are.
    """
    return partial(_set_padding_mode, mode=mode, everywhere=everywhere)


def _set_padding_mode(module: nn.Module, *, mode: str, everywhere: bool) -> nn.Module:
    convolutions = [conv for conv in module.modules() if isinstance(conv, nn.Conv2d)]
    for conv in convolutions if everywhere else convolutions[:1]:
        if conv.padding != (0, 0):  # padding by 0 would copy the maps
            conv.padding_mode = mode  # type: ignore[assignment]
    return module


def average_pooling(module: nn.Module) -> nn.Module:
    """Replace max pooling by average pooling, as Gatys et al. 2016; padding does not count.

    Poolings that a network calls as functions (within the blocks of Inception-v3) stay.
    """

    def replace(pool: nn.Module) -> nn.Module | None:
        if not isinstance(pool, nn.MaxPool2d):
            return None
        return nn.AvgPool2d(
            pool.kernel_size, pool.stride, pool.padding, pool.ceil_mode, count_include_pad=False
        )

    return _replace_modules(module, replace, "max pooling")


def dense_stem(module: nn.Module) -> nn.Module:
    """Give the first convolution a stride of 1 instead of 2.

    All maps then have four times the positions; a ResNet-50 makes better pictures in twice the
    time (docs/study.md, section 9). Name the layers of a network without a preset: with this
    edit a trial pass finds others at 1/8 of the resolution.
    """
    stem = next((child for child in module.modules() if isinstance(child, nn.Conv2d)), None)
    if stem is None or max(stem.stride) == 1:
        raise BackboneError(f"{type(module).__name__} has no stride of its stem to edit")
    stem.stride = (1, 1)
    return module


def without_residuals(module: nn.Module) -> nn.Module:
    """Remove the shortcuts of residual blocks, those with a convolution too: NoResNet.

    A block becomes relu(branch(x)); for the blocks of torchvision and of the bundled networks.
    """
    from torchvision.models.resnet import BasicBlock, Bottleneck

    def replace(block: nn.Module) -> nn.Module | None:
        if isinstance(block, (BasicBlock, Bottleneck)):
            return PlainBlock(block)
        if isinstance(block, ResidualBlock):
            block.shortcut = None
            return block
        return None

    return _replace_modules(module, replace, "residual blocks")


def with_residuals(module: nn.Module) -> nn.Module:
    """Add a shortcut around each convolution that keeps the number of channels: pseudo-ResVGG.

    For networks that are one sequence of convolutions and ReLUs (VGG without batch norm). The
    authors' own pseudo-ResVGG is not public.
    """
    if any(isinstance(child, nn.BatchNorm2d) for child in module.modules()):
        raise BackboneError(
            "with-residuals is for networks without batch normalization, as torchvision/vgg19"
        )

    def replace(conv: nn.Module) -> nn.Module | None:
        if not isinstance(conv, nn.Conv2d) or conv.in_channels != conv.out_channels:
            return None
        same_size = conv.stride == (1, 1) and conv.padding == tuple(
            (kernel - 1) // 2 for kernel in conv.kernel_size
        )
        return Shortcut(conv) if same_size else None

    return _replace_modules(module, replace, "convolutions that keep the number of channels")


def no_inplace(module: nn.Module) -> nn.Module:
    """Let no activation write into its input."""
    for child in module.modules():
        if hasattr(child, "inplace"):
            child.inplace = False  # type: ignore[assignment]
    return module


def channels_last(module: nn.Module) -> nn.Module:
    """Lay the weights out with channels last, which makes convolutions faster."""
    for weight in module.parameters():
        if weight.ndim == 4:
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    return module


def unchanged(module: nn.Module) -> nn.Module:
    """Change nothing: an edit `no-...` only keeps `create` from applying one of `OWN`."""
    return module


EDITS: Registry[Edit] = Registry(
    "edit",
    {
        "reflect": pad("reflect", everywhere=False),
        "reflect-all": pad("reflect", everywhere=True),
        "replicate": pad("replicate", everywhere=False),
        "replicate-all": pad("replicate", everywhere=True),
        "average-pooling": average_pooling,
        "dense-stem": dense_stem,
        "without-residuals": without_residuals,
        "with-residuals": with_residuals,
        "no-inplace": no_inplace,
        "fold": fold,
        "no-fold": unchanged,
        "channels-last": channels_last,
        "no-channels-last": unchanged,
        "pixel-blocks": in_blocks,
        "no-pixel-blocks": unchanged,
    },
    error=BackboneError,
)

OWN = ("fold", "channels-last", "pixel-blocks")
"""Edits applied by default, which make a network faster and change nothing else."""


def apply(module: nn.Module, names: Iterable[str]) -> tuple[nn.Module, tuple[str, ...]]:
    """Apply edits in order, then those of `OWN` that are neither named nor refused by `no-...`.

    Returns the network and the names of all edits applied, in order.
    """
    requested = tuple(names)
    defaults = [name for name in OWN if not {name, f"no-{name}"} & {*requested}]
    applied = (*requested, *defaults)
    for name in applied:
        module = EDITS.find(name)(module)
    return module, applied


class PlainBlock(nn.Module):
    """A torchvision residual block without its shortcut; its modules keep their names."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        for name, child in block.named_children():
            if name != "downsample":
                self.add_module(name, child)

    def forward(self, x: Tensor) -> Tensor:
        """relu(norm(conv(x))) for each convolution of the branch."""
        for number in range(1, 4):
            if hasattr(self, f"conv{number}"):
                x = self.get_submodule(f"conv{number}")(x)
                x = self.get_submodule("relu")(self.get_submodule(f"bn{number}")(x))
        return x


class Shortcut(nn.Module):
    """x + block(x)."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor) -> Tensor:
        """Add the input to the output of the block."""
        out: Tensor = x + self.block(x)
        return out


def _replace_modules(
    module: nn.Module, replace: Callable[[nn.Module], nn.Module | None], kind: str
) -> nn.Module:
    replacements = list(_replacements(module, replace))
    if not replacements:
        raise BackboneError(f"{type(module).__name__} has no {kind} to edit")
    for name, replacement in replacements:
        module.set_submodule(name, replacement)
    return module


def _replacements(
    module: nn.Module, replace: Callable[[nn.Module], nn.Module | None]
) -> Iterator[tuple[str, nn.Module]]:
    for name, child in module.named_modules():
        if name and (replacement := replace(child)) is not None:
            yield name, replacement
