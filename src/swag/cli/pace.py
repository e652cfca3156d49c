"""How far a run has come in time, and how long it has to go."""

from collections import deque
from collections.abc import Sequence

from swag.schedule import Scale

GROWTH = 0.8
"""A step with four times the pixels takes 4 ** 0.8 = 3.0 times as long, as measured with the
default at 128, 256 and 512 pixels: small pictures do not keep a machine as busy."""

LATEST = 10
"""Steps from whose time that of the next ones is told."""


class Pace:
    """The time of the steps seen, and from it that of those to come.

    Steps of a scale take what the latest ones took, the first of it left out, which makes ready;
    those of larger scales take longer, by the pixels.
    """

    def __init__(self, scales: Sequence[Scale]) -> None:
        self.share = 0.0
        """The share of the run's time that has passed; it never falls."""
        self.seconds_left: float | None = None
        self._scales = scales
        self._costs: list[float] = [float(scale.size) ** (2 * GROWTH) for scale in scales]
        self._number = -1
        self._seen: deque[tuple[int, float]] = deque(maxlen=LATEST + 1)
        self._unit: float | None = None

    def seen(self, number: int, steps: int, seconds: float) -> None:
        """Note that the run, at the scale of this number, has made so many steps in all by now."""
        if number != self._number:
            self._number = number
            self._seen.clear()
        self._seen.append((steps, seconds))
        if self._unit is None or len(self._seen) > 1:
            self._unit = self._seconds_of_a_unit(steps, seconds)
        self.seconds_left = self._unit * (self._cost(None) - self._cost(steps))
        if seconds > 0:
            self.share = max(self.share, seconds / (seconds + self.seconds_left))
        if self.seconds_left <= 0:
            self.share = 1.0

    def _seconds_of_a_unit(self, steps: int, seconds: float) -> float:
        (first, began), cost = self._seen[0], self._costs[self._number]
        if steps == first:
            return seconds / max(self._cost(steps), cost)
        return (seconds - began) / ((steps - first) * cost)

    def _cost(self, steps: int | None) -> float:
        """What so many steps cost in all, or all of them."""
        left = sum(scale.steps for scale in self._scales) if steps is None else steps
        total = 0.0
        for scale, cost in zip(self._scales, self._costs, strict=True):
            total += min(left, scale.steps) * cost
            left -= min(left, scale.steps)
        return total


def clock(seconds: float) -> str:
    """Hours, minutes and seconds, as in 0:21 or 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
