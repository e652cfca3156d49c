"""One function over many items: in a plain loop, in processes, or with Ray.

for result in map(perform, jobs, workers=4): ...
"""

import importlib.util
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Literal, TypeVar

from swag.allocation import keep_freed_memory
from swag.errors import SettingsError

Item = TypeVar("Item")
Result = TypeVar("Result")
Backend = Literal["processes", "ray"]
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def map(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int = 1,
    backend: Backend = "processes",
) -> Iterator[Result]:
    """Results in the order of the items; an exception of the function comes out here.

    One worker is a plain loop in this process. More are new processes (spawned, so that no lock
    or thread is inherited), each with one thread unless the environment says otherwise; function
    and items must be picklable, and what the function keeps lives as long as its process.

    Raises:
        SettingsError: fewer than one worker, or Ray where it is not installed.
    """
    if workers < 1:
        raise SettingsError(f"{workers} workers were asked for; expected 1 or more")
    if backend == "ray":
        return _with_ray(function, items, workers)
    if workers == 1:
        return (function(item) for item in items)
    return _in_processes(function, list(items), workers)


def _in_processes(
    function: Callable[[Item], Result], items: list[Item], workers: int
) -> Iterator[Result]:
    context = multiprocessing.get_context("spawn")
    before = {name: os.environ.get(name) for name in THREADS}
    # Libraries read these when they are loaded: they are set for the processes to inherit.
    os.environ.update({name: value or "1" for name, value in before.items()})
    pool = ProcessPoolExecutor(
        min(workers, max(1, len(items))), mp_context=context, initializer=keep_freed_memory
    )
    try:
        yield from pool.map(function, items)
    finally:
        pool.shutdown(cancel_futures=True)
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _with_ray(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> Iterator[Result]:
    if importlib.util.find_spec("ray") is None:
        raise SettingsError(
            "Ray is not installed; use processes, or install it: pip install 'swag-style[ray]'"
        )
    import ray

    if not ray.is_initialized():
        ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False)
    remote = ray.remote(function)
    return (ray.get(reference) for reference in [remote.remote(item) for item in items])
