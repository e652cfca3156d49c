"""When frames are shown: at the times of the file, or evenly if that is what it means.

Some containers round times to milliseconds. Frames that are even but for such rounding are shown
evenly, so that a video keeps its frame rate from one container to another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

FINEST = 10_000
"""Units of a second that an even time base has at least: half of one is no offset to be heard."""


@dataclass(frozen=True)
class Clock:
    """From times in a file, in units of `given` seconds, to those of its result.

    `first` is the time of the first frame, `start` what the file begins with, in seconds, which
    results do without. `rate` are frames a second, in the mean if they are not `even`.
    """

    given: Fraction
    first: int
    start: Fraction
    rate: Fraction
    even: bool

    @classmethod
    def of(
        cls,
        times: Sequence[int | None],
        given: Fraction,
        start: Fraction,
        rates: Sequence[Fraction],
    ) -> "Clock":
        """The clock of frames at these times, in any order; `rates` are the file's own words.

        Frames without a time are even.
        """
        known = sorted(time for time in times if time is not None)
        if len(known) < len(times) or not known:
            return cls(given, round(start / given), start, rates[0], even=True)
        for rate in rates:
            away = (np.array(known) - known[0]) * float(given * rate) - np.arange(len(known))
            if np.abs(away).max() <= min(float(given * rate), 0.25) + 1e-6:
                return cls(given, known[0], start, rate, even=True)
        return cls(given, known[0], start, rates[0], even=False)

    @property
    def time_base(self) -> Fraction:
        """The unit of the result's times, in seconds."""
        if not self.even:
            return self.given
        units = self.rate.numerator
        while units < FINEST:
            units *= 2
        return Fraction(1, units)

    @property
    def step(self) -> int:
        """Units that a frame is shown, if it does not say so."""
        return max(1, round(1 / (self.rate * self.time_base)))

    def time(self, given: int | None, number: int) -> int:
        """When a frame, by its number if it does not say when, is shown in the result."""
        seconds = number / self.rate
        if given is not None:
            seconds = (given - self.first) * self.given
        if self.even:
            seconds = round(seconds * self.rate) / self.rate
        return round((seconds + self.first * self.given - self.start) / self.time_base)
