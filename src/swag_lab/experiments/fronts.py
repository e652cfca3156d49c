"""Content-style fronts: what style error a variant reaches at which content error.

A single strength shows little: a variant with less style may only keep more of the content. So
each variant runs at several strengths, and two are compared by their style errors at equal content
error, averaged over the content errors that both reach.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from swag_lab.experiments.evaluate import fair_judges, mean_error
from swag_lab.experiments.job import Run

Point = tuple[float, float]
"""Content error and style error."""
Unit = tuple[str, str, int]
PLACES = 33


def of_variant(runs: Iterable[Run], variant: str) -> list[Run]:
    """The runs of a variant that made a picture."""
    return [
        r for r in runs if r.job.variant == variant and r.job.kind == "picture" and not r.failed
    ]


def judges_of(*sides: Sequence[Run]) -> list[str]:
    """Judges that were optimised in none of these runs."""
    return fair_judges({run.job.network for side in sides for run in side})


def fronts(runs: Iterable[Run], measure: str, judges: Sequence[str]) -> dict[Unit, list[Point]]:
    """The points of each content, style and seed, by content error."""
    points: dict[Unit, list[Point]] = defaultdict(list)
    for run in runs:
        scores = run.metrics["judges"]
        point = mean_error(scores, "content", judges), mean_error(scores, measure, judges)
        points[run.job.unit].append(point)
    return {unit: sorted(found) for unit, found in points.items()}


def gap(a: Sequence[Point], b: Sequence[Point]) -> float:
    """Mean style error of a front less that of another, over the content errors both reach.

    Fronts are straight between their points. NaN where they share no content error.
    """
    low = max(a[0][0], b[0][0])
    high = min(a[-1][0], b[-1][0])
    if len(a) < 2 or len(b) < 2 or high <= low:
        return math.nan
    places = np.linspace(low, high, PLACES)
    first, second = (
        np.interp(places, [p[0] for p in points], [p[1] for p in points]) for points in (a, b)
    )
    return float((first - second).mean())


def height_above(point: Point, front: Sequence[Point]) -> float:
    """The style error of a point less that of a front at its content error; NaN outside of it."""
    content, style = point
    if not front[0][0] <= content <= front[-1][0]:
        return math.nan
    return style - float(np.interp(content, [p[0] for p in front], [p[1] for p in front]))


def gaps(
    runs: Sequence[Run], variant: str, baseline: str, measure: str = "sliced"
) -> dict[Unit, float]:
    """The gap of a variant to a baseline for each content, style and seed that both have."""
    sides = of_variant(runs, variant), of_variant(runs, baseline)
    if not all(sides):
        return {}
    judges = judges_of(*sides)
    first, second = (fronts(side, measure, judges) for side in sides)
    return {unit: gap(first[unit], second[unit]) for unit in first if unit in second}


def mean_front(points: Mapping[Unit, Sequence[Point]]) -> list[Point]:
    """The front of means: the k-th points of all units averaged."""
    complete = max((len(found) for found in points.values()), default=0)
    whole = [found for found in points.values() if len(found) == complete]
    columns = np.array(whole).mean(0) if whole else np.zeros((0, 2))
    return [(float(x), float(y)) for x, y in columns]
