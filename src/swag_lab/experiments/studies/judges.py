"""Beside the eight: whether the judges are worth their name."""

from collections import defaultdict

from swag_lab.experiments.job import StudyJob, StudyRun
from swag_lab.experiments.studies.pairs import P_RESNET
from swag_lab.experiments.study import Plan, Row, Section, Study


def jobs(plan: Plan) -> list[StudyJob]:
    """One result for each style, degraded."""
    settings = {"steps": plan.steps, "scales": 2}
    return plan.measured("judges", "judges", P_RESNET, settings)


def sections(plan: Plan, runs: list[StudyRun]) -> list[Section]:
    """In how many of the cases each judge prefers the original."""
    votes: dict[tuple[str, str, str], list[bool]] = defaultdict(list)
    for run in runs:
        if run.job.kind == "judges" and not run.failed:
            for row in run.metrics["rows"]:
                votes[row["judge"], row["measure"], row["degraded by"]].append(row["right"])
    table: list[Row] = [
        {"judge": judge, "measure": measure, "degraded by": kind, "right": f"{sum(v)} of {len(v)}"}
        for (judge, measure, kind), v in votes.items()
    ]
    right = sum(map(sum, votes.values()))
    count = sum(map(len, votes.values()))
    return [
        Section(
            "Originals against degraded pictures",
            "A judge ranks a result with noise, blur or shifted colors below the result itself.",
            f"Right in {right} of {count} cases." if count else "There are no runs.",
            "counted",
            table=table,
        )
    ]


STUDY = Study(
    "judges",
    "Are the judges worth their name?",
    "Do networks that were not optimized prefer a picture to its degraded versions?",
    jobs,
    sections=sections,
)
