"""How the commands that compute import torch."""

import gc
import inspect
import subprocess
import sys

from swag.cli.program import after_torch


def test_torch_is_imported_without_the_garbage_collector_which_is_at_work_again_after() -> None:
    script = """
import gc, sys
from swag.cli.program import after_torch

passes = []
gc.callbacks.append(lambda phase, _: passes.append(phase))
command = after_torch(lambda: "torch" in sys.modules)
gc.collect()
before = len(passes)
assert command()
assert len(passes) == before, passes[before:]
assert gc.isenabled()
assert gc.get_freeze_count() > 100_000
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_command_keeps_its_name_help_arguments_and_result() -> None:
    def command(photo: str, *, strength: float = 0.5) -> tuple[str, float]:
        """Give a photo a style."""
        return photo, strength

    loaded = after_torch(command)
    try:
        assert loaded("photo.jpg", strength=0.7) == ("photo.jpg", 0.7)
    finally:
        gc.unfreeze()
    assert (loaded.__name__, loaded.__doc__) == (command.__name__, command.__doc__)
    assert inspect.signature(loaded) == inspect.signature(command)
