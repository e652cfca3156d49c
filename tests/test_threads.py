"""What waiting threads are told, and when it can be."""

import os
import subprocess
import sys

from swag.threads import SPINS, WAIT_VARIABLES

WAIT = "import swag; swag.wait_briefly()"
SAY = "print(os.environ.get('GOMP_SPINCOUNT'))"


def told(code: str, **variables: str) -> str:
    """What a program of this code finds in its environment."""
    kept = {name: value for name, value in os.environ.items() if name not in WAIT_VARIABLES}
    done = subprocess.run(
        [sys.executable, "-c", f"import os; {code}; {SAY}"],
        env=kept | variables, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def test_threads_are_told_to_wait_briefly_before_torch_is_loaded():
    assert told(WAIT) == str(SPINS)


def test_the_program_tells_its_threads():
    program = "from swag.cli import program; import sys; "
    program += "program.app = lambda **_: None; sys.exit = print; "
    assert told(program + "program.main()").splitlines()[-1] == str(SPINS)


def test_what_comes_too_late_is_not_said():
    assert told(f"import torch; {WAIT}") == "None"


def test_the_user_has_the_last_word():
    assert told(WAIT, GOMP_SPINCOUNT="7") == "7"
    assert told(WAIT, OMP_WAIT_POLICY="ACTIVE") == "None"
