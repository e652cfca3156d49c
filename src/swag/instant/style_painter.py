"""A photo of any size in the style that a network was trained for.

    style = swag.instant.read_style("wave.safetensors")
    picture = style.paint(photo)                          # 1 3 h w, sRGB in [0, 1]

A large photo goes through encoder and decoder in strips, and through the blocks between them, whose
maps are small, as a whole. The normalizations of strips use the statistics of the whole photo, each
taken in a pass of its own, and strips overlap by the receptive field: the picture is that of one
pass over the whole, but for rounding.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from swag.instant.network import OtherMap
from swag.instant.painter import Strip, row_strips
from swag.instant.style_network import ChannelSpread, StyleNetwork
from swag.types import FeatureMap, Image, OwnImage, Size

HALO = 16
"""Rows on either side of a strip that encoder and decoder see: 5 and 11 with three widths."""


class StylePainter:
    """A trained network of one style, and the card in its file."""

    def __init__(self, network: StyleNetwork, card: dict[str, Any] | None = None) -> None:
        self.network = network.eval().requires_grad_(False)
        self.card = dict(card or {})

    def to(self, device: torch.device) -> "StylePainter":
        """The same painter on a device."""
        self.network.to(device)
        return self

    @torch.no_grad()
    def paint(self, photo: Image) -> Image:
        """The photo (1, 3, h, w) in the style, about [0, 1]."""
        strips = row_strips(photo.shape[2], photo.shape[3], HALO)
        if len(strips) == 1:
            picture: Tensor = self.network(photo.contiguous(memory_format=torch.channels_last))
            return picture
        lowest = self.network.transform(self._encode(photo, strips))
        return self._decode(lowest, strips, (photo.shape[2], photo.shape[3]))

    def _encode(self, photo: Image, strips: Sequence[Strip]) -> OtherMap:
        """The features of the whole photo at the lowest resolution."""
        layers: list[Any] = list(self.network.encoder)
        spreads: list[ChannelSpread] = []

        def input_of(strip: Strip, number: int) -> Tensor:
            x = strip.with_halo(photo) - 0.5
            for layer, spread in zip(layers[:number], spreads, strict=False):
                x = torch.relu(layer(x, spread))
            return x

        for i, layer in enumerate(layers):
            stride = 2**i
            maps = (s.without_halo(layer.conv(input_of(s, i)), stride) for s in strips)
            spreads.append(_pooled_spread(maps))
        deepest = 2 ** (len(layers) - 1)
        return torch.cat([s.without_halo(input_of(s, len(layers)), deepest) for s in strips], dim=2)

    def _decode(self, lowest: FeatureMap, strips: Sequence[Strip], size: Size) -> OwnImage:
        """The picture from the features of the whole photo at the lowest resolution."""
        layers = list(self.network.decoder)
        stride = 2 ** len(layers)
        spreads: list[ChannelSpread] = []

        def input_of(strip: Strip, number: int) -> Tensor:
            x = lowest[:, :, strip.top // stride : -(-strip.bottom // stride)]
            sizes = self.network.sizes((strip.bottom - strip.top, size[1]))
            for layer, rows, spread in zip(layers[:number], sizes, spreads, strict=False):
                x = torch.relu(layer(x, rows, spread))
            return x

        def convolved(layer: Any, strip: Strip, number: int) -> Tensor:
            rows = self.network.sizes((strip.bottom - strip.top, size[1]))[number]
            features: Tensor = layer.normalized.conv(layer.upsample(input_of(strip, number), rows))
            return features

        for i, layer in enumerate(layers):
            maps = (s.without_halo(convolved(layer, s, i), stride >> (i + 1)) for s in strips)
            spreads.append(_pooled_spread(maps))
        paint: Callable[[Tensor], Tensor] = self.network.paint
        picture = lowest.new_empty(1, 3, *size)
        for s in strips:
            picture[:, :, s.first : s.last] = s.without_halo(paint(input_of(s, len(layers)))) + 0.5
        return picture


def _pooled_spread(maps: Iterator[Tensor]) -> ChannelSpread:
    """Statistics of a whole picture from the maps of its strips, of which one exists at a time."""
    parts = ((float(m.shape[2] * m.shape[3]), ChannelSpread.of(m)) for m in maps)
    return ChannelSpread.pooled(list(parts))
