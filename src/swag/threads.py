"""Waiting threads of torch, on a machine that is busy with other programs, too.

A step has hundreds of short parallel parts, and a thread that is done with its share waits for the
others. GNU's OpenMP, which torch uses on Linux, lets it spin for milliseconds. On free processors
that is right; beside one busy program the spinning delays all others: a picture of five seconds
takes more than three minutes.
"""

import os
import sys

SPINS = 1000
"""Turns of a thread that waits, some tens of microseconds, before it goes to sleep."""

WAIT_VARIABLES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
"""Environment variables by which a user sets how threads wait."""


def wait_briefly() -> bool:
    """Let waiting threads go to sleep soon; returns whether that was still possible.

    A program calls this before anything loads torch, which reads the environment once: the command
    line and the demo do. If torch is loaded, or if the user has set one of `WAIT_VARIABLES`,
    nothing is changed. OpenMP on macOS and Windows ignores the variable.
    """
    if "torch" in sys.modules or any(name in os.environ for name in WAIT_VARIABLES):
        return False
    os.environ["GOMP_SPINCOUNT"] = str(SPINS)
    return True
