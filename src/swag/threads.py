"""Threads of torch that wait for each other, on a machine where others are at work, too.

A step has hundreds of short parallel parts, and a thread that is done with its share waits for the
others. GNU's OpenMP, which torch uses on Linux, lets it spin for milliseconds. On free processors
that is right; beside one busy program it is what the others, and this program, wait for: a
picture of five seconds takes more than three minutes.
"""

import os
import sys

SPINS = 1000
"""Turns of a thread that waits, some tens of microseconds, before it goes to sleep."""

ASKED = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
"""Variables by which a user says how threads wait."""


def wait_briefly() -> bool:
    """Let threads that wait go to sleep soon; whether that could still be said.

    It is said in the environment, where it is read once, when torch is loaded: so `import swag`
    does it. Nothing is said where torch is there already, or where the user has spoken. Other
    implementations of OpenMP (macOS, Windows) do not look.
    """
    if "torch" in sys.modules or any(name in os.environ for name in ASKED):
        return False
    os.environ["GOMP_SPINCOUNT"] = str(SPINS)
    return True
