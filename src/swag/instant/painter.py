"""Any painting in one pass: describe paintings once, then paint photos of any size.

    painter = swag.instant.bundled()
    style = painter.describe(painting)                    # 1 3 h w, sRGB in [0, 1]
    picture = painter.paint(photo, [style], strength=0.5)

A large photo is painted in strips. The statistics of a stage are those of the whole photo, taken in
a pass of their own before the stages that follow, and strips overlap by all that a position sees:
the picture is that of one pass over the whole, but for rounding.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d

from swag.instant.network import InstantNetwork, Stage
from swag.instant.transport import Gaussian, Transport, pool_gaussians, transport
from swag.types import FeatureMap, Image, OwnImage, OwnMask

AT_ONCE = 1_500_000
"""Pixels of a strip, without its halo: about a gigabyte in all."""

HALO = 128
"""Rows on either side of a strip that its positions may depend on."""

GRID = 16
"""Strips begin at multiples of it, where all resolutions have a position."""

GIVEN_BACK_BELOW = 0.5
"""Strength below which what the network cannot paint of the photo is given back, the more the
less."""


@dataclass(frozen=True)
class Style:
    """What is known of a painting: how its positions are spread at each stage.

    `weight` is its share, or a map (1, 1, h, w) of where it goes, of the photo's size. Weights of
    several styles sum to 1, at each pixel.
    """

    stages: tuple[Gaussian, ...]
    weight: float | OwnMask = 1.0


class Strip(NamedTuple):
    """Rows `first` to `last` of a picture, seen with those from `top` to `bottom`."""

    first: int
    last: int
    top: int
    bottom: int

    def seen(self, picture: Tensor) -> Tensor:
        """The rows of a picture, or a map of its size, that are read."""
        return picture[:, :, self.top : self.bottom]

    def own(self, features: Tensor, stride: int = 1) -> Tensor:
        """The part of the rows read that belongs to the strip alone."""
        first = (self.first - self.top) // stride
        return features[:, :, first : -(-(self.last - self.top) // stride)]


def row_strips(height: int, width: int) -> list[Strip]:
    """A picture in strips of at most about `AT_ONCE` pixels: a single one if it has no more."""
    if height * width <= AT_ONCE:
        return [Strip(0, height, 0, height)]
    rows = max(GRID, AT_ONCE // width // GRID * GRID)
    return [
        Strip(y, min(y + rows, height), max(0, y - HALO), min(y + rows + HALO, height))
        for y in range(0, height, rows)
    ]


class Painter:
    """A trained network, and what it does to photos and paintings."""

    def __init__(self, network: InstantNetwork) -> None:
        self.network = network.eval().requires_grad_(False)

    def to(self, device: torch.device) -> "Painter":
        """The same painter on a device."""
        self.network.to(device)
        return self

    @torch.no_grad()
    def describe(self, painting: Image, mask: OwnMask | None = None) -> Style:
        """A painting (1, 3, h, w) as a style; a mask of its size says how much each pixel
        counts."""
        parts: list[list[tuple[float, Gaussian]]] = [[] for _ in self.network.strides]
        for strip in row_strips(*painting.shape[2:]):
            found = self.network.features(strip.seen(painting), as_is)
            for seen, stride, features in zip(parts, self.network.strides, found, strict=True):
                here = None if mask is None else shrunk(strip.seen(mask), stride)
                seen += _counted(strip, stride, features, here)
        return Style(tuple(pool_gaussians(seen) for seen in parts))

    @torch.no_grad()
    def paint(self, photo: Image, styles: Sequence[Style], *, strength: float = 0.5) -> Image:
        """The photo (1, 3, h, w) in the style of paintings, about [0, 1].

        `strength` 0 is the photo; at 1 positions are spread as the painting's.
        """
        if strength == 0:
            return photo.clone()
        moves = _Moves(self.network.strides, styles, way(strength))
        pieces = row_strips(*photo.shape[2:])
        while len(pieces) > 1 and len(moves.maps) < self.network.stages:
            moves.fit(
                pool_gaussians(
                    [part for piece in pieces for part in self._spread(photo, piece, moves)]
                )
            )
        painted = [self._painted(photo, piece, moves, strength) for piece in pieces]
        return torch.cat(painted, dim=2)

    def _spread(self, photo: Image, piece: Strip, moves: "_Moves") -> list[tuple[float, Gaussian]]:
        """How the positions of a piece are spread at the first stage that has no maps yet."""
        at = len(moves.maps)
        found = self.network.features(piece.seen(photo), moves.known(piece))
        features = next(islice(found, at, None))
        return _counted(piece, self.network.strides[at], features, None)

    def _painted(self, photo: Image, piece: Strip, moves: "_Moves", strength: float) -> OwnImage:
        seen = piece.seen(photo)
        painted: Tensor = self.network(seen, moves.all(piece))
        if strength < GIVEN_BACK_BELOW:
            lost = seen - self.network(seen, as_is)
            painted += (1 - strength / GIVEN_BACK_BELOW) * lost
        return piece.own(painted)


class _Moves:
    """The maps of each stage, one a style, and where each of them counts."""

    def __init__(self, strides: Sequence[int], styles: Sequence[Style], share: float) -> None:
        self.strides, self.styles, self.share = strides, styles, share
        self.maps: list[list[Transport]] = []

    def fit(self, photo: Gaussian) -> None:
        """Find the maps of the next stage, at which the photo is spread like this."""
        at = len(self.maps)
        self.maps.append(
            [transport(photo, style.stages[at]).share(self.share) for style in self.styles]
        )

    def known(self, piece: Strip) -> Stage:
        """Stages with maps move their features, the others leave them as they are."""
        return lambda i, f: self._moved(i, f, piece) if i < len(self.maps) else f

    def all(self, piece: Strip) -> Stage:
        """All stages move their features; maps that are missing are found from these."""

        def stage(i: int, features: FeatureMap) -> FeatureMap:
            if i == len(self.maps):
                self.fit(Gaussian.of(features))
            return self._moved(i, features, piece)

        return stage

    def _moved(self, at: int, features: FeatureMap, piece: Strip) -> FeatureMap:
        moved = [
            move(features) * self._weight(style, piece, self.strides[at])
            for move, style in zip(self.maps[at], self.styles, strict=True)
        ]
        return torch.stack(moved).sum(0) if len(moved) > 1 else moved[0]

    @staticmethod
    def _weight(style: Style, piece: Strip, stride: int) -> float | OwnMask:
        if isinstance(style.weight, float):
            return style.weight
        return shrunk(piece.seen(style.weight), stride)


def way(strength: float) -> float:
    """The share of the way that positions are moved: as in training
    (`swag_lab.training.instant`)."""
    return float(strength**0.4)


def as_is(_: int, features: FeatureMap) -> FeatureMap:
    """A stage that moves nothing."""
    return features


def shrunk(mask: OwnMask, stride: int) -> Float[Tensor, "b 1 _rows _columns"]:
    """A map of pixels as a map of a stage's positions, each the mean of its own."""
    return (
        mask if stride == 1 else avg_pool2d(mask, stride, ceil_mode=True, count_include_pad=False)
    )


def _counted(
    strip: Strip, stride: int, features: FeatureMap, mask: OwnMask | None
) -> list[tuple[float, Gaussian]]:
    """The positions of a strip, with how much they count: by their number, or by a mask."""
    own = strip.own(features, stride)
    if mask is None:
        return [(float(own.shape[2] * own.shape[3]), Gaussian.of(own))]
    where = strip.own(mask, stride)
    size = float(where.sum())
    return [(size, Gaussian.of(own, where))] if size > 0 else []
