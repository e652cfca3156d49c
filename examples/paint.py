"""Style pictures painted by arithmetic, so that none need be shipped or downloaded.

python examples/paint.py build/paint          # brush.png, mosaic.png and ink.png
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from canvas import (
    Array,
    Sites,
    around,
    flow,
    lit,
    noise,
    palette,
    positions,
    scattered,
    smoothstep,
)

from swag.image import write

NIGHT = palette("0b1437 16306e 1f56a3 4a8fc4 a9cbd3 f0e3b0 e9b93a b8701b")
STONE = palette("2a2c33 7d2e24 b5573a d9a441 e8dcc0 6f9a8d 27657a 173b57")
SEPIA = np.array([0.80, 0.72, 0.62])
"""How much of red, green and blue a full wash of ink takes away."""

LAYERS = ((22, 84, 3.0), (13, 56, 0.7), (8, 38, 0.3), (4.5, 24, 0.12))
"""Width and length of the strokes in a picture of 512 pixels, and how many lie on a pixel."""

HATCHINGS = ((0.0, 9.0, 0.10), (1.15, 8.0, 0.34), (-0.7, 7.0, 0.52), (0.5, 6.0, 0.70))
"""Turn in radians, distance of the lines in pixels of 512, and the darkness at which they begin."""


def brush_strokes(size: int = 512, seed: int = 0) -> Array:
    """Thick swirling strokes of oil paint in blues and ochres, sRGB in [0, 1]."""
    rng = np.random.default_rng(seed)
    unit = size / 512
    picture = np.full((size, size, 3), NIGHT(np.array(0.1)))
    relief = np.zeros((size, size))
    for width, length, coats in LAYERS:
        strokes = _strokes(size, width * unit, length * unit, coats, rng=rng)
        _lay_down(picture, relief, strokes, rng)
    return lit(picture, relief / unit**0.5, 0.16)


def mosaic(size: int = 512, seed: int = 0) -> Array:
    """Square stones set in rows along contours, with mortar between them, sRGB in [0, 1].

    The stones are the cells of a Voronoi diagram under the greatest-coordinate distance, turned
    with the contours and evened out by Lloyd's iteration (Hausner, SIGGRAPH 2001).
    """
    rng = np.random.default_rng(seed)
    side = 13 * size / 512
    stones = _evened(scattered(size, side, 3, rng), size)
    first, second, owner, u, v = _two_nearest(stones, size)
    tone = flow(stones.y / size, stones.x / size)[1] + rng.normal(0, 0.05, stones.y.shape)
    tone = np.where(rng.random(tone.shape) < 0.06, rng.random(tone.shape), tone)
    colors = STONE(tone) * rng.normal(1, 0.13, (tone.size, 1))
    grain = noise(size, size / 3, rng) * 0.5 + noise(size, size / 8, rng) * 0.5
    tilt = rng.normal(0, 0.16, (2, tone.size)) / side
    shade = 1 + tilt[0][owner] * u + tilt[1][owner] * v + 0.22 * (grain - 0.5)
    gap = smoothstep((second - first) / side, 0.10, 0.24)
    mortar = np.array([0.17, 0.155, 0.14]) * (0.7 + 0.6 * grain[..., None])
    picture = mortar + gap[..., None] * (colors[owner] * shade[..., None] - mortar)
    return lit(picture, gap * 6.5, 0.11)


def ink(size: int = 512, seed: int = 0) -> Array:
    """Hatching and washes of black ink on toned paper, sRGB in [0, 1]."""
    rng = np.random.default_rng(seed)
    tone = flow(*positions(size, 1 / size))[1]
    dark = np.clip(0.98 - 1.45 * tone + 0.5 * (noise(size, 7, rng) - 0.5), 0, 1)
    lines = [_hatching(size, h, np.clip((dark - h[2]) * 2.4, 0, 1), rng) for h in HATCHINGS]
    pool = smoothstep(dark + 0.25 * (noise(size, 40, rng) - 0.5), 0.48, 0.66)
    rim = np.exp(-(((pool - 0.35) / 0.18) ** 2))
    wash = np.clip(0.34 * pool + 0.26 * rim, 0, 1) * (0.6 + 0.8 * noise(size, 60, rng))
    fibre = noise(size, size / 2, rng) * 0.5 + noise(size, size / 5, rng) * 0.5
    paper = np.array([0.93, 0.88, 0.77]) + 0.16 * (fibre[..., None] - 0.5)
    washed = paper * (1 - wash[..., None] * SEPIA)
    cover = np.maximum.reduce(lines) * np.clip(0.55 + 0.9 * fibre, 0, 1)
    return np.clip(washed + cover[..., None] * (np.array([0.07, 0.06, 0.09]) - washed), 0, 1)


STYLES: dict[str, Callable[[int, int], Array]] = {
    "brush": brush_strokes,
    "mosaic": mosaic,
    "ink": ink,
}
"""The painters by name."""


def save(path: Path, picture: Array) -> None:
    """Write a picture (height, width, 3) in [0, 1], in the format of the path's extension."""
    write(path, torch.from_numpy(picture).permute(2, 0, 1).float())


