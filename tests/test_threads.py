"""What waiting threads are told, and when it can be."""

import os
import subprocess
import sys

import pytest

from swag.threads import ASKED, SPINS

SAY = "print(os.environ.get('GOMP_SPINCOUNT'))"


def told(code: str, **variables: str) -> str:
    """What a program of this code finds in its environment."""
    kept = {name: value for name, value in os.environ.items() if name not in ASKED}
    done = subprocess.run(
        [sys.executable, "-c", f"import os; {code}; {SAY}"],
        env=kept | variables, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


@pytest.mark.parametrize("code", ["import swag", "import swag.cli", "from swag.errors import *"])
def test_threads_are_told_to_wait_briefly_before_torch_is_loaded(code):
    assert told(code) == str(SPINS)


def test_what_comes_too_late_is_not_said():
    assert told("import torch, swag") == "None"


def test_the_user_has_the_last_word():
    assert told("import swag", GOMP_SPINCOUNT="7") == "7"
    assert told("import swag", OMP_WAIT_POLICY="ACTIVE") == "None"
