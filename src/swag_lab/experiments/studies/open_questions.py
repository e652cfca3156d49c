"""Study 8: the questions that the paper leaves open."""

from swag_lab.experiments.job import StudyJob, StudyRun
from swag_lab.experiments.studies import (
    alternatives,
    layers,
    longer_runs,
    paper_exact,
    shape,
    temperature,
)
from swag_lab.experiments.study import Plan, Section, Study

PARTS = (shape, layers, temperature, alternatives, longer_runs, paper_exact)


def jobs(plan: Plan) -> list[StudyJob]:
    """The jobs of all questions."""
    return [job for part in PARTS for job in part.jobs(plan)]


def sections(plan: Plan, runs: list[StudyRun]) -> list[Section]:
    """The sections of all questions."""
    return [section for part in PARTS for section in part.sections(plan, runs)]


STUDY = Study(
    "beyond",
    "8. What the paper leaves open",
    "Shape or scale? Which layers? Which temperature? A better remedy? Only late? As published?",
    jobs,
    sections=sections,
    in_paper=False,
)
