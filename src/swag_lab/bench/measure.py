"""Timing of several sides, in turns."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Timing:
    """Seconds of each round of one side."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.seconds)

    def over(self, other: "Timing") -> "Timing":
        """The ratio to another side, round by round: slow moments of the machine cancel."""
        pairs = zip(self.seconds, other.seconds, strict=True)
        return Timing(tuple(a / b for a, b in pairs))


def in_turns(
    sides: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    device: torch.device,
    warm_up: int = 2,
) -> dict[str, Timing]:
    """Call every side once in each round, and time it after the rounds of `warm_up`.

    On a CPU the clock is the CPU time of this process, which does not run while others do; on
    another device it is the wall clock, read when the device has finished.
    """
    seconds_of: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(warm_up + rounds):
        for name, step in sides.items():
            seconds = _time(step, device)
            if number >= warm_up:
                seconds_of[name].append(seconds)
    return {name: Timing(tuple(seconds)) for name, seconds in seconds_of.items()}


def _time(step: Callable[[], object], device: torch.device) -> float:
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    _synchronize(device)
    start = clock()
    step()
    _synchronize(device)
    return clock() - start


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
