"""Pictures painted by arithmetic, for studies without a folder of photos and paintings.

Two contents (a house under hills, balls on a table) and three styles (strokes, tiles, hatching).
They are plain: conclusions about art need pictures of it.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from swag.image.picture import Array


def _coordinates(side: int) -> tuple[Array, Array]:
    """Row and column of each pixel as shares of the side, (side, side, 1) as colors have."""
    y, x = np.mgrid[:side, :side] / side
    return y[..., None], x[..., None]


def _color(code: str) -> Array:
    return np.array(list(bytes.fromhex(code))) / 255


def _house(side: int) -> Array:
    """A house with a red roof under hills and a low sun."""
    y, x = _coordinates(side)
    picture = _color("8fc1e8") * (1 - y) + _color("f8e1b5") * y
    picture = np.where((y - 0.25) ** 2 + (x - 0.75) ** 2 < 0.008, _color("fff2a8"), picture)
    hills = 0.5 + 0.08 * np.sin(9 * x) + 0.04 * np.sin(23 * x + 1)
    picture = np.where(y > hills, _color("5d8a57") * (1.3 - 0.6 * y), picture)
    wall = (y > 0.55) & (y < 0.8) & (abs(x - 0.4) < 0.16)
    picture = np.where(wall, _color("e9dcc4") * (1.1 - 0.5 * x), picture)
    roof = (y > 0.38) & (y < 0.55) & (abs(x - 0.4) < (y - 0.36) * 1.1)
    picture = np.where(roof, _color("a63d2f") * (0.7 + 0.3 * np.sin(90 * y) ** 2), picture)
    windows = wall & (abs(y - 0.64) < 0.04) & (abs((x * 8) % 1 - 0.5) < 0.22)
    return np.where(windows, _color("2d3b4d"), picture)


def _balls(side: int) -> Array:
    """Three shaded balls on a chequered table."""
    y, x = _coordinates(side)
    chequers = (np.floor(8 * x) + np.floor(8 * y)) % 2
    table = _color("c9b18a") * (0.75 + 0.25 * chequers)
    picture = np.where(y > 0.6, table, _color("40526b") * (0.6 + y))
    for row, column, radius, code in (
        (0.55, 0.3, 0.2, "c43c39"),
        (0.65, 0.68, 0.16, "3a8f5c"),
        (0.4, 0.6, 0.1, "e0a92e"),
    ):
        v, u = (y - row) / radius, (x - column) / radius
        height = np.sqrt(np.clip(1 - u**2 - v**2, 0, 1))
        light = np.clip(0.25 + 0.9 * (height - 0.5 * u - 0.6 * v) / 1.3, 0.05, 1.2)
        picture = np.where(u**2 + v**2 < 1, _color(code) * light, picture)
    return picture


def _strokes(side: int) -> Array:
    """Swirling bands of blue and ochre."""
    y, x = _coordinates(side)
    bend = 0.1 * np.sin(7 * x + 2) + 0.07 * np.sin(13 * y)
    wave = np.sin(70 * (y + bend) + 5 * np.sin(11 * x))
    hair = 0.12 * np.sin(190 * (y + bend) + 40 * x)
    tone = 0.5 + 0.5 * np.sin(6 * (x + 2 * bend)) * np.cos(8 * y)
    color = _color("16306e") * (1 - tone) + _color("e9b93a") * tone
    picture: Array = color * (0.85 + 0.3 * wave + hair)
    return picture


def _tiles(side: int) -> Array:
    """Small square stones of four colors in dark mortar."""
    y, x = _coordinates(side)
    row, column = np.floor(14 * y), np.floor(14 * x + 0.5 * (np.floor(14 * y) % 2))
    stones = np.array([_color(code) for code in ("b5573a", "d9a441", "27657a", "e8dcc0")])
    number = (row * 7 + column * 13 + row * column).astype(int)[..., 0] % 4
    edge = np.maximum(abs((14 * y) % 1 - 0.5), abs((14 * x + 0.5 * (row % 2)) % 1 - 0.5))
    picture: Array = np.where(edge > 0.42, _color("2a2c33"), stones[number])
    return picture


def _hatching(side: int) -> Array:
    """Crossed lines of ink on toned paper."""
    y, x = _coordinates(side)
    dark = 0.5 + 0.5 * np.sin(9 * x * y + 3 * x)
    along = abs(((x + y) * 40 + np.sin(20 * x)) % 1 - 0.5) < 0.32 * dark
    across = abs(((x - y) * 36) % 1 - 0.5) < 0.34 * (dark - 0.45)
    return np.where(along | across, _color("1c1a22"), _color("ece0c6"))


CONTENTS: Mapping[str, Callable[[int], Array]] = MappingProxyType(
    {"house": _house, "balls": _balls}
)
STYLES: Mapping[str, Callable[[int], Array]] = MappingProxyType(
    {"strokes": _strokes, "tiles": _tiles, "hatching": _hatching}
)
"""The painters by name: from the side in pixels to a square picture."""


def paint(name: str, side: int) -> Float[Tensor, "1 3 side side"]:
    """The painted picture of this name, sRGB in [0, 1]."""
    painter = {**CONTENTS, **STYLES}[name]
    # Painted larger and averaged, so that edges do not alias.
    large = np.clip(painter(3 * side), 0, 1).reshape(side, 3, side, 3, 3).mean((1, 3))
    return torch.from_numpy(large).permute(2, 0, 1)[None].float()
