"""All jobs of a batch: those that are done are skipped, the others made, here or in processes."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from swag.batch.jobs import Job, check_distinct
from swag.batch.ledger import Ledger, Outcome
from swag.batch.processes import Begin, in_processes
from swag.batch.work import Batch, Seen, Stopping
from swag.errors import SettingsError
from swag.files import remove


def run(
    batch: Batch,
    jobs: Sequence[Job],
    ledger: Ledger,
    *,
    workers: int = 1,
    seen: Seen = lambda update: None,
    stopping: Stopping = lambda: False,
) -> Iterator[Outcome]:
    """Yield an outcome for each job, as it comes; the ledger has it by then.

    Every job's settings are looked at before the first is done. With several `workers` each is a
    process with a network of its own, and `seen` is not called.

    Raises:
        SettingsError: two outputs that are one file, the settings of a job, or a ledger that
            cannot be written.
    """
    check_distinct(jobs, batch.folder)
    keys = {job.output: _key(batch, job) for job in jobs}
    left = []
    for job in jobs:
        settled = _settled(batch, job, keys[job.output], ledger)
        if settled is None:
            left.append(job)
            continue
        if settled.state == "done" and ledger.last[job.output] != settled:
            remove(batch.file(job).checkpoint)
            ledger.write(settled)
        yield replace(settled, state="there") if settled.state == "done" else settled

    def begin(job: Job) -> None:
        changed = _changed(batch, job)
        ledger.write(Outcome(job.output, "running", keys[job.output], before=changed))

    made = _here(batch, left, begin, seen, stopping=stopping)
    if workers > 1:
        made = in_processes(batch, left, begin, workers, stopping=stopping)
    for outcome in made:
        ledger.write(outcome)
        yield outcome


def _here(
    batch: Batch, jobs: Sequence[Job], begin: Begin, seen: Seen, stopping: Stopping
) -> Iterator[Outcome]:
    for job in jobs:
        if stopping():
            return
        begin(job)
        yield batch.make(job, seen, stopping)


def _key(batch: Batch, job: Job) -> str:
    try:
        return batch.key(job)
    except SettingsError as error:
        raise SettingsError(f"{job.output}: {error}") from error


def _settled(batch: Batch, job: Job, key: str, ledger: Ledger) -> Outcome | None:
    """What is already known of a job: its picture is there, or something else in its place."""
    there, last = _changed(batch, job), ledger.last.get(job.output)
    if there is None:
        return None
    if last is not None and last.key == key:
        if last.state == "done":
            return last
        # Killed after the picture was written, before the ledger was: pictures are whole.
        if last.state == "running" and there != last.before:
            return Outcome(job.output, "done", key)
    if batch.overwrite:
        return None
    said = (
        "exists, made with other settings or by another program; use --overwrite or another --out"
    )
    return Outcome(job.output, "failed", "", f"{batch.path(job)} {said}")


def _changed(batch: Batch, job: Job) -> int | None:
    """When the file in a job's place was last changed, or None if there is none."""
    try:
        return batch.path(job).stat().st_mtime_ns
    except OSError:
        return None
