"""What the painters share: a flow of swirls, noise, palettes, grids of strokes, and light.

Strokes and stones are looked up, not drawn one after the other: a jittered grid holds one of them
in each cell, and every pixel asks the cells around it which of them it belongs to.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

LIGHT = np.array([-0.6, -0.8])
"""Where light falls from, down and right: the upper left."""


class Swirl(NamedTuple):
    """A vortex of the flow that strokes and rows of stones follow; lengths in parts of the side."""

    y: float
    x: float
    radius: float
    turn: float


SWIRLS = [
    Swirl(0.26, 0.30, 0.20, 1.0),
    Swirl(0.40, 0.73, 0.24, -1.0),
    Swirl(0.78, 0.36, 0.20, -1.0),
    Swirl(0.86, 0.88, 0.15, 1.0),
    Swirl(0.06, 0.92, 0.13, 1.0),
    Swirl(0.62, 0.05, 0.12, 1.0),
]


class Sites(NamedTuple):
    """One stroke or stone for each cell of a square grid, all arrays flat and of one length."""

    y: Array
    x: Array
    angle: Array
    across: int
    spacing: float
    margin: int


def positions(size: int, scale: float = 1.0) -> tuple[Array, Array]:
    """Row and column of every pixel, in pixels times `scale`."""
    y, x = np.mgrid[:size, :size] * scale
    return y, x


def flow(y: Array, x: Array) -> tuple[Array, Array]:
    """Direction of flow in radians and tone in [0, 1] at positions in parts of the side."""
    bend = 0.35 * np.sin(7 * x + 3 * y) + 0.25 * np.sin(11 * y - 4 * x)
    along = np.stack([np.sin(bend), np.cos(bend)])
    tone = 0.30 + 0.16 * np.sin(26 * (y + 0.07 * np.sin(8 * x) + 0.03 * np.sin(19 * x)))
    for swirl in SWIRLS:
        dy, dx = y - swirl.y, x - swirl.x
        r = np.hypot(dy, dx) / swirl.radius
        pull = swirl.turn * 4 * np.exp(-(r**2)) / (r + 0.05)
        along = along + pull * np.stack([dx - 0.25 * dy, -dy - 0.25 * dx]) / swirl.radius
        spiral = 0.5 + 0.5 * np.cos(11 * r - 1.0 * swirl.turn * np.arctan2(dy, dx))
        glow = np.exp(-((r / 0.85) ** 4))
        tone = tone + glow * (0.25 + 0.65 * spiral - tone)
    return np.arctan2(along[0], along[1]), np.clip(tone, 0, 1)


def palette(codes: str) -> Callable[[Array], Array]:
    """Colors by tone in [0, 1], blended between neighbors of a list of hexadecimal codes."""
    stops = np.array([list(bytes.fromhex(code)) for code in codes.split()]) / 255

    def colors(tone: Array) -> Array:
        place = np.clip(tone, 0, 1) * (len(stops) - 1)
        low = np.minimum(place.astype(int), len(stops) - 2)
        part = (place - low)[..., None]
        return stops[low] * (1 - part) + stops[low + 1] * part

    return colors


def smoothstep(values: Array, low: Array | float, high: Array | float) -> Array:
    """From 0 at `low` to 1 at `high` without a corner."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def noise(size: int, cells: float, rng: np.random.Generator) -> Array:
    """Smooth noise in [0, 1] that varies `cells` times from side to side."""
    lattice = rng.random((int(cells) + 2, int(cells) + 2))
    place = np.arange(size) * cells / size
    low = place.astype(int)
    part = smoothstep(place - low, 0, 1)
    rows = lattice[low] * (1 - part)[:, None] + lattice[low + 1] * part[:, None]
    return rows[:, low] * (1 - part) + rows[:, low + 1] * part


def scattered(size: int, spacing: float, reach: int, rng: np.random.Generator) -> Sites:
    """A jittered grid that goes on `reach` cells beyond the picture, which so has no frame."""
    across = int(np.ceil(size / spacing)) + 2 * reach
    cells = np.stack(positions(across)).reshape(2, -1)
    y, x = (cells - reach + 0.5 + rng.uniform(-0.5, 0.5, cells.shape)) * spacing
    return Sites(y, x, flow(y / size, x / size)[0], across, spacing=spacing, margin=reach)


def around(sites: Sites, size: int, reach: int) -> Iterator[tuple[Array, Array, Array]]:
    """For each cell around a pixel's own: the site there, and the pixel in the site's axes."""
    y, x = positions(size)
    own_y, own_x = ((c / sites.spacing).astype(int) + sites.margin for c in (y, x))
    cos, sin = np.cos(sites.angle), np.sin(sites.angle)
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            site = (own_y + dy) * sites.across + own_x + dx
            off_y, off_x = y - sites.y[site], x - sites.x[site]
            along = off_x * cos[site] + off_y * sin[site]
            yield site, along, off_y * cos[site] - off_x * sin[site]


def lit(picture: Array, height: Array, strength: float) -> Array:
    """A relief seen in light from the upper left."""
    slope = np.stack(np.gradient(height))
    shade = np.clip(np.tensordot(LIGHT, slope, 1) * -strength, -0.45, 0.6)[..., None]
    gloss = np.clip(shade - 0.25, 0, 1)
    return np.clip(picture * (1 + shade) + gloss, 0, 1)
