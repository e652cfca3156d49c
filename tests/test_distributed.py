"""One function over many items, in one process or several."""

import importlib.util
import logging
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

from swag.distributed import WorkerDied, as_completed, pool, stop_requested
from swag.distributed.pool import Pool
from swag.distributed.worker import Answer
from swag.errors import DependencyError, SettingsError

# Functions of the standard library: a new process then has nothing of ours to import.
HERE = "OMP_NUM_THREADS"


def test_a_plain_loop_is_lazy_and_in_order():
    results = as_completed(int, iter(["1", "2", "thirteen"]))
    assert [next(results), next(results)] == [1, 2]
    with pytest.raises(ValueError, match="thirteen"):
        next(results)


def test_a_plain_loop_begins_no_item_once_it_is_to_stop():
    begun = []
    results = as_completed(int, "12345", begin=begun.append, should_stop=lambda: len(begun) > 1)
    assert (list(results), begun) == ([1, 2], ["1", "2"])


class Told(Pool[int]):
    """Workers that answer one by one, each at the next look."""

    def __init__(self):
        super().__init__()
        self.told = []

    def _start(self, item):
        return item

    def _done(self, running):
        return running[:1]

    def _answer(self, handle):
        return Answer(value=handle)

    def _tell_to_stop(self, running):
        self.told.append(running)

    def _end(self, running):
        pass


@pytest.mark.parametrize(("pause", "told"), [(60.0, [[2, 3]]), (0.0, [[2, 3], [3], []])])
def test_workers_are_told_again_to_stop_after_a_pause_only(monkeypatch, pause, told):
    """A task of Ray that is told while it gives its answer loses the answer."""
    monkeypatch.setattr(pool, "TELL_AGAIN", pause)
    workers, begun = Told(), []
    answers = workers.completed(range(1, 9), 3, begun.append, should_stop=lambda: len(begun) == 3)
    assert [item for item, _ in answers] == begun == [1, 2, 3]
    assert workers.told == told


def test_processes_have_one_thread_each(monkeypatch):
    monkeypatch.delenv(HERE, raising=False)
    found = as_completed(os.getenv, [HERE, "PATH"], workers=2)
    assert sorted(found) == sorted(["1", os.environ["PATH"]])
    assert HERE not in os.environ


def slept(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def test_results_come_when_they_are_there():
    assert list(as_completed(slept, [4.0, 0.0, 0.1], workers=2))[-1] == 4


def test_an_exception_in_a_process_comes_out_here_and_says_where_it_was_raised():
    results = as_completed(int, ["1", "thirteen", "2", "3"], workers=2)
    with pytest.raises(ValueError, match="thirteen") as raised:
        list(results)
    assert "attempt" in raised.value.__notes__[0]


@pytest.mark.parametrize("stopping", [None, lambda: False])
def test_what_runs_when_no_more_is_asked_for_is_ended(stopping):
    results = as_completed(slept, [0.0, 600.0], workers=2, should_stop=stopping)
    next(results)
    results.close()  # waits for its processes


def killed(item: int) -> int:
    if item == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def test_a_process_that_dies_takes_its_item_along_and_no_other():
    results = as_completed(killed, range(4), workers=2, on_death=lambda item, how: (item, how))
    assert set(results) == {0, (1, "its process died (signal 9)"), 2, 3}
    with pytest.raises(WorkerDied, match="signal 9"):
        list(as_completed(killed, range(4), workers=2))


def until_told(item: int) -> int:
    while not stop_requested():
        time.sleep(0.01)
    return item


def test_processes_are_told_to_stop_and_nothing_more_is_begun():
    begun = []
    results = as_completed(
        until_told, range(9), workers=2, begin=begun.append, should_stop=lambda: bool(begun)
    )
    assert sorted(results) == begun == [0, 1]


def warned(item: int) -> int:
    logging.getLogger("swag").warning("100 %% of %s", item)
    warnings.warn("a word of a library", stacklevel=1)
    return item


def test_warnings_of_ours_come_with_the_result(caplog, capfd):
    caplog.set_level(logging.WARNING, logger="swag")  # a command with --quiet has set another
    assert sorted(as_completed(warned, [1, 2], workers=2)) == [1, 2]
    assert sorted(caplog.messages) == ["100 % of 1", "100 % of 2"]
    assert capfd.readouterr().err == ""


def test_a_wrong_number_of_workers_is_refused_at_once():
    with pytest.raises(SettingsError, match="0 workers"):
        as_completed(int, ["1"], workers=0)


def test_ray_without_ray_is_one_line_that_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DependencyError, match="swag-style"):
        as_completed(int, ["1"], backend="ray")


PROGRAM = """
from swag.distributed import as_completed
from work import work

for _ in as_completed(work, [0, 1, 2], workers=2, should_stop={stopping}):
    pass
"""

WORK = """
import os, pathlib, time
from swag.distributed import stop_requested

def work(item):
    pathlib.Path(f"{item}.part").write_text(str(os.getpid()))
    os.rename(f"{item}.part", f"{item}.pid")
    while not stop_requested():
        time.sleep(0.05)
    time.sleep(0.5)
    pathlib.Path(f"{item}.end").touch()
"""


def is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def within(seconds: float, question) -> bool:
    until = time.monotonic() + seconds
    while not question() and time.monotonic() < until:
        time.sleep(0.05)
    return question()


@pytest.mark.parametrize(
    ("number", "stopping"),
    [(signal.SIGTERM, None), (signal.SIGKILL, None), (signal.SIGTERM, "lambda: False")],
)
def test_processes_at_work_end_with_the_one_that_asks(number, stopping, tmp_path: Path):
    """At once, or as soon as the function does if it is one that looks whether to stop."""
    (tmp_path / "work.py").write_text(WORK)
    command = [sys.executable, "-c", PROGRAM.format(stopping=stopping)]
    with subprocess.Popen(command, cwd=tmp_path) as head:
        try:
            assert within(60, lambda: len(list(tmp_path.glob("*.pid"))) == 2)
            workers = [int(file.read_text()) for file in tmp_path.glob("*.pid")]
            assert all(map(is_there, workers))
        finally:
            head.send_signal(number)
    assert within(10, lambda: not any(map(is_there, workers)))
    assert len(list(tmp_path.glob("*.end"))) == (2 if stopping else 0)
