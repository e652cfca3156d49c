"""Copies of a network share tiles: results come in order, errors come out."""

import threading

import pytest
import torch

from swag.tiling import Replica, in_order

CPU = torch.device("cpu")


def replicas(count):
    return [Replica(CPU, lambda image, layers, n=n: {"n": n}) for n in range(count)]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_results_come_in_the_order_of_the_tiles_by_turns(count):
    made = replicas(count)
    found = list(in_order(lambda tile, one: one.extract(None, ())["n"], range(10), made))
    assert found == [(number, number % count) for number in range(10)]


def test_two_work_at_the_same_time():
    both = threading.Barrier(2, timeout=20)
    found = list(in_order(lambda tile, one: both.wait() >= 0, range(6), replicas(2)))
    assert [tile for tile, _ in found] == list(range(6))


@pytest.mark.parametrize("count", [1, 2])
def test_an_error_comes_out_and_what_is_left_is_not_begun(count):
    begun = []

    def act(tile, one):
        begun.append(tile)
        if tile == 2:
            raise torch.OutOfMemoryError("out of memory")
        return tile

    with pytest.raises(torch.OutOfMemoryError):
        list(in_order(act, range(1000), replicas(count)))
    assert len(begun) < 20
