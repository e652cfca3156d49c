"""The network of one painting: a picture in, the same picture in that painting's style out.

Johnson, Alahi and Fei-Fei, "Perceptual losses for real-time style transfer and super-resolution",
ECCV 2016, with the instance normalization of Ulyanov, Vedaldi and Lempitsky, "Improved texture
networks", CVPR 2017. Departures: half as many channels; borders are repeated, and interpolation
and a convolution take the place of transposed convolutions (Odena, Dumoulin and Olah 2016); no tanh
bounds the result, which the training holds in [0, 1].
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate

from swag.instant.network import OtherMap, conv
from swag.types import FeatureMap, Image

FreeSize = tuple[int | torch.SymInt, int | torch.SymInt]
"""Rows and columns, which are symbols while a network is exported."""

STYLE_WIDTHS = (16, 32, 64)
"""Channels at a resolution of 1, 1/2 and 1/4 of the picture's."""

BLOCKS = 5
"""Residual blocks at the lowest resolution."""

EPSILON = 1e-5
"""Added to variances, as in torch's normalizations: a flat channel stays flat."""


@dataclass(frozen=True)
class ChannelSpread:
    """Mean and variance of each channel over the positions of a map."""

    mean: Float[Tensor, "b d"]
    variance: Float[Tensor, "b d"]

    @classmethod
    def of(cls, features: FeatureMap) -> "ChannelSpread":
        """Statistics of every picture of a batch by itself."""
        mean = features.mean((2, 3))
        return cls(mean, (features - mean[:, :, None, None]).square().mean((2, 3)))

    @classmethod
    def pooled(cls, parts: Sequence[tuple[float, "ChannelSpread"]]) -> "ChannelSpread":
        """Statistics of several parts of a picture together, weighted by numbers of positions."""
        total = sum(count for count, _ in parts)
        mean = torch.stack([part.mean * (count / total) for count, part in parts]).sum(0)
        spread = [
            (part.variance + (part.mean - mean).square()) * (count / total) for count, part in parts
        ]
        return cls(mean, torch.stack(spread).sum(0))


class NormalizedConv(nn.Module):
    """A convolution, instance normalization with a scale and a shift for each channel."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1, size: int = 3) -> None:
        super().__init__()
        self.conv = conv(inputs, outputs, stride=stride, size=size)
        self.scale = nn.Parameter(torch.ones(outputs))
        self.shift = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: FeatureMap, spread: ChannelSpread | None = None) -> OtherMap:
        """Run the layer; if `x` is a part of a picture, `spread` is that of the whole."""
        y: Tensor = self.conv(x)
        if spread is None:  # a group for each channel; several times faster than instance_norm
            return torch.group_norm(
                y, len(self.scale), weight=self.scale, bias=self.shift, eps=EPSILON
            )
        gain = self.scale * (spread.variance + EPSILON).rsqrt()
        offset = self.shift - spread.mean * gain
        return torch.addcmul(offset[:, :, None, None], y, gain[:, :, None, None])


class NormalizedResidual(nn.Module):
    """x + conv(relu(conv(x))), each convolution normalized."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = NormalizedConv(width, width)
        self.second = NormalizedConv(width, width)

    def forward(self, x: FeatureMap) -> FeatureMap:
        """Run the block."""
        out: Tensor = x + self.second(torch.relu(self.first(x)))
        return out


class NormalizedUp(nn.Module):
    """Twice the resolution: fewer channels, interpolation, a normalized convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.narrow = conv(inputs, outputs, size=1)
        self.normalized = NormalizedConv(outputs, outputs)

    def forward(
        self, x: FeatureMap, size: FreeSize, spread: ChannelSpread | None = None
    ) -> OtherMap:
        """Run the layer; `size` are the rows and columns of the result."""
        out: Tensor = self.normalized(self.upsample(x, size), spread)
        return out

    def upsample(self, x: FeatureMap, size: FreeSize) -> OtherMap:
        """The interpolated input of the convolution, cropped to `size`, which may be odd."""
        larger = interpolate(self.narrow(x), scale_factor=2, mode="bilinear")
        return larger[:, :, : size[0], : size[1]]


class StyleNetwork(nn.Module):
    """A picture to a picture of the same size, by way of an encoder, blocks and a decoder.

    Encoder and blocks end at the lowest resolution, and layers of the decoder double it again.
    """

    def __init__(self, widths: Sequence[int] = STYLE_WIDTHS, blocks: int = BLOCKS) -> None:
        super().__init__()
        self.widths = tuple(widths)
        pairs = list(pairwise(widths))
        down = [NormalizedConv(a, b, stride=2) for a, b in pairs]
        self.encoder = nn.ModuleList([NormalizedConv(3, widths[0], size=5), *down])
        self.blocks = nn.ModuleList(NormalizedResidual(widths[-1]) for _ in range(blocks))
        self.decoder = nn.ModuleList(NormalizedUp(b, a) for a, b in reversed(pairs))
        self.paint = conv(widths[0], 3, size=5)

    def forward(self, picture: Image) -> Image:
        """Paint pictures in sRGB; the result is about [0, 1]."""
        sizes = self.sizes((picture.shape[2], picture.shape[3]))
        x: Tensor = picture - 0.5
        for layer in self.encoder:
            x = torch.relu(layer(x))
        x = self.transform(x)
        for up, size in zip(self.decoder, sizes, strict=True):
            x = torch.relu(up(x, size))
        out: Tensor = self.paint(x) + 0.5
        return out

    def transform(self, x: FeatureMap) -> FeatureMap:
        """The blocks, on the features of a whole picture at the lowest resolution."""
        for block in self.blocks:
            x = block(x)
        return x

    def sizes(self, size: FreeSize) -> list[FreeSize]:
        """Rows and columns after each layer of the decoder, for a picture of this size."""
        strides = [2**i for i in reversed(range(len(self.decoder)))]
        return [((size[0] + s - 1) // s, (size[1] + s - 1) // s) for s in strides]
