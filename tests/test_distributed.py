"""One function over many items, in one process or several."""

import importlib.util
import os

import pytest

from swag import distributed
from swag.errors import DependencyError, SettingsError

# Functions of the standard library: a new process then has nothing of ours to import.
HERE = "OMP_NUM_THREADS"


def test_a_plain_loop_is_lazy_and_in_order():
    results = distributed.map(int, iter(["1", "2", "thirteen"]))
    assert [next(results), next(results)] == [1, 2]
    with pytest.raises(ValueError, match="thirteen"):
        next(results)


def test_processes_work_in_order_each_with_one_thread(monkeypatch):
    monkeypatch.delenv(HERE, raising=False)
    assert list(distributed.map(os.getenv, [HERE, "PATH"], workers=2)) == ["1", os.environ["PATH"]]
    assert HERE not in os.environ


def test_an_exception_in_a_process_comes_out_here():
    results = distributed.map(int, ["1", "thirteen"], workers=2)
    assert next(results) == 1
    with pytest.raises(ValueError, match="thirteen"):
        next(results)


def test_a_wrong_number_of_workers_is_refused_at_once():
    with pytest.raises(SettingsError, match="0 workers"):
        distributed.map(int, ["1"], workers=0)


def test_ray_without_ray_is_one_line_that_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DependencyError, match="swag-style"):
        distributed.map(int, ["1"], backend="ray")
