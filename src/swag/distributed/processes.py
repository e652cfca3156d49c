"""Workers that are processes of this machine. One that dies loses its own item only."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from queue import SimpleQueue
from typing import Any

from swag.allocation import keep_freed_memory
from swag.distributed.pool import ONE_THREAD, PAUSE, Item, Pool, WorkerDied, environment
from swag.distributed.worker import STOP, Answer, attempt


class Processes(Pool[Item]):
    """Processes, started when they are needed; a handle is the connection to one."""

    def __init__(self, function: Callable[[Item], Any], *, polite: bool) -> None:
        super().__init__()
        self._task = function, polite
        self._processes: dict[Any, BaseProcess] = {}

    def _start(self, item: Item) -> Any:
        idle = self._processes.keys() - self._running.keys()
        connection = idle.pop() if idle else self._start_process()
        with suppress(OSError):  # it died: `_answer` says so
            connection.send((item,))
        return connection

    def _start_process(self) -> Any:
        context = _context(self._task[0].__module__)
        connection, worker_end = context.Pipe()
        process = context.Process(target=_serve, args=(worker_end, *self._task), daemon=True)
        with environment(ONE_THREAD), _without_ctrl_c():
            process.start()
        worker_end.close()
        self._processes[connection] = process
        return connection

    def _done(self, running: list[Any]) -> list[Any]:
        return wait(running, PAUSE)

    def _answer(self, handle: Any) -> Answer:
        try:
            answer: Answer = handle.recv()
        except (EOFError, OSError):
            process = self._processes.pop(handle)
            process.join()
            code = process.exitcode or 0
            status = f"signal {-code}" if code < 0 else f"exit status {code}"
            return Answer(error=WorkerDied(f"its process died ({status})"))
        return answer

    def _tell_to_stop(self, running: list[Any]) -> None:
        for connection in running:
            with suppress(OSError):
                connection.send(())

    def _end(self, running: list[Any]) -> None:
        for connection, process in self._processes.items():
            connection.close()
            if connection in running:
                process.terminate()
        for process in self._processes.values():
            process.join()


def _context(module: str) -> Any:
    """The way to start processes: never by forking this one, whose threads a copy would lack."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([module])
    return context


def _serve(connection: Any, function: Callable[[Any], Any], polite: bool) -> None:
    """Main function of a worker: answers items until its connection closes."""
    keep_freed_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends Ctrl-C to workers, too
    items: SimpleQueue[Any] = SimpleQueue()
    threading.Thread(target=_listen, args=(connection, items, polite), daemon=True).start()
    with suppress(OSError):
        while message := items.get():
            connection.send(attempt(function, *message))


def _listen(connection: Any, items: "SimpleQueue[Any]", polite: bool) -> None:
    """Receive items in a thread of its own, so that a stop is noticed while one is at work."""
    try:
        with suppress(EOFError, OSError):
            while True:
                message = connection.recv()
                items.put(message) if message else STOP.set()
    finally:
        STOP.set()
        if not polite:
            os._exit(1)
        items.put(())


@contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """Inside, started processes block Ctrl-C, which would kill them before they can ignore it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # it lifts any mask when it starts
    old_mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old_mask)
