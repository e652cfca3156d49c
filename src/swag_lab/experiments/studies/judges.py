"""Beside the numbered studies: whether judges prefer pictures to degraded versions of them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

import numpy as np

from swag_lab.evaluation.degradations import DEGRADATIONS, DEGREES
from swag_lab.experiments.job import StudyJob, StudyRun
from swag_lab.experiments.studies.pairs import P_RESNET
from swag_lab.experiments.study import Plan, Row, Section, Study


def jobs(plan: Plan) -> list[StudyJob]:
    """One result for each style picture, to be judged as it is and degraded."""
    # An explicit start changes the hash: earlier runs, with one degree each, are not reused.
    settings = {"steps": plan.steps, "scales": 2, "start": "content"}
    measured = plan.measurement_jobs("judges", "judges", P_RESNET, settings)
    return [replace(job, judges=plan.judges) for job in measured]


def sections(plan: Plan, runs: list[StudyRun]) -> list[Section]:
    """In how many cases each judge prefers the original, and whether errors rise with degree."""
    curves: dict[tuple[str, str, str], list[list[float]]] = defaultdict(list)
    for run in runs:
        if run.job.kind == "judges" and not run.failed:
            for key, values in _by_degree(run.metrics["rows"]).items():
                curves[key].append([values[degree] for degree in (0.0, *DEGREES)])
    measures = list(dict.fromkeys((judge, measure) for judge, measure, _ in curves))
    rises = [
        value > values[0]
        for (judge, _, _), group in curves.items()
        if judge != "-"
        for values in group
        for value in values[1:]
    ]
    return [
        Section(
            "Originals against degraded pictures",
            "A judge ranks a result that was made worse below the result itself.",
            f"Right in {sum(rises)} of {len(rises)} cases." if rises else "There are no runs.",
            "counted",
            table=[
                {"judge": judge, "measure": measure}
                | {kind: _count_rises(curves[judge, measure, kind]) for kind in DEGRADATIONS}
                for judge, measure in measures
            ],
            note=f"Degrees {', '.join(map(str, DEGREES))} of each kind. Judge -: a measure without "
            "a network, which need not rise.",
        ),
        Section(
            "Whether errors rise with the degree",
            "The worse a picture is made, the larger is its error.",
            "Spearman's rank correlation of degree and value, averaged over the pictures: 1 if "
            "every step makes the value larger.",
            "counted",
            table=[
                {"judge": judge, "measure": measure}
                | {kind: fmean(map(rising, curves[judge, measure, kind])) for kind in DEGRADATIONS}
                for judge, measure in measures
            ],
        ),
    ]


def rising(values: Sequence[float]) -> float:
    """Spearman's rank correlation of distinct values with their positions in the sequence."""
    ranks = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return float(np.corrcoef(ranks, np.arange(len(values)))[0, 1])


def _by_degree(rows: Sequence[Row]) -> dict[tuple[str, str, str], dict[float, float]]:
    values: dict[tuple[str, str, str], dict[float, float]] = defaultdict(dict)
    for row in rows:
        values[row["judge"], row["measure"], row["worse by"]][row["degree"]] = row["value"]
    return values


def _count_rises(curves: Sequence[Sequence[float]]) -> str:
    rises = [value > values[0] for values in curves for value in values[1:]]
    return f"{sum(rises)} of {len(rises)}"


STUDY = Study(
    "judges",
    "Are the judges worth their name?",
    "Do networks that were not optimized prefer a picture to its degraded versions?",
    jobs,
    sections=sections,
)
