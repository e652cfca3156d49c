"""One function over many items: in a plain loop, in processes, or with Ray.

for result in map(perform, jobs, workers=4): ...
"""

import importlib.util
import logging
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import Any, Literal, TypeVar

from swag.allocation import keep_freed_memory
from swag.errors import DependencyError, ResourceError, SettingsError

Item = TypeVar("Item")
Returned = TypeVar("Returned")
Backend = Literal["processes", "ray"]
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def map(
    function: Callable[[Item], Returned],
    items: Iterable[Item],
    *,
    workers: int = 1,
    backend: Backend = "processes",
) -> Iterator[Returned]:
    """Results in the order of the items; an exception of the function comes out here.

    One worker is a plain loop in this process. More are new processes (spawned, so that no lock
    or thread is inherited), each with one thread unless the environment says otherwise; function
    and items must be picklable, and what the function keeps lives as long as its process.

    Ray that runs already in this process is used and goes on; so is the cluster that RAY_ADDRESS
    names. Otherwise Ray is started here, sends no statistics of its use, and ends with the results.

    Raises:
        SettingsError: fewer than one worker, Ray if it is not installed, or no answer of its
            cluster.
    """
    if workers < 1:
        raise SettingsError(f"{workers} workers were asked for; expected 1 or more")
    if backend == "ray":
        if importlib.util.find_spec("ray") is None:
            raise DependencyError(
                "Ray is not installed; use processes, or install it: pip install 'swag-style[ray]'"
            )
        return _with_ray(function, list(items), workers)
    if workers == 1:
        return (function(item) for item in items)
    return _in_processes(function, list(items), workers)


def _in_processes(
    function: Callable[[Item], Returned], items: list[Item], workers: int
) -> Iterator[Returned]:
    context = multiprocessing.get_context("spawn")
    # Libraries read these when they are loaded: they are set for the processes to inherit.
    with _environment(dict.fromkeys(THREADS, "1")):
        pool = ProcessPoolExecutor(
            min(workers, max(1, len(items))), mp_context=context, initializer=keep_freed_memory
        )
        try:
            yield from pool.map(function, items)
        finally:
            pool.shutdown(cancel_futures=True)


def _with_ray(
    function: Callable[[Item], Returned], items: list[Item], workers: int
) -> Iterator[Returned]:
    if not items:
        return
    import ray

    given, running, ordered = iter(items), list[Any](), deque[Any]()
    with _ray(min(workers, len(items))):
        remote: Any = ray.remote(_in_worker)
        try:
            while True:
                # No more at once than workers, whatever the size of a cluster.
                started = [
                    remote.remote(function, item) for item in islice(given, workers - len(running))
                ]
                running += started
                ordered += started
                if not ordered:
                    return
                if ordered[0] in running:
                    _, running = ray.wait(running)
                else:
                    # A reference that is kept would keep its result in Ray's store.
                    yield _result(ordered.popleft())
        finally:
            _stop(running)


def _stop(running: list[Any]) -> None:
    """Interrupt tasks, and kill those that go on: one that sleeps or waits does not notice."""
    import ray

    for force in (False, True):
        if not running:
            return
        for reference in running:
            ray.cancel(reference, force=force)
        _, running = ray.wait(running, num_returns=len(running), timeout=5, fetch_local=False)


def _in_worker(function: Callable[[Item], Returned], item: Item) -> Returned:
    keep_freed_memory()
    return function(item)


def _result(reference: Any) -> Any:
    """What a task returned; its exception as it was raised there, not as an error of Ray."""
    import ray

    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error


@contextmanager
def _ray(workers: int) -> Iterator[None]:
    """Ray, of which nothing is left behind if it was not there before."""
    import ray

    if ray.is_initialized():
        yield
        return
    cluster = os.environ.get("RAY_ADDRESS")
    # Without an address Ray would join any cluster of this machine, and refuse a number.
    where = {"address": cluster} if cluster else {"address": "local", "num_cpus": workers}
    with _environment({**dict.fromkeys(THREADS, "1"), "RAY_USAGE_STATS_ENABLED": "0"}):
        try:
            _start(where)
            yield
        finally:
            ray.shutdown()


def _start(where: dict[str, Any]) -> None:
    """Start Ray or join a cluster, without its notices, which are not the program's."""
    import ray

    try:
        ray.init(**where, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except ConnectionError as error:
        raise ResourceError(
            f"no Ray cluster answers at {where['address']}; mend or unset RAY_ADDRESS"
        ) from error


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """These variables of the environment if they are not set, for processes to inherit."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update({name: before[name] or value for name, value in values.items()})
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
