"""What a study costs: the runs of each, and core-hours by the time that some of them take here.

    python benchmarks/study_cost.py --contents DIR --styles DIR [--sample 3] [--write docs/study.md]

Runs are counted as `swag experiment NAME --dry-run` counts them. Of each study a few runs are made,
drawn by a fixed seed, among small and among large networks apart, on one thread; their mean
processor time stands for all. Runs that studies share are counted in each, and once in the sum.
`--write` puts the table between its marks in a document.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

import torch
from shared import one_thread, write

from swag_lab.experiments import Plan, StudyRunner, samples_in
from swag_lab.experiments.job import StudyJob
from swag_lab.experiments.job_runner import JobRunner
from swag_lab.experiments.studies.ablation import trained_alike

MARK = "<!-- cost: python benchmarks/study_cost.py --write docs/study.md -->"
TWINS = "ablation with --training"


def seconds(jobs: Sequence[StudyJob], sample: int, folder: Path) -> list[float]:
    """Processor time of a sample of the jobs, each with the judging of its picture."""
    drawn = random.Random(0).sample(list(jobs), min(sample, len(jobs)))
    times = []
    for job in drawn:
        began = time.process_time()
        JobRunner(folder)(job)
        times.append(time.process_time() - began)
    return times


def table(plan: Plan, sample: int) -> str:
    """Lines of Markdown."""
    lines = ["| study | runs | of them large | seconds a run | seconds a large run | core-hours |"]
    lines.append("|---|---:|---:|---:|---:|---:|")
    by_key: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for study in StudyRunner("all", plan, Path(folder)).studies:
            jobs = {job.key: job for job in study.jobs(plan)}
            if not jobs:
                continue
            kinds = [
                [j for j in jobs.values() if j.network.large is large] for large in (False, True)
            ]
            own = Path(folder) / study.name  # runs that another study has made would cost nothing
            small, large = (seconds(of_kind, sample, own) for of_kind in kinds)
            for of_kind, times in zip(kinds, (small, large), strict=True):
                by_key |= {job.key: mean(times) for job in of_kind if job.key not in by_key}
            lines.append(_line(study.name, [len(k) for k in kinds], small, large))
            print(lines[-1], flush=True)
            if study.name == "ablation":
                twins = 2 * len(trained_alike(1)) * plan.units * len(plan.strengths)
                lines.append(_line(TWINS, [twins, 0], small, []))
                by_key |= {f"twin {i}": mean(small) for i in range(twins)}
    lines.append(
        f"| all, each run once | {len(by_key)} | | | | {sum(by_key.values()) / 3600:.1f} |"
    )
    return "\n".join(lines)


def _line(name: str, counts: Sequence[int], small: Sequence[float], large: Sequence[float]) -> str:
    spent = sum(n * mean(t) for n, t in zip(counts, (small, large), strict=True) if t)
    shown = [f"{mean(t):.1f} ({min(t):.1f} to {max(t):.1f})" if t else "" for t in (small, large)]
    return (
        f"| {name} | {sum(counts)} | {counts[1] or ''} | {shown[0]} | {shown[1]} "
        f"| {spent / 3600:.1f} |"
    )


def main() -> None:
    """Print the table, and write it if a document is given."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--contents", type=Path, required=True)
    parser.add_argument("--styles", type=Path, required=True)
    parser.add_argument("--sample", type=int, default=3)
    parser.add_argument("--write", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    plan = Plan(samples_in(args.contents, 8), samples_in(args.styles, 8))
    where = (
        f"Mean (lowest to highest) processor time of {args.sample} runs of each study, or of all "
        f"if there are fewer, on {one_thread()}."
    )
    write(args.write, MARK, f"{table(plan, args.sample)}\n\n{where}")


if __name__ == "__main__":
    main()
