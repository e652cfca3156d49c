"""All jobs of a batch: those that are done are skipped, the others made, here or by workers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from swag.batch.jobs import Job, check_distinct
from swag.batch.manifest import JobResult, Manifest
from swag.batch.work import Batch, Seen, Stopping
from swag.distributed import Backend, as_completed, told_to_stop
from swag.errors import SettingsError
from swag.files import remove, remove_leftovers


def run(
    batch: Batch,
    jobs: Sequence[Job],
    manifest: Manifest,
    *,
    workers: int = 1,
    backend: Backend = "processes",
    seen: Seen = lambda update: None,
    stopping: Stopping = lambda: False,
) -> Iterator[JobResult]:
    """Yield a result for each job, as it comes; the manifest has it by then.

    Every job's settings are looked at before the first is done. With several `workers`, or with
    Ray, each is a process with a network of its own, and `seen` is not called.

    Raises:
        SettingsError: two outputs that are one file, or the settings of a job.
        ResourceError: a manifest that cannot be written, or no answer of Ray's cluster.
        DependencyError: Ray is not installed.
    """
    check_distinct(jobs, batch.folder)
    keys = {job.output: _key(batch, job) for job in jobs}
    left = []
    for job in jobs:
        settled = _settled(batch, job, keys[job.output], manifest)
        if settled is None:
            left.append(job)
            continue
        if settled.state == "done" and manifest.last[job.output] != settled:
            remove(batch.file(job).checkpoint)
            remove_leftovers(batch.path(job))
            manifest.write(settled)
        yield replace(settled, state="there") if settled.state == "done" else settled

    def begin(job: Job) -> None:
        changed = _changed(batch, job)
        manifest.write(JobResult(job.output, "running", keys[job.output], before=changed))

    make: Callable[[Job], JobResult] = InWorker(batch, max(1, torch.get_num_threads() // workers))
    if workers == 1 and backend == "processes":
        make = lambda job: batch.make(job, seen, stopping)  # noqa: E731
    for result in as_completed(
        make,
        left,
        workers=workers,
        backend=backend,
        begin=begin,
        stopping=stopping,
        died=lambda job, how: JobResult(job.output, "failed", error=how),
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
        return self.batch.make(job, lambda update: None, told_to_stop)


def _key(batch: Batch, job: Job) -> str:
    try:
        return batch.key(job)
    except SettingsError as error:
        raise SettingsError(f"{job.output}: {error}") from error


def _settled(batch: Batch, job: Job, key: str, manifest: Manifest) -> JobResult | None:
    """The result of a job that needs no work: its picture exists, or another file has its name."""
    there, last = _changed(batch, job), manifest.last.get(job.output)
    if there is None:
        return None
    if last is not None and last.key == key:
        if last.state == "done":
            return last
        # Killed after the picture was written, before the manifest was: pictures are whole.
        if last.state == "running" and there != last.before:
            return JobResult(job.output, "done", key)
    if batch.overwrite:
        return None
    said = (
        "exists, made with other settings or by another program; use --overwrite or another --out"
    )
    return JobResult(job.output, "failed", "", f"{batch.path(job)} {said}")


def _changed(batch: Batch, job: Job) -> int | None:
    """When the file in a job's place was last changed, or None if there is none."""
    try:
        return batch.path(job).stat().st_mtime_ns
    except OSError:
        return None
