"""Jobs in several processes; one that dies takes its job along and no other."""

import contextlib
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

import torch

from swag.allocation import keep_freed_memory
from swag.batch.jobs import Job
from swag.batch.ledger import Outcome
from swag.batch.work import Batch, Stopping
from swag.messages import own_lines

Begin = Callable[[Job], object]

PAUSE = 0.2
"""Seconds between two looks whether to stop."""


@dataclass
class Worker:
    """A process, the line to it, and the job that it has."""

    process: BaseProcess
    line: Any
    job: Job | None = None


def in_processes(
    batch: Batch, jobs: Sequence[Job], begin: Begin, workers: int, stopping: Stopping
) -> Iterator[Outcome]:
    """Yield outcomes as they come; `begin` is called before a job is handed out."""
    waiting = deque(jobs)
    threads = max(1, torch.get_num_threads() // workers)
    staff = [_hired(batch, threads) for _ in range(min(workers, len(jobs)))]
    told = False
    try:
        while True:
            if stopping():
                waiting.clear()
                told = told or _tell(staff)
            for worker in staff:
                if waiting and worker.job is None:
                    worker.job = waiting.popleft()
                    begin(worker.job)
                    with contextlib.suppress(OSError):  # it died: the line says so below
                        worker.line.send(worker.job)
            busy = [worker for worker in staff if worker.job is not None]
            if not busy:
                return
            for line in wait([worker.line for worker in busy], PAUSE):
                number = next(i for i, worker in enumerate(staff) if worker.line is line)
                yield _received(staff[number])
                if staff[number].job is not None:  # dead: another takes its place
                    staff[number] = _hired(batch, threads)
                staff[number].job = None
    finally:
        _dismiss(staff)


def _hired(batch: Batch, threads: int) -> Worker:
    context = _context()
    ours, its = context.Pipe()
    process = context.Process(target=_serve, args=(its, batch, threads), daemon=True)
    process.start()
    its.close()
    return Worker(process, ours)


def _context() -> Any:
    """How processes are started: not forked from this one, whose threads a copy would not have."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["swag.batch.work"])
    return context


def _received(worker: Worker) -> Outcome:
    """The outcome a worker sends; if it died instead, it keeps its job."""
    assert worker.job is not None
    try:
        outcome: Outcome = worker.line.recv()
    except (EOFError, OSError):
        worker.process.join()
        code = worker.process.exitcode or 0
        died = f"signal {-code}" if code < 0 else f"exit status {code}"
        return Outcome(worker.job.output, "failed", "", f"its process died ({died})")
    worker.job = None
    return outcome


def _tell(staff: Sequence[Worker]) -> bool:
    for worker in staff:
        if worker.process.pid is not None and worker.process.is_alive():
            os.kill(worker.process.pid, signal.SIGINT)
    return True


def _dismiss(staff: Sequence[Worker]) -> None:
    for worker in staff:
        with contextlib.suppress(OSError):
            worker.line.send(None)
        worker.line.close()
        if worker.job is not None:
            worker.process.terminate()
    for worker in staff:
        worker.process.join()


def _serve(line: "Connection[Any, Any]", batch: Batch, threads: int) -> None:
    """A worker's life: jobs in, outcomes out, until there are no more, or no one to send them."""
    keep_freed_memory()
    torch.set_num_threads(threads)
    asked: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: asked.append(number))

    def stopping() -> bool:
        # Nothing is sent while a job is under way: what can be read is the end of the line.
        return bool(asked) or bool(line.poll())

    with own_lines(), contextlib.suppress(EOFError, OSError):
        while (job := line.recv()) is not None:
            line.send(batch.make(job, lambda update: None, stopping))
