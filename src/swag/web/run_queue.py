"""The queue of runs, and the threads that compute them."""

import threading
from collections import deque

from swag.errors import ResourceError
from swag.web.limits import WebLimits
from swag.web.page_run import PageRun


class RunQueue:
    """First come, first served; as many at a time as the limits say."""

    def __init__(self, limits: WebLimits) -> None:
        self._limits = limits
        self._waiting: deque[PageRun] = deque()
        self._running: set[str] = set()
        self._changed = threading.Condition()
        self._open = True
        self._workers = [
            threading.Thread(target=self._compute, name=f"run {i}", daemon=True)
            for i in range(limits.runs)
        ]
        for worker in self._workers:
            worker.start()

    def submit(self, run: PageRun) -> None:
        """Add a run to the queue. ResourceError if the queue is full."""
        with self._changed:
            self._drop_ended()
            free = self._limits.runs - len(self._running)
            if len(self._waiting) >= self._limits.queue + max(0, free):
                raise ResourceError(
                    f"{len(self._waiting)} runs are waiting, the most allowed; try again later"
                )
            self._waiting.append(run)
            self._changed.notify()

    def places(self) -> dict[str, int]:
        """The place of each waiting run in the queue, from 1."""
        with self._changed:
            self._drop_ended()
            return {run.id: place for place, run in enumerate(self._waiting, start=1)}

    def close(self) -> None:
        """Drop the runs that wait, and give the threads a while to end."""
        with self._changed:
            self._open = False
            self._waiting.clear()
            self._changed.notify_all()
        for worker in self._workers:
            worker.join(timeout=5)

    def _drop_ended(self) -> None:
        """Drop runs that were stopped while they waited."""
        self._waiting = deque(run for run in self._waiting if not run.ended)

    def _compute(self) -> None:
        while (run := self._next()) is not None:
            run.work(self._limits.seconds)
            with self._changed:
                self._running.discard(run.id)

    def _next(self) -> PageRun | None:
        """The run whose turn it is; None when the queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or not self._open)
            if not self._open:
                return None
            run = self._waiting.popleft()
            self._running.add(run.id)
            return run
