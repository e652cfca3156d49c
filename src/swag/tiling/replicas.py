"""Several copies of a network, each on a device of its own, share the tiles of a picture."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeVar

import torch

from swag.types import Extract

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 2
"""Tiles that each copy is given before the first of them is asked for."""


@dataclass(frozen=True)
class Replica:
    """A copy of a network; `extract` takes pictures on its device."""

    device: torch.device
    extract: Extract


def in_order(
    act: Callable[[Item, Replica], Result], tiles: Iterable[Item], replicas: Sequence[Replica]
) -> Iterator[tuple[Item, Result]]:
    """What `act` makes of each tile, in their order, so that sums are those of a single device.

    With several replicas each has a thread and takes turns; `act` must not change what they share.
    """
    if len(replicas) == 1:
        for tile in tiles:
            yield tile, act(tile, replicas[0])
        return
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    with ExitStack() as stack:
        threads = [stack.enter_context(ThreadPoolExecutor(1)) for _ in replicas]
        try:
            for number, tile in enumerate(tiles):
                turn = number % len(replicas)
                waiting.append((tile, threads[turn].submit(act, tile, replicas[turn])))
                if len(waiting) > AHEAD * len(replicas):
                    done, result = waiting.popleft()
                    yield done, result.result()
            while waiting:
                done, result = waiting.popleft()
                yield done, result.result()
        finally:
            # Where one failed, or no more are wanted, the others are not begun.
            for _, result in waiting:
                result.cancel()
