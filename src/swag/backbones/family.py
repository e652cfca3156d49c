"""The ablation family: thin networks that differ in exactly what the paper's ablation varies.

Wang, Li and Vasconcelos (CVPR 2021) take a residual network apart, component by component, to
find which one makes its activations peaky. One definition with switches covers both ends:

    Architecture()                                             a residual network
    Architecture(shortcuts=False)                              without shortcuts: "NoResNet"
    Architecture(shortcuts=False, stem=3, downsampling="max")  3x3, max pooling: "pseudo-VGG"
    Architecture(stem=3, downsampling="max")                   with shortcuts: "pseudo-ResVGG"

Departures from ResNet (He et al. 2016): the stem keeps the full resolution and each stage begins
by reducing it, as in VGG, so that the first layer sees the texture of single pixels; the default
reduction is an average over 2x2 positions, which does not alias (Zhang 2019); a stride of two
draws a checkerboard into an optimized picture. `downsampling="stride"` gives ResNet's own.
Every activation is a module of its own that never writes in place, so each can be read by name.

Weights start as by He et al. 2015, every filter alike, as the paper's random networks need. A
training first sets the last layer of each branch to zero (`start_as_shortcuts`); a random network
must not: its blocks would be identities, and the effect of shortcuts could not be observed.
"""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from swag.types import Image

Block = Literal["basic", "bottleneck"]
Downsampling = Literal["average", "max", "stride"]

BOTTLENECK = 4
"""How much narrower the 3x3 convolution of a bottleneck is than its block (He et al. 2016)."""


@dataclass(frozen=True)
class Architecture:
    """The switches of the family; the defaults are `swag/resnet`.

    `widths` are the channels of the stages (the stem has those of the first), `depths` their
    numbers of blocks, `stem` the side of the stem's kernel in pixels.
    """

    shortcuts: bool = True
    block: Block = "basic"
    stem: int = 5
    downsampling: Downsampling = "average"
    norm: bool = True
    widths: tuple[int, ...] = (24, 48, 96, 192)
    depths: tuple[int, ...] = (2, 2, 2, 2)


def convolution(
    inputs: int, outputs: int, kernel: int, stride: int = 1, *, bias: bool
) -> nn.Conv2d:
    """A convolution that keeps the size (divided by `stride`), initialized as by He et al. 2015."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=bias)
    if conv.weight.is_meta:  # to initialize it, torch would load its compiler: a second
        return conv
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


def normalization(channels: int, norm: bool) -> nn.Module:
    """Batch norm, or the identity if `norm` is false."""
    return nn.BatchNorm2d(channels) if norm else nn.Identity()


class ResidualBlock(nn.Module):
    """relu(branch(x) + shortcut(x)), or relu(branch(x)) if the architecture has no shortcuts.

    The shortcut is the identity if the shapes agree and a 1x1 convolution if they do not.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, architecture: Architecture) -> None:
        super().__init__()
        self.branch = branch(inputs, outputs, stride, architecture)
        self.shortcut = shortcut(inputs, outputs, stride, architecture)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Run the block."""
        y: Tensor = self.branch(x)
        if self.shortcut is not None:
            y = y + self.shortcut(x)
        out: Tensor = self.relu(y)
        return out


def branch(inputs: int, outputs: int, stride: int, architecture: Architecture) -> nn.Sequential:
    """The convolutions of a block: 3x3 3x3, or 1x1 3x3 1x1 with a narrow middle."""
    if architecture.block == "basic":
        plan = [(inputs, outputs, 3, stride), (outputs, outputs, 3, 1)]
    else:
        narrow = outputs // BOTTLENECK
        plan = [(inputs, narrow, 1, 1), (narrow, narrow, 3, stride), (narrow, outputs, 1, 1)]
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for i, (before, after, kernel, step) in enumerate(plan, start=1):
        layers[f"conv{i}"] = convolution(before, after, kernel, step, bias=not architecture.norm)
        layers[f"norm{i}"] = normalization(after, architecture.norm)
        if i < len(plan):
            layers[f"relu{i}"] = nn.ReLU()
    return nn.Sequential(layers)


def shortcut(
    inputs: int, outputs: int, stride: int, architecture: Architecture
) -> nn.Module | None:
    """The path around a block; None in an architecture without shortcuts."""
    if not architecture.shortcuts:
        return None
    if inputs == outputs and stride == 1:
        return nn.Identity()
    return nn.Sequential(
        OrderedDict(
            conv=convolution(inputs, outputs, 1, stride, bias=not architecture.norm),
            norm=normalization(outputs, architecture.norm),
        )
    )


def stage(inputs: int, outputs: int, depth: int, architecture: Architecture) -> nn.Sequential:
    """A stage: halve the resolution, then run `depth` blocks."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    stride = 1
    # ceil_mode: an odd last row or column is read too, so that every pixel is optimized alike.
    if architecture.downsampling == "average":
        layers["pool"] = nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False)
    elif architecture.downsampling == "max":
        layers["pool"] = nn.MaxPool2d(2, ceil_mode=True)
    else:
        stride = 2
    for i in range(1, depth + 1):
        layers[f"block{i}"] = ResidualBlock(inputs, outputs, stride, architecture)
        inputs, stride = outputs, 1
    return nn.Sequential(layers)


