"""When frames are shown: at the times of the file, or evenly if they are even but for rounding.

Some containers round times to milliseconds. Frames that are even but for such rounding are shown
evenly, so that a video keeps its frame rate from one container to another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

FINEST = 10_000
"""Least number of units in a second of an even time base: half a unit is no audible offset."""


@dataclass(frozen=True)
class Clock:
    """Maps times in a file, in units of `source_unit` seconds, to times in its result.

    `first` is the time of the first frame in these units. `start`, in seconds, is the time at which
    the file begins; results begin at 0. `rate` is in frames a second, a mean if not `even`.
    """

    source_unit: Fraction
    first: int
    start: Fraction
    rate: Fraction
    even: bool

    @classmethod
    def of(
        cls,
        times: Sequence[int | None],
        source_unit: Fraction,
        start: Fraction,
        rates: Sequence[Fraction],
    ) -> "Clock":
        """The clock of frames at these times, in any order; `rates` are those the file declares.

        Frames are even if any of them has no time.
        """
        known = sorted(time for time in times if time is not None)
        if len(known) < len(times) or not known:
            return cls(source_unit, round(start / source_unit), start, rates[0], even=True)
        for rate in rates:
            offsets = (np.array(known) - known[0]) * float(source_unit * rate) - np.arange(
                len(known)
            )
            if np.abs(offsets).max() <= min(float(source_unit * rate), 0.25) + 1e-6:
                return cls(source_unit, known[0], start, rate, even=True)
        return cls(source_unit, known[0], start, rates[0], even=False)

    @property
    def time_base(self) -> Fraction:
        """The unit of the result's times, in seconds."""
        if not self.even:
            return self.source_unit
        units = self.rate.numerator
        while units < FINEST:
            units *= 2
        return Fraction(1, units)

    @property
    def step(self) -> int:
        """The usual duration of a frame, in units of the time base."""
        return max(1, round(1 / (self.rate * self.time_base)))

    def time(self, source_time: int | None, number: int) -> int:
        """The time of a frame in the result, by its number if the file gives no time."""
        seconds = number / self.rate
        if source_time is not None:
            seconds = (source_time - self.first) * self.source_unit
        if self.even:
            seconds = round(seconds * self.rate) / self.rate
        return round((seconds + self.first * self.source_unit - self.start) / self.time_base)
