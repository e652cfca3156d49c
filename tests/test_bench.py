"""Measuring: in turns, in one process, with machine and versions."""

import json

import pytest
import torch
from typer.testing import CliRunner

from swag.cli import app
from swag_lab.bench import SIDES, Timing, in_turns, machine, sides

CPU = torch.device("cpu")


def test_sides_are_timed_in_turns_after_rounds_that_do_not_count():
    calls = []
    found = in_turns(
        {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")},
        rounds=3,
        device=CPU,
        warm_up=2,
    )
    assert calls == ["a", "b"] * 5
    assert {name: len(timing.seconds) for name, timing in found.items()} == {"a": 3, "b": 3}
    assert all(seconds >= 0 for timing in found.values() for seconds in timing.seconds)


def test_a_side_that_works_more_takes_longer():
    numbers = torch.rand(400, 400, generator=torch.Generator().manual_seed(0))

    def multiply(times):
        for _ in range(times):
            numbers @ numbers

    found = in_turns(
        {"once": lambda: multiply(4), "often": lambda: multiply(40)}, rounds=5, device=CPU
    )
    assert found["often"].over(found["once"]).median > 3


def test_a_ratio_is_taken_round_by_round():
    fast, slow = Timing((1.0, 10.0, 2.0)), Timing((2.0, 20.0, 6.0))
    assert slow.over(fast).seconds == (2.0, 2.0, 3.0)
    assert slow.over(fast).median == 2.0


def test_the_machine_is_told_with_its_versions():
    told = machine(CPU)
    assert told["torch"] == torch.__version__ and told["device"] == "cpu"
    assert int(told["threads"]) == torch.get_num_threads()


def test_every_side_makes_a_step_that_moves_the_picture():
    made = sides("swag/resnet", 64, CPU)
    assert tuple(made) == SIDES
    gradient = made["floor"]()
    assert gradient.shape == (1, 3, 64, 64) and bool(gradient.abs().sum() > 0)
    for name in ("lbfgs", "adam"):
        first, second = made[name](), made[name]()
        assert second.index == first.index + 1 == 1
        assert sum(second.losses.values()) < sum(first.losses.values())
    losses = [float(made["published"]().detach()) for _ in range(3)]
    assert losses[2] < losses[0]


def test_the_command_prints_a_row_for_each_side():
    done = CliRunner().invoke(
        app, ["bench", "-b", "swag/resnet", "--size", "48", "--rounds", "1", "--json"]
    )
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)
    assert [row["side"] for row in rows] == list(SIDES)
    assert rows[0]["over floor"] == pytest.approx(1)
    assert {"torch", "processor", "threads", "seconds"} <= set(rows[0])


def test_a_network_that_is_not_there_is_one_line():
    done = CliRunner().invoke(app, ["bench", "-b", "swag/nothing"])
    assert done.exit_code == 1
    assert done.stderr.startswith("swag: ") and done.stderr.count("\n") == 1
