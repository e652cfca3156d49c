"""Any painting in one pass: describe paintings once, then paint photos of any size.

    painter = swag.instant.bundled()
    style = painter.describe(painting)                    # 1 3 h w, sRGB in [0, 1]
    picture = painter.paint(photo, [style], strength=0.5)

A large photo is painted in strips, but for its lowest resolution, which is held as a whole. The
statistics of a stage are those of the whole photo, taken in a pass of their own before the stages
that follow, and strips overlap by the receptive fields of encoder and decoder: the picture is that
of one pass over the whole, but for rounding.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d

from swag.instant.network import InstantNetwork, OtherMap, Stage, last
from swag.instant.transport import Gaussian, Transport, pool_gaussians, transport
from swag.types import FeatureMap, Image, OwnImage, OwnMask

AT_ONCE = 1_500_000
"""Pixels of a strip with its halo: about a gigabyte in all."""

HALO = 64
"""Rows on either side of a strip that encoder and decoder see: 28 and 46, details of a stage 50."""

GRID = 16
"""Strips begin at multiples of this many rows, where all resolutions have a position."""

GIVEN_BACK_BELOW = 0.5
"""Strength below which details of the photo that the network cannot paint are added back: all of
them at 0."""


@dataclass(frozen=True)
class Style:
    """A painting as the network knows it: mean and covariance of its positions at each stage.

    `weight` is its share of the result, or a map of shares (1, 1, h, w) of the photo's size. The
    weights of several styles sum to 1, at each pixel.
    """

    stages: tuple[Gaussian, ...]
    weight: float | OwnMask = 1.0


class Strip(NamedTuple):
    """Rows `first` to `last` of a picture; with the halo, rows `top` to `bottom` are read."""

    first: int
    last: int
    top: int
    bottom: int

    def with_halo(self, picture: Tensor) -> Tensor:
        """The rows of a picture, or a map of its size, that are read."""
        return picture[:, :, self.top : self.bottom]

    def without_halo(self, features: Tensor, stride: int = 1) -> Tensor:
        """The rows of a strip's features without the halo, at this stride."""
        first = (self.first - self.top) // stride
        return features[:, :, first : -(-(self.last - self.top) // stride)]


def row_strips(height: int, width: int, halo: int) -> list[Strip]:
    """A picture in strips of about `AT_ONCE` pixels with their halos: one if it has no more.

    All strips read equally many rows, but for rounding, so that each fits into the memory that the
    one before has freed. A strip is at least as high as its halos.
    """
    if height * width <= AT_ONCE:
        return [Strip(0, height, 0, height)]
    rows = max(GRID, 2 * halo, (AT_ONCE // width - 2 * halo) // GRID * GRID)
    lowest = max(0, -(-(height - rows - 2 * halo) // GRID) * GRID)
    tops = {y: max(0, min(y - halo, lowest)) for y in range(0, height, rows)}
    return [
        Strip(y, min(y + rows, height), top, min(top + rows + 2 * halo, height))
        for y, top in tops.items()
    ]


class Painter:
    """A trained network that describes paintings and paints photos."""

    def __init__(self, network: InstantNetwork) -> None:
        self.network = network.eval().requires_grad_(False)

    def to(self, device: torch.device) -> "Painter":
        """The same painter on a device."""
        self.network.to(device)
        return self

    @torch.no_grad()
    def describe(self, painting: Image, mask: OwnMask | None = None) -> Style:
        """A painting (1, 3, h, w) as a style; a mask of its size weights its pixels."""
        parts: list[list[tuple[float, Gaussian]]] = [[] for _ in self.network.strides]

        def collect(piece: Strip) -> Stage:
            def stage(i: int, features: FeatureMap) -> FeatureMap:
                stride = self.network.strides[i]
                stage_mask = None if mask is None else pooled_mask(piece.with_halo(mask), stride)
                parts[i] += _statistics(piece, stride, features, stage_mask)
                return features

            return stage

        pieces = row_strips(painting.shape[2], painting.shape[3], HALO)
        if len(pieces) == 1:
            self.network.features(painting, collect(pieces[0]))
            return Style(tuple(pool_gaussians(part) for part in parts))
        deep = self.network.transform(self._lowest(painting, pieces), collect(_whole(painting)))
        for piece in pieces:
            last(self._decode(painting, deep, piece, collect(piece)))
        return Style(tuple(pool_gaussians(part) for part in parts))

    @torch.no_grad()
    def paint(self, photo: Image, styles: Sequence[Style], *, strength: float = 0.5) -> Image:
        """The photo (1, 3, h, w) in the style of paintings, about [0, 1].

        `strength` 0 is the photo; at 1 positions have the painting's mean and covariance.
        """
        if strength == 0:
            return photo.clone()
        pieces = row_strips(photo.shape[2], photo.shape[3], HALO)
        moves = _Moves(self.network.strides, styles, transport_share(strength))
        given_back = max(0.0, 1 - strength / GIVEN_BACK_BELOW)
        if len(pieces) == 1:
            picture: Tensor = self.network(photo, moves.all(pieces[0]))
            if given_back:
                picture += given_back * (photo - self.network(photo, unchanged_features))
            return picture
        return self._paint_in_strips(photo, pieces, moves, given_back)

    def _paint_in_strips(
        self, photo: Image, pieces: Sequence[Strip], moves: "_Moves", given_back: float
    ) -> OwnImage:
        lowest = self._lowest(photo, pieces)
        deep = self.network.transform(lowest, moves.all(_whole(photo)))
        unmoved = self.network.transform(lowest, unchanged_features) if given_back else None
        while len(moves.maps) < self.network.stages:
            parts = [self._stage_statistics(photo, deep, piece, moves) for piece in pieces]
            moves.fit(pool_gaussians(parts))
        picture = torch.empty_like(photo)
        for piece in pieces:
            painted = self._paint_strip(photo, deep, piece, moves.all(piece))
            if unmoved is not None:
                residual = piece.with_halo(photo) - self._paint_strip(
                    photo, unmoved, piece, unchanged_features
                )
                painted += given_back * residual
            picture[:, :, piece.first : piece.last] = piece.without_halo(painted)
        return picture

    def _lowest(self, picture: Image, pieces: Sequence[Strip]) -> OtherMap:
        """The features of a whole picture at the lowest resolution, where they are small."""
        stride = self.network.strides[0]
        rows, columns = (-(-side // stride) for side in picture.shape[2:])
        lowest = picture.new_empty(1, self.network.widths[-1], rows, columns)
        for piece in pieces:
            features = piece.without_halo(self.network.encode(piece.with_halo(picture))[-1], stride)
            lowest[:, :, piece.first // stride :][:, :, : features.shape[2]] = features
        return lowest.contiguous(memory_format=torch.channels_last)

    def _decode(
        self, picture: Image, deep: OtherMap, piece: Strip, stage: Stage
    ) -> Iterator[FeatureMap]:
        """The features of a piece at each stage from the third on."""
        stride = self.network.strides[0]
        *details, _ = self.network.encode(piece.with_halo(picture))
        rows = deep[:, :, piece.top // stride : -(-piece.bottom // stride)]
        return self.network.decode(rows, details, stage)

    def _stage_statistics(
        self, photo: Image, deep: OtherMap, piece: Strip, moves: "_Moves"
    ) -> tuple[float, Gaussian]:
        """Statistics of a piece and their weight, at the first stage that has no maps yet."""
        i = len(moves.maps)
        stages = self._decode(photo, deep, piece, moves.known(piece))
        (part,) = _statistics(
            piece, self.network.strides[i], next(islice(stages, i - 2, None)), None
        )
        return part

    def _paint_strip(self, photo: Image, deep: OtherMap, piece: Strip, stage: Stage) -> OwnImage:
        return self.network.to_picture(last(self._decode(photo, deep, piece, stage)))


class _Moves:
    """The transport maps of each stage, one for each style, weighted by the styles' weights."""

    def __init__(self, strides: Sequence[int], styles: Sequence[Style], share: float) -> None:
        self.strides, self.styles, self.share = strides, styles, share
        self.maps: list[list[Transport]] = []

    def fit(self, photo: Gaussian) -> None:
        """Find the maps of the next stage from the photo's statistics there.

        In float64: in float32, rounding of a map shows after later stages, by up to 1 in 255.
        """
        i = len(self.maps)
        start = photo.in_float64()
        targets = [style.stages[i].in_float64() for style in self.styles]
        self.maps.append([transport(start, target).share(self.share) for target in targets])

    def known(self, piece: Strip) -> Stage:
        """A stage function: stages with maps move their features, others do not."""
        return lambda i, f: self._transported(i, f, piece) if i < len(self.maps) else f

    def all(self, piece: Strip) -> Stage:
        """A stage function: all stages move their features, first fitting maps that are missing."""

        def stage(i: int, features: FeatureMap) -> FeatureMap:
            if i == len(self.maps):
                self.fit(Gaussian.of(features))
            return self._transported(i, features, piece)

        return stage

    def _transported(self, i: int, features: FeatureMap, piece: Strip) -> FeatureMap:
        moved = [
            move(features) * self._weight(style, piece, self.strides[i])
            for move, style in zip(self.maps[i], self.styles, strict=True)
        ]
        return torch.stack(moved).sum(0) if len(moved) > 1 else moved[0]

    @staticmethod
    def _weight(style: Style, piece: Strip, stride: int) -> float | OwnMask:
        if isinstance(style.weight, float):
            return style.weight
        return pooled_mask(piece.with_halo(style.weight), stride)


def _whole(picture: Image) -> Strip:
    """A picture as a single strip."""
    return Strip(0, picture.shape[2], 0, picture.shape[2])


def transport_share(strength: float) -> float:
    """The share of a transport at this strength, as in training (`swag_lab.training.instant`)."""
    return float(strength**0.4)


def unchanged_features(_: int, features: FeatureMap) -> FeatureMap:
    """A stage that moves nothing."""
    return features


def pooled_mask(mask: OwnMask, stride: int) -> Float[Tensor, "b 1 _rows _columns"]:
    """A map of pixels, averaged over the `stride` x `stride` pixels of each position."""
    return (
        mask if stride == 1 else avg_pool2d(mask, stride, ceil_mode=True, count_include_pad=False)
    )


def _statistics(
    strip: Strip, stride: int, features: FeatureMap, mask: OwnMask | None
) -> list[tuple[float, Gaussian]]:
    """Weight and statistics of a strip's positions: the weight is their number or mask's sum."""
    own_features = strip.without_halo(features, stride)
    if mask is None:
        return [(float(own_features.shape[2] * own_features.shape[3]), Gaussian.of(own_features))]
    own_mask = strip.without_halo(mask, stride)
    weight = float(own_mask.sum())
    return [(weight, Gaussian.of(own_features, own_mask))] if weight > 0 else []
