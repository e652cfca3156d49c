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
        line = idle.pop() if idle else self._hire()
        with suppress(OSError):  # it died: `_answer` says so
            line.send((item,))
        return line

    def _hire(self) -> Any:
        context = _context(self._task[0].__module__)
        line, its = context.Pipe()
        process = context.Process(target=_serve, args=(its, *self._task), daemon=True)
        with environment(ONE_THREAD), _without_ctrl_c():
            process.start()
        its.close()
        self._processes[line] = process
        return line

    def _done(self, running: list[Any]) -> list[Any]:
        return wait(running, PAUSE)

    def _answer(self, handle: Any) -> Answer:
        try:
            answer: Answer = handle.recv()
        except (EOFError, OSError):
            process = self._processes.pop(handle)
            process.join()
            code = process.exitcode or 0
            died = f"signal {-code}" if code < 0 else f"exit status {code}"
            return Answer(error=WorkerDied(f"its process died ({died})"))
        return answer

    def _tell_to_stop(self, running: list[Any]) -> None:
        for line in running:
            with suppress(OSError):
                line.send(())

    def _end(self, running: list[Any]) -> None:
        for line, process in self._processes.items():
            line.close()
            if line in running:
                process.terminate()
        for process in self._processes.values():
            process.join()


def _context(module: str) -> Any:
    """How to start processes: never by forking this one, whose threads a copy would lack."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([module])
    return context


def _serve(line: Any, function: Callable[[Any], Any], polite: bool) -> None:
    """Main function of a worker: answers items until its connection closes."""
    keep_freed_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends Ctrl-C to workers, too
    items: SimpleQueue[Any] = SimpleQueue()
    threading.Thread(target=_listen, args=(line, items, polite), daemon=True).start()
    with suppress(OSError):
        while given := items.get():
            line.send(attempt(function, *given))


def _listen(line: Any, items: "SimpleQueue[Any]", polite: bool) -> None:
    """Receive items in a thread of its own, so that a stop is noticed while one is at work."""
    try:
        with suppress(EOFError, OSError):
            while True:
                given = line.recv()
                items.put(given) if given else STOP.set()
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
    resource_tracker.ensure_running()  # which lifts any mask when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
