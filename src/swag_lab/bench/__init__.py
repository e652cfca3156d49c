"""Measuring speed, by one contract.

The sides of a comparison are timed in one process, in turns (A B A B), after rounds that do not
count, with the same random numbers; the device has finished before a clock is read. A median is
given with the lowest and the highest, and with machine and versions. What counts is the ratio of
two sides: the seconds of one machine on one day say little.
"""

from swag_lab.bench.machine import machine
from swag_lab.bench.measure import Timing, in_turns
from swag_lab.bench.steps import SIDES, sides

__all__ = ["SIDES", "Timing", "in_turns", "machine", "sides"]
