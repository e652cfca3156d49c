"""Style errors at equal content error.

A single strength shows little: a result with less style may just keep more of the content. So each
side runs at several strengths, and two sides are compared by their style errors at equal content
error, averaged over the content errors that both reach. The points of a side, sorted by content
error, are its front, which is linear between them.
"""

import math
from collections.abc import Sequence

import numpy as np

Point = tuple[float, float]
"""Content error and style error."""

PLACES = 33
"""Number of content errors at which fronts are compared."""


def gap(a: Sequence[Point], b: Sequence[Point]) -> float:
    """Mean style error of a front less that of another; NaN if they share no content error."""
    first, second = _at_equal_content(a, b)
    return float((first - second).mean()) if first.size else math.nan


def ratio(a: Sequence[Point], b: Sequence[Point]) -> float:
    """Mean style error of a front over that of another; NaN if they share no content error."""
    first, second = _at_equal_content(a, b)
    return float(first.mean() / second.mean()) if first.size else math.nan


def height_above(point: Point, front: Sequence[Point]) -> float:
    """The style error of a point less that of a front at its content error; NaN outside of it."""
    content, style = point
    if not front[0][0] <= content <= front[-1][0]:
        return math.nan
    return style - float(np.interp(content, [p[0] for p in front], [p[1] for p in front]))


def _at_equal_content(
    a: Sequence[Point], b: Sequence[Point]
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], ...]:
    """Style errors of both fronts at equal content errors; empty if they share none."""
    low, high = max(a[0][0], b[0][0]), min(a[-1][0], b[-1][0])
    if len(a) < 2 or len(b) < 2 or high <= low:
        return np.zeros(0), np.zeros(0)
    grid = np.linspace(low, high, PLACES)
    first, second = (
        np.interp(grid, [p[0] for p in points], [p[1] for p in points]) for points in (a, b)
    )
    return first, second
