"""Distilled networks: thin networks whose taps predict a larger network's activations.

A teacher's activations at a layer are described by their principal coordinates: centered, rotated
to the principal axes, the first `coordinates` of them kept, divided by the square root of the
layer's total variance. The rotation is orthogonal, so squared distances and covariances of the
coordinates are those of the activations, up to the variance that is left out. A tap, a 1x1
convolution of the student's activations, predicts these coordinates at every position (Hinton et
al. 2015; Romero et al. 2015, FitNets, for distillation from hidden layers).

    DistilledNetwork(VGG16)                             blocks as in VGG-16, far fewer channels
    DistilledNetwork(replace(VGG16, shortcuts=True))    its twin with shortcuts within the blocks

Taps are modules named after the teacher's layers (`relu1_1`, ...), to be read as any layer is.
"""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from swag.backbones.family import convolution, folded_state, normalization
from swag.types import Image

Pooling = Literal["max", "average", "blur"]

FIRST_NORMED = 3
"""First block with batch norm, which would blur the exact colors and edges of earlier blocks."""


@dataclass(frozen=True)
class Tap:
    """A tap: the layer that it predicts, and the convolution that it reads.

    `layer` is the teacher's. The tap reads the `depth`-th convolution of block `block`, both
    counted from 1, after its ReLU, and gives `coordinates` channels. In a training, its error
    counts `weight` times.
    """

    layer: str
    block: int
    depth: int
    coordinates: int
    weight: float = 1.0

    @property
    def name(self) -> str:
        """The name of the tap's module: the layer's, without dots."""
        return self.layer.replace(".", "_")


@dataclass(frozen=True)
class DistilledArchitecture:
    """The sizes of a student; block i works at 1 / 2^(i-1) of the picture's resolution.

    `widths` and `depths` are the channels and the numbers of 3x3 convolutions of the blocks. With
    `shortcuts` each convolution that keeps the number of channels is added to its input, as in a
    residual network (He et al. 2016); the twin without has weights of the same shapes. Batch norm,
    from block `FIRST_NORMED` on, is for the training alone, and becomes part of the convolutions
    when a student is shipped (`folded_student`).
    """

    widths: tuple[int, ...]
    depths: tuple[int, ...]
    taps: tuple[Tap, ...]
    pooling: Pooling = "max"
    shortcuts: bool = False
    norm: bool = True

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "DistilledArchitecture":
        """The architecture from the result of `dataclasses.asdict`, also by way of JSON."""
        sizes = {key: tuple(fields[key]) for key in ("widths", "depths")}
        return cls(**fields | sizes | {"taps": tuple(Tap(**tap) for tap in fields["taps"])})


VGG16 = DistilledArchitecture(
    widths=(32, 64, 128, 112, 128),
    depths=(2, 2, 1, 2, 1),
    taps=(
        Tap("relu1_1", block=1, depth=1, coordinates=24, weight=2),
        Tap("relu2_1", block=2, depth=1, coordinates=48, weight=5),
        Tap("relu3_1", block=3, depth=1, coordinates=96, weight=10),
        Tap("relu4_1", block=4, depth=1, coordinates=128),
        Tap("relu4_2", block=4, depth=2, coordinates=128),
        Tap("relu5_1", block=5, depth=1, coordinates=128),
    ),
)
"""A student of VGG-16 (Simonyan and Zisserman 2014) with an eighth of its arithmetic."""


class StudentLayer(nn.Module):
    """relu(norm(conv(x))), or relu(norm(conv(x)) + x) with a shortcut."""

    def __init__(self, inputs: int, outputs: int, *, shortcut: bool, norm: bool) -> None:
        super().__init__()
        self.conv = convolution(inputs, outputs, 3, bias=not norm)
        self.norm = normalization(outputs, norm)
        self.shortcut = shortcut and inputs == outputs
        self.relu = nn.ReLU()

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        """Run the layer."""
        y = self.norm(self.conv(x))
        out: Tensor = self.relu(y + x if self.shortcut else y)
        return out


