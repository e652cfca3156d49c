"""All jobs of a batch: jobs that are done are skipped, others run in this process or in workers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from swag.batch.jobs import Job, check_distinct
from swag.batch.manifest import JobResult, Manifest
from swag.batch.work import Batch, OnUpdate, Stopping
from swag.config import settings
from swag.distributed import Backend, as_completed, stop_requested
from swag.errors import SettingsError
from swag.files import remove, remove_leftovers


def run(
    batch: Batch,
    jobs: Sequence[Job],
    manifest: Manifest,
    *,
    workers: int = 1,
    backend: Backend = "processes",
    on_update: OnUpdate = lambda update: None,
    should_stop: Stopping = lambda: False,
) -> Iterator[JobResult]:
    """Yield a result for each job, as it comes; the manifest has those of jobs that ran by then.

    The settings of all jobs are checked before the first is run. With several `workers`, or with
    Ray, each is a process with a network of its own, and `on_update` is not called.

    Raises:
        SettingsError: two outputs are one file, or the settings of a job are wrong.
        ResourceError: the manifest cannot be written, or Ray's cluster does not answer.
        DependencyError: Ray is not installed.
    """
    check_distinct(jobs, batch.folder)
    keys = {job.output: _key(batch, job) for job in jobs}
    pending = []
    for job in jobs:
        known_result = _result_without_work(batch, job, keys[job.output], manifest)
        if known_result is None:
            pending.append(job)
            continue
        if known_result.state == "done" and manifest.last[job.output] != known_result:
            remove(batch.file(job).checkpoint)
            remove_leftovers(batch.path(job))
            manifest.write(known_result)
        yield replace(known_result, state="there") if known_result.state == "done" else known_result

    def begin(job: Job) -> None:
        modified = _modification_time(batch, job)
        manifest.write(JobResult(job.output, "running", keys[job.output], before=modified))

    make: Callable[[Job], JobResult] = InWorker(batch, max(1, torch.get_num_threads() // workers))
    if workers == 1 and backend == "processes":
        make = lambda job: batch.make(job, on_update, should_stop)  # noqa: E731
    for result in as_completed(
        make,
        pending,
        workers=workers,
        backend=backend,
        begin=begin,
        should_stop=should_stop,
        on_death=lambda job, how: JobResult(job.output, "failed", error=how),
    ):
        manifest.write(result)
        yield result


@dataclass(frozen=True)
class InWorker:
    """Makes a job's picture in another process, with this many threads."""

    batch: Batch
    threads: int

    def __call__(self, job: Job) -> JobResult:
        """The result of a job."""
        torch.set_num_threads(self.threads)
        return self.batch.make(job, lambda update: None, stop_requested)


def _key(batch: Batch, job: Job) -> str:
    try:
        return batch.key(job)
    except SettingsError as error:
        settings(**batch.overrides)  # a mistake in the settings of all jobs is of no line
        raise SettingsError(f"{job.line or job.output}: {error}") from error


def _result_without_work(batch: Batch, job: Job, key: str, manifest: Manifest) -> JobResult | None:
    """The result of a job that is not to run: its picture exists, or another file has its name."""
    modified, previous = _modification_time(batch, job), manifest.last.get(job.output)
    if modified is None:
        return None
    if previous is not None and previous.key == key:
        if previous.state == "done":
            return previous
        # Killed after the picture was written, before the manifest was: pictures are whole.
        if previous.state == "running" and modified != previous.before:
            return JobResult(job.output, "done", key)
    if batch.overwrite:
        return None
    problem = (
        "exists, made with other settings or by another program; use --overwrite or another --out"
    )
    return JobResult(job.output, "failed", "", f"{batch.path(job)} {problem}")


def _modification_time(batch: Batch, job: Job) -> int | None:
    """When the file at a job's path was last changed, in nanoseconds; None if there is none."""
    try:
        return batch.path(job).stat().st_mtime_ns
    except OSError:
        return None
