"""The base of all kinds of workers: each gets an item, and another when that is done."""

import os
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from swag.distributed.worker import Answer
from swag.errors import ResourceError

Item = TypeVar("Item")
PAUSE = 0.2
"""Seconds between two checks whether to stop."""

TELL_AGAIN = 1.0
"""Seconds until workers are told again to stop. A task of Ray that was told is about to return its
answer, which would be lost if it were told once more meanwhile."""

ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Variables that libraries read when they are loaded: they are set for workers to inherit."""


class WorkerDied(ResourceError):
    """A worker's process ended before its item was done; the message says how."""


class Pool(ABC, Generic[Item]):
    """Workers that all have the same function; a handle stands for an item at work."""

    def __init__(self) -> None:
        self._running: dict[Any, Item] = {}

    def completed(
        self,
        items: Iterable[Item],
        workers: int,
        begin: Callable[[Item], object],
        should_stop: Callable[[], bool],
    ) -> Iterator[tuple[Item, Answer]]:
        """Hand out items, at most one per worker, and yield answers when they are ready."""
        waiting = deque(items)
        last_request = float("-inf")
        while True:
            if should_stop():
                waiting.clear()
                if time.monotonic() - last_request >= TELL_AGAIN:
                    self._tell_to_stop(list(self._running))
                    last_request = time.monotonic()
            while waiting and len(self._running) < workers:
                begin(waiting[0])
                handle = self._start(waiting[0])
                self._running[handle] = waiting.popleft()
            if not self._running:
                return
            for handle in self._done(list(self._running)):
                answer = self._answer(handle)
                yield self._running.pop(handle), answer

    def close(self) -> None:
        """End all workers, even those at work."""
        self._end(list(self._running))

    @abstractmethod
    def _start(self, item: Item) -> Any:
        """Give an item to a free worker; returns its handle."""

    @abstractmethod
    def _done(self, running: list[Any]) -> list[Any]:
        """Wait at most `PAUSE`; returns the handles with an answer."""

    @abstractmethod
    def _answer(self, handle: Any) -> Answer:
        """Returns the answer of a handle from `_done`."""

    @abstractmethod
    def _tell_to_stop(self, running: list[Any]) -> None:
        """Make `stop_requested` true in workers; called again every `TELL_AGAIN` seconds."""

    @abstractmethod
    def _end(self, running: list[Any]) -> None:
        """End all workers; these handles are still at work."""


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Inside, set these environment variables where unset, for processes to inherit."""
    added = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]
