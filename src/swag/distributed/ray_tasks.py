"""Workers that are tasks of Ray, on this machine or on a cluster."""

import logging
import os
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import nullcontext, suppress
from functools import lru_cache
from typing import Any

from swag.allocation import keep_freed_memory
from swag.distributed.pool import ONE_THREAD, PAUSE, Item, Pool, WorkerDied, environment
from swag.distributed.worker import Answer, attempt, stop_by_signal
from swag.errors import ResourceError

PATIENCE = 5.0
"""Seconds that a task has to end before it is killed: one that sleeps or waits does not notice."""


class RayTasks(Pool[Item]):
    """Tasks of Ray, which runs one after the other in each of its worker processes.

    If Ray does not run yet, it is started here and stopped by `close`.
    """

    def __init__(self, function: Callable[[Item], Any], workers: int, *, polite: bool) -> None:
        import ray

        super().__init__()
        self._was_told = False
        self._owns_ray = not ray.is_initialized()
        try:
            if self._owns_ray:
                _start_ray(workers)
            self._remote: Any = ray.remote(_in_worker)
            self._task = [ray.put(function)], polite, os.getcwd()
        except BaseException:
            self.close()
            raise

    def _start(self, item: Item) -> Any:
        return self._remote.remote(*self._task, item)

    def _done(self, running: list[Any]) -> list[Any]:
        import ray

        ready: list[Any] = ray.wait(running, timeout=PAUSE)[0]
        return ready

    def _answer(self, handle: Any) -> Answer:
        import ray

        try:
            answer: Answer = ray.get(handle)
        except ray.exceptions.TaskCancelledError:
            return Answer(error=CancelledError())
        except ray.exceptions.RayTaskError as error:  # before the function was called
            # Ray calls SIG_DFL if it cancels a task whose arguments it reads at the moment.
            return Answer(error=CancelledError() if self._was_told else error.cause)
        except ray.exceptions.RayError as error:
            return Answer(error=WorkerDied(f"its process died ({type(error).__name__})"))
        return answer

    def _tell_to_stop(self, running: list[Any]) -> None:
        self._was_told = True
        _cancel(running)

    def _end(self, running: list[Any]) -> None:
        import ray

        try:
            for force in (False, True):
                if running:
                    _cancel(running, force=force)
                    _, running = ray.wait(
                        running, num_returns=len(running), timeout=PATIENCE, fetch_local=False
                    )
        finally:
            if self._owns_ray:
                ray.shutdown()


def _cancel(running: list[Any], *, force: bool = False) -> None:
    import ray

    for reference in running:
        ray.cancel(reference, force=force)


def _in_worker(function: list[Any], polite: bool, folder: str, item: Any) -> Answer:
    """Run in a process of Ray, in the folder of the main process if it exists there."""
    keep_freed_memory()
    with suppress(OSError):
        os.chdir(folder)
    with stop_by_signal() if polite else nullcontext():  # Ray cancels by SIGINT
        return attempt(_fetch_function(*function), item)


@lru_cache(maxsize=1)
def _fetch_function(reference: Any) -> Any:
    """The function, unpickled once per process, so that it keeps what it has loaded."""
    import ray

    return ray.get(reference)


def _start_ray(workers: int) -> None:
    """Start Ray or join a cluster, without printing Ray's own notices."""
    import ray

    cluster = os.environ.get("RAY_ADDRESS")
    # Without an address Ray would join any cluster of this machine, and refuse a number.
    options: Any = {"address": cluster} if cluster else {"address": "local", "num_cpus": workers}
    options |= {"include_dashboard": False, "log_to_driver": False, "logging_level": logging.ERROR}
    try:
        with environment({**ONE_THREAD, "RAY_USAGE_STATS_ENABLED": "0"}):
            ray.init(**options)
    except ConnectionError as error:
        raise ResourceError(
            f"no Ray cluster answers at {cluster}; mend or unset RAY_ADDRESS"
        ) from error