class ThinNetwork(nn.Module):
    """A network of the family: `stem`, `stage1` ... `stageN`; maps pictures to the last stage.

    Takes pictures normalized by the backbone that holds it. Classification heads belong to the
    training, not to the network: see `swag_lab.training`.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        width = architecture.widths[0]
        self.stem = nn.Sequential(
            OrderedDict(
                conv=convolution(3, width, architecture.stem, bias=not architecture.norm),
                norm=normalization(width, architecture.norm),
                relu=nn.ReLU(),
            )
        )
        self.stages = len(architecture.widths)
        plan = zip(architecture.widths, architecture.depths, strict=True)
        for i, (outputs, depth) in enumerate(plan, start=1):
            self.add_module(f"stage{i}", stage(width, outputs, depth, architecture))
            width = outputs

    def forward(self, x: Image) -> Float[Tensor, "b d _h _w"]:
        """Map normalized pictures to the activations of the last stage."""
        x = self.stem(x)
        for i in range(1, self.stages + 1):
            x = self.get_submodule(f"stage{i}")(x)
        return x


@torch.no_grad()
def start_as_shortcuts(network: ThinNetwork) -> None:
    """Zero the last layer of each branch that has a shortcut, so that training starts shallow.

    Goyal et al. 2017 with batch norm; without, the last convolution, as Zhang et al. 2019 (Fixup).
    """
    for block in network.modules():
        if isinstance(block, ResidualBlock) and block.shortcut is not None:
            last = [layer for layer in block.branch if next(layer.parameters(), None) is not None][
                -1
            ]
            nn.init.zeros_(last.weight)  # type: ignore[arg-type]


@torch.no_grad()
def start_near_identity(network: ThinNetwork) -> None:
    """Start filters of blocks without shortcuts at the identity plus a tenth of their values.

    Delta filters train very deep plain networks (Xiao et al. 2018; Zagoruyko and Komodakis 2017).
    Norms begin with a bias of one half, so that ReLUs cut off less than half.
    """
    for block in network.modules():
        if not isinstance(block, ResidualBlock) or block.shortcut is not None:
            continue
        for layer in block.branch:
            if isinstance(layer, nn.Conv2d):
                outputs, inputs, rows, columns = layer.weight.shape
                channels = torch.arange(outputs)
                layer.weight.mul_(0.1)
                layer.weight[channels, channels % inputs, rows // 2, columns // 2] += 1
            elif isinstance(layer, nn.BatchNorm2d):
                nn.init.constant_(layer.bias, 0.5)


def conv_of(norm: str) -> str:
    """The name of the convolution before a norm: `branch.norm2` -> `branch.conv2`."""
    parent, _, name = norm.rpartition(".")
    return f"{parent}.{name.replace('norm', 'conv')}"


def folded(network: ThinNetwork) -> ThinNetwork:
    """The same function in float64, with batch norm folded into the convolutions.

    Exact, up to rounding, for a network in evaluation mode.
    """
    return from_state(replace(network.architecture, norm=False), folded_state(network))


@torch.no_grad()
def folded_state(network: nn.Module) -> dict[str, Tensor]:
    """A network's tensors in float64, each norm folded into its convolution (see `conv_of`)."""
    tensors = network.state_dict().items()
    state = {name: value.to(torch.float64, copy=True) for name, value in tensors}
    for name, norm in network.named_modules():
        if not isinstance(norm, nn.BatchNorm2d):
            continue
        bias, mean = state.pop(f"{name}.bias"), state.pop(f"{name}.running_mean")
        deviation = (state.pop(f"{name}.running_var") + norm.eps).sqrt()
        scale = state.pop(f"{name}.weight") / deviation
        state.pop(f"{name}.num_batches_tracked")
        state[f"{conv_of(name)}.weight"] *= scale[:, None, None, None]
        state[f"{conv_of(name)}.bias"] = bias - mean * scale
    return state


def from_state(architecture: Architecture, state: dict[str, Tensor]) -> ThinNetwork:
    """A network in evaluation mode that holds these very tensors; draws no random numbers."""
    with torch.device("meta"):
        network = ThinNetwork(architecture)
    network.load_state_dict(state, assign=True)
    return network.eval()


def macs_per_pixel(architecture: Architecture) -> float:
    """Multiply-accumulate operations (MACs) of all convolutions per pixel of a large picture."""
    with torch.device("meta"):
        return macs_of(ThinNetwork(architecture), side=2 ** (len(architecture.widths) + 3))


def macs_of(network: nn.Module, *, side: int) -> float:
    """MACs per pixel of a network on the device `meta`, for a square picture of this side."""
    total = 0

    def count(conv: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        total += output.numel() * next(conv.parameters())[0].numel()

    for module in network.eval().modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(count)
    network(torch.empty(1, 3, side, side, device="meta"))
    return float(total / side**2)