class Strokes(NamedTuple):
    """One layer of strokes: where they are, and for each pixel what lies on it."""

    sites: Sites
    width: float
    painted: Array
    owner: Array
    along: Array
    across: Array
    hair: Array


def _strokes(
    size: int, width: float, length: float, coats: float, rng: np.random.Generator
) -> Strokes:
    """Strokes that follow the flow, `coats` of them on a pixel; each pixel shows the topmost."""
    spacing = (0.75 * width * length / coats) ** 0.5
    reach = int(0.6 * length / spacing) + 1
    sites = scattered(size, spacing, reach, rng)
    count = sites.y.size
    sites = sites._replace(angle=sites.angle + rng.normal(0, 0.12, count))
    order, hairs = rng.permutation(count) + 1, _hairs(rng)
    half_length = length / 2 * rng.uniform(0.55, 1.15, count)
    half_width = width / 2 * rng.uniform(0.6, 1.2, count)
    bend = _curvature(sites, length, size) / 2
    top, owner = np.zeros((2, size, size), int)
    along, across, hair = np.zeros((3, size, size))
    for site, u, v in around(sites, size, reach):
        s = u / half_length[site]
        t = (v - bend[site] * u * u) / half_width[site]
        row = site * 37 + (t * width * 0.55 * 512 / size).astype(int)
        line = hairs[row % 256, (s * 24).astype(int) % 256]
        inside = np.abs(t) + 0.35 * line < 1.12 - 0.55 * np.clip(s, -1, 1) ** 4
        inside &= (np.abs(s) < 1 - 0.3 * line) & (order[site] > top)
        for kept, new in ((top, order[site]), (owner, site), (along, s), (across, t), (hair, line)):
            np.copyto(kept, new, where=inside)
    return Strokes(sites, width * 512 / size, top > 0, owner, along=along, across=across, hair=hair)


def _lay_down(picture: Array, relief: Array, strokes: Strokes, rng: np.random.Generator) -> None:
    """Put a layer of strokes on the picture and on its relief, in place."""
    painted, owner, hair, size = strokes.painted, strokes.owner, strokes.hair, len(picture)
    tone = flow(strokes.sites.y / size, strokes.sites.x / size)[1]
    tone = tone + rng.normal(0, 0.07, tone.shape)
    other = tone + rng.normal(0, 0.16, tone.shape)
    streak = np.clip(1.5 * hair - 0.45, 0, 1)[..., None]
    paint = NIGHT(tone)[owner] * (1 - streak) + NIGHT(other)[owner] * streak
    picture[painted] = (paint * rng.normal(1, 0.07, (tone.size, 1))[owner])[painted]
    edge = np.abs(strokes.across)
    profile = 0.55 + 0.45 * np.clip(edge, 0, 1) ** 2 - 0.6 * np.clip(edge - 0.7, 0, 1)
    paste = strokes.width**0.5 * (profile + 0.55 * hair - 0.15 * strokes.along)
    relief[painted] = 0.35 * relief[painted] + paste[painted]


