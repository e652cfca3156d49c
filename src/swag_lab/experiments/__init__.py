"""The studies of the paper, and what it leaves open: runs, judgements and reports.

    runner = StudyRunner("ablation", plan, Path("out"))
    for run in runner.run_jobs(runner.unfinished_jobs()): ...
    runner.report()

A run is a folder whose name holds the hash of its settings; a finished run is not repeated.
"""

from swag_lab.evaluation.evaluator import Evaluator
from swag_lab.experiments.samples import Sample, painted_samples, samples_in
from swag_lab.experiments.study import Plan, Section, Study
from swag_lab.experiments.study_runner import StudyRunner, studies_named, study_names

__all__ = [
    "Evaluator",
    "Plan",
    "Sample",
    "Section",
    "Study",
    "StudyRunner",
    "painted_samples",
    "samples_in",
    "studies_named",
    "study_names",
]
