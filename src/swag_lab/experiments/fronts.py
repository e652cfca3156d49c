"""Content-style fronts of the variants of a study, compared at equal content error."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from swag_lab.evaluation.equal_content import Point, gap
from swag_lab.evaluation.evaluator import fair_judges, mean_error
from swag_lab.experiments.job import StudyRun

Unit = tuple[str, str, int]


def of_variant(runs: Iterable[StudyRun], variant: str) -> list[StudyRun]:
    """The runs of a variant that made a picture."""
    return [
        r for r in runs if r.job.variant == variant and r.job.kind == "picture" and not r.failed
    ]


def judges_of(*sides: Sequence[StudyRun]) -> list[str]:
    """Judges that were optimized in none of these runs."""
    runs = [run for side in sides for run in side]
    return fair_judges({run.job.network for run in runs}, runs[0].job.judging) if runs else []


def fronts(
    runs: Iterable[StudyRun], measure: str, judges: Sequence[str]
) -> dict[Unit, list[Point]]:
    """Content error and error of a measure at each point of a unit, sorted by content error."""
    points: dict[Unit, list[Point]] = defaultdict(list)
    for run in runs:
        scores = run.metrics["judges"]
        point = mean_error(scores, "content", judges), mean_error(scores, measure, judges)
        points[run.job.unit].append(point)
    return {unit: sorted(unit_points) for unit, unit_points in points.items()}


def gaps(
    runs: Sequence[StudyRun], variant: str, baseline: str, measure: str = "sliced"
) -> dict[Unit, float]:
    """The gap of a variant to a baseline for each content, style and seed that both have."""
    sides = of_variant(runs, variant), of_variant(runs, baseline)
    if not all(sides):
        return {}
    judges = judges_of(*sides)
    first, second = (fronts(side, measure, judges) for side in sides)
    return {unit: gap(first[unit], second[unit]) for unit in first if unit in second}


def mean_front(points: Mapping[Unit, Sequence[Point]]) -> list[Point]:
    """The mean front: the k-th points averaged over the units that have all points."""
    length = max((len(front) for front in points.values()), default=0)
    complete = [front for front in points.values() if len(front) == length]
    columns = np.array(complete).mean(0) if complete else np.zeros((0, 2))
    return [(float(x), float(y)) for x, y in columns]
