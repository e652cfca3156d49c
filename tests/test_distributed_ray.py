"""Ray as it really runs: as processes do, and with nothing left behind."""

import logging
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import CancelledError
from functools import partial
from itertools import pairwise

import pytest

from swag import distributed
from swag.allocation import idle_memory
from swag.distributed import ray_tasks
from swag.distributed.pool import ONE_THREAD
from swag.distributed.ray_tasks import RayTasks
from swag.errors import ResourceError, SettingsError
from swag.smoothing import parse

ray = pytest.importorskip("ray")

LARGE = 2**27

with_ray = partial(distributed.as_completed, backend="ray")


@pytest.fixture(scope="module")
def running():
    """Ray with two processors that runs beforehand, which is faster than one each."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()
    os.environ.pop("RAY_USAGE_STATS_ENABLED")


def test_ray_is_started_with_one_thread_for_each_worker_and_ends(monkeypatch):
    assert not ray.is_initialized()
    for name in ONE_THREAD:
        monkeypatch.delenv(name, raising=False)
    names = [*ONE_THREAD, "RAY_USAGE_STATS_ENABLED"]
    assert list(with_ray(os.getenv, names, workers=1)) == ["1", "1", "0"]
    assert not ray.is_initialized() and not set(names) & set(os.environ)


def test_nothing_to_do_does_not_start_ray(monkeypatch):
    monkeypatch.setattr(ray, "init", pytest.fail)
    assert list(with_ray(int, [], workers=2)) == []


def test_a_cluster_that_does_not_answer_is_one_line(monkeypatch):
    def fails(**options):
        # Ray's own switch for this depends on how it is started, and on its version.
        assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
        raise ConnectionError(options["address"])

    monkeypatch.setattr(ray, "init", fails)
    monkeypatch.setenv("RAY_ADDRESS", "203.0.113.1:6379")
    with pytest.raises(ResourceError, match=r"answers at 203\.0\.113\.1:6379; "):
        list(with_ray(int, ["1"]))


STOPPED = """
import os, signal, time
from swag import distributed
from swag.distributed import ray_tasks

ray_tasks.PATIENCE = 0.5
# What is started in the background of a shell is born deaf to Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

def work(item):
    time.sleep(600 if item else 0)
    return os.getpid()

for process in distributed.as_completed(work, [0, 1, 1], workers=1, backend="ray"):
    print(process, flush=True)
"""


def ended(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def test_ctrl_c_leaves_no_process_behind_and_ray_has_said_nothing():
    command = [sys.executable, "-c", STOPPED]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as program:
        worker = int(program.stdout.readline())
        assert not ended(worker)
        os.killpg(program.pid, signal.SIGINT)
        try:
            told = program.communicate(timeout=60)[1]
        finally:
            program.kill()
    assert told.startswith("Traceback") and told.endswith("KeyboardInterrupt\n")
    until = time.monotonic() + 20
    while not ended(worker) and time.monotonic() < until:
        time.sleep(0.1)
    assert ended(worker)


def test_results_come_when_they_are_there(running):
    def slept(item):
        time.sleep(0 if item else 2)
        return item

    assert list(with_ray(slept, range(5), workers=2))[-1] == 0


def test_any_callable_will_do(running):
    assert sorted(with_ray(partial(int, base=2), ["1", "10"], workers=2)) == [1, 2]


def test_an_exception_is_that_of_the_function_and_ray_goes_on(running):
    results = with_ray(int, ["1", "thirteen"], workers=1)
    assert next(results) == 1
    with pytest.raises(ValueError, match="thirteen") as raised:
        next(results)
    assert type(raised.value) is ValueError
    assert list(with_ray(int, ["3"])) == [3]


def test_a_mistake_stays_one_line_of_its_class(running):
    with pytest.raises(SettingsError, match="no smoothing") as raised:
        list(with_ray(parse, ["none", "nonsense"], workers=2))
    assert type(raised.value) is SettingsError and "\n" not in str(raised.value)


def test_no_more_run_at_once_than_workers_and_none_after_the_last_that_was_asked_for(
    running, tmp_path
):
    def timed(item):
        began = time.time()
        (tmp_path / str(item)).touch()
        time.sleep(0.1)
        return began, time.time()

    spans = list(with_ray(timed, range(4), workers=1))
    assert all(first[1] <= second[0] for first, second in pairwise(spans))
    results = with_ray(timed, range(10, 50), workers=2)
    next(results)
    results.close()
    time.sleep(0.5)
    assert 1 <= len(list(tmp_path.glob("??"))) <= 4


def test_what_runs_when_no_more_is_asked_for_is_stopped(running, monkeypatch):
    monkeypatch.setattr(ray_tasks, "PATIENCE", 0.5)
    results = with_ray(time.sleep, [0, 60, 60], workers=2)
    next(results)
    results.close()
    began = time.monotonic()
    assert list(with_ray(int, ["1"])) == [1]
    assert time.monotonic() - began < 30


def test_what_a_function_keeps_lives_as_long_as_its_process(running):
    class Counting:
        seen = 0

        def __call__(self, item):
            self.seen += 1
            return os.getpid(), self.seen

    found = list(with_ray(Counting(), range(20), workers=2))
    processes = {process for process, _ in found}
    assert len(processes) <= 2 and os.getpid() not in processes
    for process in processes:
        counts = [count for other, count in found if other == process]
        assert sorted(counts) == list(range(1, len(counts) + 1))


@pytest.mark.skipif(idle_memory() == 0, reason="the C library is not GNU's")
def test_workers_keep_what_is_freed(running):
    def kept(item):
        del item
        large = bytearray(LARGE)
        del large
        return idle_memory()

    assert next(with_ray(kept, [0])) >= LARGE


def test_a_worker_that_dies_takes_its_item_along_and_no_other(running):
    def killed(item):
        if item == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return item

    results = with_ray(killed, range(4), workers=2, on_death=lambda item, how: (item, how))
    assert set(results) == {0, (1, "its process died (WorkerCrashedError)"), 2, 3}


def test_workers_are_told_to_stop_and_nothing_more_is_begun(running, tmp_path):
    begun = []

    def until_told(item):
        (tmp_path / str(item)).touch()
        while not distributed.stop_requested():
            time.sleep(0.01)
        return item

    results = with_ray(
        until_told,
        range(9),
        workers=2,
        begin=begun.append,
        should_stop=lambda: len(list(tmp_path.iterdir())) == 2,
    )
    assert sorted(results) == begun == [0, 1]


def test_a_task_that_fails_before_it_begins_was_cancelled_if_all_were_told_to_stop(
    running, monkeypatch
):
    def fails(handle):
        raise ray.exceptions.RayTaskError("f", "", TypeError("SIG_DFL is not callable"))

    pool = RayTasks(int, 1, polite=True)
    monkeypatch.setattr(ray, "get", fails)
    assert isinstance(pool._answer(None).error, TypeError)
    pool._tell_to_stop([])
    assert isinstance(pool._answer(None).error, CancelledError)


def test_warnings_of_ours_come_with_the_result(running, caplog):
    caplog.set_level(logging.WARNING, logger="swag")  # a command with --quiet has set another

    def warned(item):
        logging.getLogger("swag").warning("100 %% of %s", item)

    assert list(with_ray(warned, [1])) == [None]
    assert caplog.messages == ["100 % of 1"]
