"""Differences of pairs: their mean, how sure it is, and what to say about it.

Runs are paired by content, style and seed, whose spread is larger than most effects.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

EXACT = 12
"""Most pairs for which all sign flips are tried; above, `FLIPS` random ones are."""
FLIPS = 20000
RESAMPLES = 4000


@dataclass(frozen=True)
class Comparison:
    """The mean of paired differences, its 95 % interval, p, and how many are below 0."""

    mean: float
    low: float
    high: float
    deviation: float
    p: float
    count: int
    below: int

    @property
    def certainty(self) -> str:
        """How sure the sign of the mean is, in words."""
        if self.count < 2:
            return "one pair: nothing is known about its spread"
        if self.p < 0.01:
            return "shown"
        return "likely" if self.p < 0.05 else "not shown"

    def __str__(self) -> str:
        spread = f"[{self.low:+.3f}, {self.high:+.3f}]" if self.count > 1 else "[one pair]"
        return f"{self.mean:+.3f} {spread}, p = {self.p:.2g}, {self.count} pairs"


def compare(differences: Sequence[float]) -> Comparison | None:
    """Test whether differences are symmetric about 0; None without a finite one.

    Fisher's test flips signs at random: p is the share of flips whose mean is at least as far from
    0, two-sided, exact up to 12 pairs. The interval is the percentile bootstrap's.
    """
    values = np.array([d for d in differences if math.isfinite(d)], float)
    if values.size == 0:
        return None
    low, high = _interval(values)
    return Comparison(
        float(values.mean()),
        low,
        high,
        float(values.std()),
        p=_p_value(values),
        count=values.size,
        below=int((values < 0).sum()),
    )


def _p_value(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    if values.size <= EXACT:
        signs = np.array(list(itertools.product((1, -1), repeat=values.size)))
    else:
        signs = np.random.default_rng(0).choice((1, -1), (FLIPS, values.size))
        signs[0] = 1  # the observed signs are one of the flips
    means = np.abs(signs @ values)
    return float((means >= abs(values.sum()) * (1 - 1e-12)).mean())


def _interval(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, float]:
    resamples = np.random.default_rng(0).integers(0, values.size, (RESAMPLES, values.size))
    low, high = np.percentile(values[resamples].mean(1), (2.5, 97.5))
    return float(low), float(high)
