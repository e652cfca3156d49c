"""One function over many items: in this process, in several, or with Ray.

for result in as_completed(perform, jobs, workers=4): ...
"""

import importlib.util
import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import closing
from typing import Any, Literal, TypeVar

from swag.distributed.pool import Item, WorkerDied
from swag.distributed.processes import Processes
from swag.distributed.ray_tasks import RayTasks
from swag.distributed.worker import stop_requested
from swag.errors import DependencyError, SettingsError

__all__ = ["Backend", "WorkerDied", "as_completed", "stop_requested"]

Backend = Literal["processes", "ray"]
Value = TypeVar("Value")
LOG = logging.getLogger("swag")


def _raise_died(item: object, how: str) -> Any:
    raise WorkerDied(f"{how} during a job; try again, with fewer workers if memory is short")


def as_completed(
    function: Callable[[Item], Value],
    items: Iterable[Item],
    *,
    workers: int = 1,
    backend: Backend = "processes",
    begin: Callable[[Item], object] = lambda item: None,
    should_stop: Callable[[], bool] | None = None,
    on_death: Callable[[Item, str], Value] = _raise_died,
) -> Iterator[Value]:
    """Call a function on each item and yield its results in the order in which they are ready.

    One worker is a plain loop in this process. Several are new processes, which inherit no lock
    and no thread, and which end when this process ends, however it ends. Each has one thread
    unless the environment or the function says otherwise. SWAG's warnings come back with the
    result.

    The backend `ray` uses Ray if it runs in this process already, or the cluster RAY_ADDRESS.
    Otherwise it starts Ray on this machine, without statistics of its use, and stops it at the
    end. Ray repeats an item, up to three times, if its worker dies.

    Args:
        function: Picklable if there are several workers, as items are. What it keeps lives as long
            as the process of a worker.
        items: Begun in this order.
        workers: Most items at work at the same time.
        backend: Kind of the workers.
        begin: Called in this process before an item is handed to a worker.
        should_stop: Called in this process several times a second. Once it is true, no item is
            begun any more, and `stop_requested` is true in the workers. The function must call
            that: nothing else ends it early. Without `should_stop`, closing the iterator ends all
            workers.
        on_death: Called with an item whose worker died and with a short description of how; returns
            the result in its place.

    Raises:
        SettingsError: fewer than one worker.
        DependencyError: Ray is not installed.
        ResourceError: Ray's cluster does not answer.
        WorkerDied: a worker died, and `on_death` is not given.
        Exception: what the function raises, with the worker's traceback as a note.
    """
    if workers < 1:
        raise SettingsError(f"{workers} workers were asked for; expected 1 or more")
    if backend == "ray" and importlib.util.find_spec("ray") is None:
        raise DependencyError(
            "Ray is not installed; use processes, or install it: pip install 'swag-style[ray]'"
        )
    if backend == "processes" and workers == 1:
        return _in_this_process(function, items, begin, should_stop or (lambda: False))
    return _by_workers(
        function,
        list(items),
        workers=workers,
        backend=backend,
        begin=begin,
        should_stop=should_stop,
        on_death=on_death,
    )


def _in_this_process(
    function: Callable[[Item], Value],
    items: Iterable[Item],
    begin: Callable[[Item], object],
    should_stop: Callable[[], bool],
) -> Iterator[Value]:
    for item in items:
        if should_stop():
            return
        begin(item)
        yield function(item)


def _by_workers(
    function: Callable[[Item], Value],
    items: list[Item],
    *,
    workers: int,
    backend: Backend,
    begin: Callable[[Item], object],
    should_stop: Callable[[], bool] | None,
    on_death: Callable[[Item, str], Value],
) -> Iterator[Value]:
    if not items:
        return
    workers, polite = min(workers, len(items)), should_stop is not None
    pool: Processes[Item] | RayTasks[Item]
    if backend == "ray":
        pool = RayTasks(function, workers, polite=polite)
    else:
        pool = Processes(function, polite=polite)
    with closing(pool):
        for item, answer in pool.completed(items, workers, begin, should_stop or (lambda: False)):
            for level, message in answer.messages:
                LOG.log(level, "%s", message)
            if answer.error is None:
                yield answer.value
            elif isinstance(answer.error, WorkerDied):
                yield on_death(item, str(answer.error))
            elif not isinstance(answer.error, CancelledError):
                raise answer.error