def _curvature(sites: Sites, length: float, size: int) -> Array:
    """How fast the flow turns along a stroke, in radians per pixel."""
    step = length / 4
    dy, dx = step * np.sin(sites.angle), step * np.cos(sites.angle)
    ahead = flow((sites.y + dy) / size, (sites.x + dx) / size)[0]
    behind = flow((sites.y - dy) / size, (sites.x - dx) / size)[0]
    turn = np.angle(np.exp(1j * (ahead - behind)))
    return np.clip(turn, -0.9, 0.9) / (2 * step)


def _hairs(rng: np.random.Generator) -> Array:
    """Marks of the hairs of a brush in [0, 1]: a row for each hair, changing slowly along it."""
    rough = rng.random((256, 256))
    slow = sum(np.roll(rough, k, axis=1) for k in range(12))
    slow = (slow - slow.min()) / np.ptp(slow)
    return np.clip(0.65 * slow + 0.6 * (rng.random((256, 1)) - 0.3), 0, 1)


def _two_nearest(stones: Sites, size: int) -> tuple[Array, Array, Array, Array, Array]:
    """Distances to the nearest two stones, the nearest one, and the place in its axes."""
    first, second = np.full((2, size, size), np.inf)
    owner = np.zeros((size, size), int)
    u, v = np.zeros((2, size, size))
    for site, along, across in around(stones, size, 2):
        distance = np.maximum(np.abs(along), np.abs(across))
        closer = distance < first
        second = np.where(closer, first, np.minimum(second, distance))
        for kept, new in ((first, distance), (owner, site), (u, along), (v, across)):
            np.copyto(kept, new, where=closer)
    return first, second, owner, u, v


def _evened(stones: Sites, size: int, rounds: int = 6) -> Sites:
    """Stones moved to the middle of their own cells; those cut by the edge stay."""
    y, x = positions(size)
    for _ in range(rounds):
        owner = _two_nearest(stones, size)[2].ravel()
        area = np.bincount(owner, minlength=stones.y.size)
        whole = area > 0.5 * stones.spacing**2
        center = [np.bincount(owner, c.ravel(), area.size) / np.maximum(area, 1) for c in (y, x)]
        new_y, new_x = np.where(whole, center[0], stones.y), np.where(whole, center[1], stones.x)
        angle = flow(new_y / size, new_x / size)[0]
        stones = stones._replace(y=new_y, x=new_x, angle=angle)
    return stones


def _hatching(
    size: int, hatching: tuple[float, float, float], strength: Array, rng: np.random.Generator
) -> Array:
    """Cover of one set of nearly parallel lines, thicker where `strength` is greater."""
    turn, spacing, _ = hatching
    unit = size / 512
    y, x = positions(size)
    wobble = 26 * unit * noise(size, 5, rng) + 3 * unit * noise(size, 30, rng)
    phase = (x * np.sin(turn + 0.5) + y * np.cos(turn + 0.5) + wobble) / (spacing * unit)
    distance = np.abs(phase - np.round(phase)) * 2
    pressure = strength * (0.25 + 0.8 * noise(size, 26, rng))
    return 1 - smoothstep(distance, pressure * 0.8 - 0.25, pressure * 0.8 + 0.02)


def main() -> None:
    """Paint every style into the folder given."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "build/paint")
    folder.mkdir(parents=True, exist_ok=True)
    for name, painter in STYLES.items():
        save(folder / f"{name}.png", painter(512, 0))
        print(folder / f"{name}.png")


if __name__ == "__main__":
    main()
