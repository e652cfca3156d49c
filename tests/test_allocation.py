"""Memory that is freed stays with the process, once a program asks for that."""

import subprocess
import sys

import pytest

from swag.allocation import idle_memory, keep_freed_memory

PROGRAM = """
import torch
from swag.allocation import idle_memory, keep_freed_memory

kept = keep_freed_memory()
torch.ones(16 * 2**20)  # 64 MiB, at once freed
print(kept, idle_memory())
"""

linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="other systems are not asked to keep memory"
)


@linux
def test_what_is_freed_is_kept_and_counts_as_free():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    kept, idle = done.stdout.split()
    if kept == "False":
        pytest.skip("the C library is not glibc")
    assert int(idle) >= 64 * 2**20


def test_without_glibc_nothing_is_promised(monkeypatch):
    monkeypatch.setattr("swag.allocation._glibc", lambda: None)
    assert keep_freed_memory() is False
    assert idle_memory() == 0
