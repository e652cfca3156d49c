"""Coarse to fine: at which sizes a picture is optimized, for how many steps, and for how long.

Large structures of a style are cheap to place in a small picture; the last sizes only add detail
(Gatys et al. 2017, "Controlling perceptual factors", section 6).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from swag.errors import SettingsError

SMALLEST = 32
"""Pixels of the long side below which no scale goes: deep layers would have a single position."""


@dataclass(frozen=True)
class Scale:
    """One size of the long side in pixels, and the number of steps at it."""

    size: int
    steps: int


NARROWEST = 16
"""Pixels of the short side below which no scale but the last goes: a panorama has few of them."""


def plan(
    size: int, steps: int, scales: int, *, decay: float = 0.75, aspect: float = 1.0
) -> tuple[Scale, ...]:
    """Up to `scales` sizes, each twice the one before, that end at `size`; `steps` in all.

    `aspect` is the short side of the picture over its long one: scales at which the short side has
    too few pixels are left out.

    Each scale has `decay` times as many steps as the one before, at least one; what rounding
    leaves over goes to the first. Without any steps there is the last size alone.

    Raises:
        SettingsError: fewer steps than scales.
    """
    sizes = [size]
    smallest = max(SMALLEST, NARROWEST / aspect)
    while len(sizes) < scales and sizes[0] // 2 >= smallest:
        sizes.insert(0, sizes[0] // 2)
    if steps == 0:
        return (Scale(size, 0),)
    if steps < len(sizes):
        raise SettingsError(
            f"{steps} {'step is' if steps == 1 else 'steps are'} too few for {len(sizes)} scales; "
            f"give steps = {len(sizes)} or more, or scales = {steps}"
        )
    shares = [decay**i for i in range(len(sizes))]
    counts = [max(1, int(steps * share / sum(shares))) for share in shares]
    counts[0] += steps - sum(counts)
    if counts[0] < 1:
        counts = [1] * len(sizes)
        counts[0] += steps - len(sizes)
    return tuple(Scale(*pair) for pair in zip(sizes, counts, strict=True))


GROWTH = 0.8
"""A step with four times the pixels takes 4 ** 0.8 = 3.0 times as long, as measured with the
default at 128, 256 and 512 pixels: small pictures do not keep a machine as busy."""


class Pace:
    """The share of a run's time that has passed and the seconds left, from its steps so far.

    The first step recorded also prepares the run and says nothing about the time of later ones.
    """

    def __init__(self, scales: Sequence[Scale]) -> None:
        self.share = 0.0
        """The share of the run's time that has passed; it never falls."""
        self.seconds_left = 0.0
        costs = (scale.size ** (2 * GROWTH) for scale in scales for _ in range(scale.steps))
        self._costs = [0.0, *accumulate(costs)]
        self._first: tuple[float, float] | None = None

    def record(self, steps: int, seconds: float) -> None:
        """Record that the run has made `steps` steps in all after `seconds`."""
        cost, total = self._costs[min(steps, len(self._costs) - 1)], self._costs[-1]
        first_cost, first_seconds = self._first or (0.0, 0.0)
        self._first = self._first or (cost, seconds)
        pace = (seconds - first_seconds) / (cost - first_cost) if cost > first_cost else 0.0
        self.seconds_left = pace * (total - cost)
        passed = seconds / (seconds + self.seconds_left) if cost < total and seconds > 0 else 0.0
        self.share = max(self.share, passed) if cost < total else 1.0
