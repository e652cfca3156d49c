"""The network of one pass: an encoder, transports of its features, a decoder.

A photo and a painting go through the same thin network. At each stage of its decoder the photo's
positions are moved to have the mean and full covariance of the painting's at that stage
(`swag.instant.transport`). The network knows nothing else of a painting, so it paints in any style.
Without transports it gives back its picture.

Transports of encoded features are those of Li et al. 2017 (whitening and coloring), Huang and
Belongie 2017 (means and deviations) and Lu et al. 2019 (optimal transport). Theirs have one stage
and an encoder of VGG's size; here each stage of the decoder has one, and encoder and decoder are
trained together with them.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate, pad

from swag.types import FeatureMap, Image

Stage = Callable[[int, FeatureMap], FeatureMap]
"""(number of the stage, its features) -> the features that the decoder goes on with."""

OtherMap = Float[Tensor, "b _d _h _w"]
"""Activations of another resolution and width."""

WIDTHS = (16, 32, 64, 96, 160)
"""Channels at a resolution of 1, 1/2, 1/4, 1/8 and 1/16 of the picture's."""

DEEP = 3
"""Residual blocks at the lowest resolution, between two transports."""


def conv(inputs: int, outputs: int, *, stride: int = 1, size: int = 3) -> nn.Conv2d:
    """A convolution that repeats the border: zeros would show as a frame."""
    return nn.Conv2d(
        inputs, outputs, size, stride=stride, padding=size // 2, padding_mode="replicate"
    )


def conv_of_relu(layer: nn.Conv2d, x: FeatureMap) -> OtherMap:
    """`layer(relu(x))`. The border comes first, so that the rectified map is held only once."""
    rows, columns = (side // 2 for side in layer.kernel_size)
    rectified = pad(x, (columns, columns, rows, rows), mode="replicate").relu_()
    return conv2d(rectified, layer.weight, layer.bias, layer.stride)


def last(stages: Iterator[FeatureMap]) -> FeatureMap:
    """The last features; those before are not kept."""
    return deque(stages, maxlen=1).pop()


class Residual(nn.Module):
    """x + conv(relu(conv(x)))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = conv(width, width)
        self.second = conv(width, width)

    def forward(self, x: FeatureMap) -> FeatureMap:
        """Run the block."""
        out = conv_of_relu(self.second, self.first(x))
        out += x
        return out


class Down(nn.Module):
    """Half the resolution, rounded up; from 1/4 on with a second convolution."""

    def __init__(self, inputs: int, outputs: int, *, twice: bool) -> None:
        super().__init__()
        self.halve = conv(inputs, outputs, stride=2)
        self.conv = conv(outputs, outputs) if twice else None

    def forward(self, x: FeatureMap) -> OtherMap:
        """Run the layer; it rectifies its input itself."""
        out = conv_of_relu(self.halve, x)
        return out if self.conv is None else out + conv_of_relu(self.conv, out)


class Up(nn.Module):
    """Twice the resolution: fewer channels, interpolation, the encoder's details, a block."""

    def __init__(self, inputs: int, outputs: int, *, skip: bool) -> None:
        super().__init__()
        self.narrow = conv(inputs, outputs, size=1)
        self.skip = conv(outputs, outputs, size=1) if skip else None
        self.conv = conv(outputs, outputs)

    def forward(self, x: OtherMap, detail: Float[Tensor, "b _d h w"]) -> FeatureMap:
        """`detail` are the encoder's features at the resolution to come."""
        # Nearest neighbors would show as squares of 16 pixels. An odd last row has half a position.
        x = interpolate(self.narrow(x), scale_factor=2, mode="bilinear")
        x = x[:, :, : detail.shape[2], : detail.shape[3]]
        if self.skip is not None:
            x = x + self.skip(detail)
        out = conv_of_relu(self.conv, x)
        out += x
        return out


class InstantNetwork(nn.Module):
    """A picture to a picture of the same size, by way of `stages` features that may be moved."""

    def __init__(self, widths: Sequence[int] = WIDTHS, deep: int = DEEP) -> None:
        super().__init__()
        self.widths, self.deep = tuple(widths), deep
        full, *lower = widths
        self.stem = conv(3, full)
        pairs = list(zip(widths, lower, strict=False))
        self.down = nn.ModuleList(Down(a, b, twice=b in lower[1:-1]) for a, b in pairs)
        self.blocks = nn.ModuleList(Residual(widths[-1]) for _ in range(deep))
        self.up = nn.ModuleList(Up(b, a, skip=a != full) for a, b in reversed(pairs))
        self.paint = conv(full, 3)

    @property
    def strides(self) -> tuple[int, ...]:
        """Pixels of the picture along a side of a position, for each stage."""
        lowest = 2 ** len(self.down)
        return (lowest, *(lowest >> i for i in range(len(self.up) + 1)))

    @property
    def stages(self) -> int:
        """The number of stages: before and after the residual blocks, and after each Up."""
        return 2 + len(self.up)

    def forward(self, picture: Image, stage: Stage) -> Image:
        """Paint pictures in sRGB, about [0, 1]; `stage` moves features."""
        return self.to_picture(self.features(picture, stage))

    def features(self, picture: Image, stage: Stage) -> FeatureMap:
        """The features of the last stage, after all stages in turn."""
        *details, lowest = self.encode(picture)
        return last(self.decode(self.transform(lowest, stage), details, stage))

    def encode(self, picture: Image) -> list[OtherMap]:
        """The encoder's features that each Up takes, and those at the lowest resolution."""
        x = self.stem(picture - 0.5)
        details = [picture]  # of which the last Up takes the size alone
        for down in self.down:
            x = down(x)
            details.append(x)
        return details

    def transform(self, lowest: FeatureMap, stage: Stage) -> FeatureMap:
        """The features after the first two stages, before and after the residual blocks."""
        x = stage(0, lowest)
        for block in self.blocks:
            x = block(x)
        return stage(1, x)

    def decode(
        self, deep: OtherMap, details: Sequence[OtherMap], stage: Stage
    ) -> Iterator[FeatureMap]:
        """The features of each stage from the third on, after `stage` has moved them."""
        for i, (up, detail) in enumerate(zip(self.up, reversed(details), strict=True), start=2):
            deep = stage(i, up(deep, detail))
            yield deep

    def to_picture(self, features: FeatureMap) -> Image:
        """The picture from the last stage's features."""
        return conv_of_relu(self.paint, features) + 0.5
