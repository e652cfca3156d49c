"""Run studies: the jobs without a finished run, then the report."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch

from swag.backbones import bundled
from swag.errors import SettingsError
from swag.files import write_text
from swag.registry import unknown
from swag_lab.bench.machine import machine
from swag_lab.evaluation import perceptual
from swag_lab.evaluation.evaluator import trained_judges
from swag_lab.experiments.job import StudyJob, StudyRun
from swag_lab.experiments.job_runner import JobRunner, finished_run
from swag_lab.experiments.report import Chapter, as_csv, row_of, write_report
from swag_lab.experiments.studies import STUDIES
from swag_lab.experiments.study import Plan, Row, Study

PAPER = "paper"
"""All studies that the paper asks for."""

Map = Callable[[Callable[[StudyJob], StudyRun], Sequence[StudyJob]], Iterable[StudyRun]]
"""Applies a function to jobs, one after the other or in other processes, and gives the runs."""


@dataclass(frozen=True)
class StudyRunner:
    """Studies under one plan in one folder; runs are shared between them."""

    name: str
    plan: Plan
    out: Path
    command: str = ""
    """The command line, for the report."""

    @property
    def studies(self) -> list[Study]:
        """The studies of this name. SettingsError if the name is unknown."""
        return studies_named(self.name)

    @property
    def runs(self) -> Path:
        """The folder with a folder for each run."""
        return self.out / "runs"

    def jobs(self) -> list[StudyJob]:
        """All jobs, each once, in the order of the studies, those on large networks last.

        An interrupted run of the studies then has most of their answers.
        """
        all_jobs = [job for study in self.studies for job in study.jobs(self.plan)]
        unique = {job.key: job for job in all_jobs}.values()
        return sorted(unique, key=lambda job: job.network.large)

    def unfinished_jobs(self) -> list[StudyJob]:
        """Jobs without a finished run."""
        return [job for job in self.jobs() if finished_run(self.runs, job) is None]

    def counts(self) -> list[Row]:
        """The number of runs of each study and of all together, which share some.

        `large` counts runs on networks that are not of the package, `missing` those yet to do.
        """
        jobs_by_study = {
            study.name: {job.key: job for job in study.jobs(self.plan)} for study in self.studies
        }
        all_jobs = {key: job for jobs in jobs_by_study.values() for key, job in jobs.items()}
        missing_keys = {
            key for key, job in all_jobs.items() if finished_run(self.runs, job) is None
        }
        return [
            {
                "study": name,
                "runs": len(jobs),
                "large": sum(job.network.large for job in jobs.values()),
                "missing": len(missing_keys & jobs.keys()),
            }
            for name, jobs in (jobs_by_study | {"together": all_jobs}).items()
        ]

    def run_jobs(self, jobs: Sequence[StudyJob], map_jobs: Map | None = None) -> Iterator[StudyRun]:
        """Run jobs, each in its folder, and yield the finished runs."""
        self.runs.mkdir(parents=True, exist_ok=True)
        run_job = JobRunner(self.runs)
        yield from (run_job(job) for job in jobs) if map_jobs is None else map_jobs(run_job, jobs)

    def report(self) -> Path:
        """Write the report on the finished runs, complete or not; returns the path of its page."""
        runs = [run for job in self.jobs() if (run := finished_run(self.runs, job)) is not None]
        write_text(self.out / self._runs_table, as_csv([row_of(run) for run in runs]))
        write_text(self._settings_file, self._settings)
        return write_report(
            self.out, self.name, [self._chapter(s) for s in self.studies], self.facts
        )

    def check_report(self) -> None:
        """Refuse to replace the report of another plan: SettingsError."""
        file = self._settings_file
        if file.is_file() and file.read_text(encoding="utf-8") != self._settings:
            raise SettingsError(
                f"{self.out} has a report on {self.name} with other pictures or settings; give "
                "another --out, or --overwrite to replace it (its runs stay)"
            )

    @property
    def _runs_table(self) -> str:
        return f"{self.name}-runs.csv"

    @property
    def _settings_file(self) -> Path:
        return self.out / f"{self.name}.settings.json"

    @property
    def _settings(self) -> str:
        """The plan as JSON, which determines the runs of a report."""
        return json.dumps(asdict(self.plan), indent=1, sort_keys=True, default=str)

    @property
    def facts(self) -> Row:
        """How the runs were made, for the head of the report."""
        machine_facts = machine(torch.device("cpu"))
        plan, judges = self.plan, [judge.name for judge in self.plan.judges or trained_judges()]
        top1 = {name: bundled.card(name).top1 for name in bundled.ARCHITECTURES}
        quick = {"a quick look": "few pictures, small ones, few steps: not a result"}
        return {
            **(quick if plan.quick else {}),
            "command": self.command or "from Python",
            "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            "machine": "{processor}, {cores} cores, {system}".format_map(machine_facts),
            "versions": "swag {swag}, torch {torch}, Python {python}".format_map(machine_facts),
            "all runs": self._runs_table,
            "contents": ", ".join(sample.name for sample in plan.contents),
            "styles": ", ".join(sample.name for sample in plan.styles),
            "size": f"{plan.size} x {plan.size} pixels, two scales",
            "steps": f"{plan.steps} of L-BFGS",
            "strengths": ", ".join(map(str, plan.strengths)),
            "units": f"{plan.units} of content, style and seed; {plan.few} for large networks",
            "judges": f"of {', '.join(judges)}, those that were not optimized",
            "top-1": ", ".join(f"{name} {value:.3f}" for name, value in top1.items() if value),
            "perceptual distances": perceptual.metric_availability(),
        }

    def _chapter(self, study: Study) -> Chapter:
        jobs = study.jobs(self.plan)
        runs = [run for job in jobs if (run := finished_run(self.runs, job)) is not None]
        failed = sum(run.failed for run in runs)
        return Chapter(
            study, study.sections(self.plan, runs), len(runs), failed, planned_runs=len(jobs)
        )


def study_names() -> tuple[str, ...]:
    """The names of studies: that of each, `paper` and `all`."""
    return (*STUDIES, PAPER, "all")


def studies_named(name: str) -> list[Study]:
    """The studies of a name; SettingsError, with the known names, if it is unknown."""
    if name not in study_names():
        raise SettingsError(unknown("study", name, study_names()))
    if name in STUDIES:
        return [STUDIES[name]]
    return [study for study in STUDIES.values() if study.in_paper or name == "all"]