class BlurPool(nn.Module):
    """Average with the weights 1 3 3 1 in both directions, every second position (Zhang 2019)."""

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c _h _w"]:
        """Halve the resolution, rounding up; the border is repeated."""
        x = nn.functional.pad(x, (1, 1, 1, 1), mode="replicate")
        x = nn.functional.avg_pool2d(nn.functional.avg_pool2d(x, 2, 1), 2, 1)
        return nn.functional.avg_pool2d(x, 2, 2, ceil_mode=True, count_include_pad=False)


def pooling(kind: Pooling) -> nn.Module:
    """A layer that halves the resolution; an odd last row or column is read, too."""
    if kind == "max":
        return nn.MaxPool2d(2, ceil_mode=True)
    if kind == "average":
        return nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False)
    return BlurPool()


class DistilledNetwork(nn.Module):
    """A student: `block1` ... `blockN`, and a tap named after each of the teacher's layers.

    Takes pictures normalized by the backbone that holds it; gives the taps' outputs, in the order
    of the architecture. The mean and axes behind a tap's coordinates are those of its training.
    """

    def __init__(self, architecture: DistilledArchitecture) -> None:
        super().__init__()
        self.architecture = architecture
        inputs = 3
        plan = zip(architecture.widths, architecture.depths, strict=True)
        for i, (width, depth) in enumerate(plan, start=1):
            layers: OrderedDict[str, nn.Module] = OrderedDict()
            if i > 1:
                layers["pool"] = pooling(architecture.pooling)
            for j in range(1, depth + 1):
                norm = architecture.norm and i >= FIRST_NORMED
                layers[f"layer{j}"] = StudentLayer(
                    inputs, width, shortcut=architecture.shortcuts, norm=norm
                )
                inputs = width
            self.add_module(f"block{i}", nn.Sequential(layers))
        for tap in architecture.taps:
            width = architecture.widths[tap.block - 1]
            self.add_module(tap.name, convolution(width, tap.coordinates, 1, bias=True))

    def forward(self, x: Image) -> tuple[Tensor, ...]:
        """Map normalized pictures to the predicted coordinates, one tensor a tap."""
        names = {(tap.block, tap.depth): tap.name for tap in self.architecture.taps}
        taps = {}
        for i, depth in enumerate(self.architecture.depths, start=1):
            block = self.get_submodule(f"block{i}")
            if i > 1:
                x = block.get_submodule("pool")(x)
            for j in range(1, depth + 1):
                x = block.get_submodule(f"layer{j}")(x)
                if (i, j) in names:
                    taps[names[i, j]] = self.get_submodule(names[i, j])(x)
        return tuple(taps[tap.name] for tap in self.architecture.taps)


@torch.no_grad()
def start(network: DistilledNetwork) -> None:
    """Prepare a student for training: taps predict the mean, branches beside shortcuts give 0.

    The last weights of a branch begin at zero (Goyal et al. 2017; without norm as by Zhang et al.
    2019, Fixup). A random network must not: the effect of shortcuts could not be observed.
    """
    for tap in network.architecture.taps:
        nn.init.zeros_(network.get_submodule(tap.name).weight)  # type: ignore[arg-type]
    for layer in network.modules():
        if isinstance(layer, StudentLayer) and layer.shortcut:
            last = layer.norm if isinstance(layer.norm, nn.BatchNorm2d) else layer.conv
            nn.init.zeros_(last.weight)


def folded_student(network: DistilledNetwork) -> DistilledNetwork:
    """The same function in float64, with batch norm folded into the convolutions."""
    return student_from_state(replace(network.architecture, norm=False), folded_state(network))


def student_from_state(
    architecture: DistilledArchitecture, state: dict[str, Tensor]
) -> DistilledNetwork:
    """A student in evaluation mode that holds these very tensors; draws no random numbers."""
    with torch.device("meta"):
        network = DistilledNetwork(architecture)
    network.load_state_dict(state, assign=True)
    return network.eval()
