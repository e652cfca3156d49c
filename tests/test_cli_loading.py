"""How the commands that compute import torch, and how the program ends."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from swag.cli.program import after_torch
from swag.image import write


def test_torch_is_imported_without_the_garbage_collector_which_is_at_work_again_after() -> None:
    script = """
import gc, sys
from swag.cli.program import after_torch

passes = []
gc.callbacks.append(lambda phase, _: passes.append(phase))

def command():
    assert len(passes) == before, passes[before:]
    assert "torch" in sys.modules and gc.isenabled()
    assert gc.get_freeze_count() > 100_000

gc.collect()
before = len(passes)
after_torch(command)()
assert gc.get_freeze_count() == 0
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_command_keeps_its_name_help_arguments_and_result() -> None:
    def command(photo: str, *, strength: float = 0.5) -> tuple[str, float]:
        """Give a photo a style."""
        return photo, strength

    loaded = after_torch(command)
    assert loaded("photo.jpg", strength=0.7) == ("photo.jpg", 0.7)
    assert (loaded.__name__, loaded.__doc__) == (command.__name__, command.__doc__)
    assert inspect.signature(loaded) == inspect.signature(command)


PROGRAM = """
import atexit, os, sys, threading
from swag.cli import main

at_once = os._exit
os._exit = lambda status: (os.write(1, b"at once"), at_once(status))
atexit.register(print, "at exit")
if sys.argv.pop(1) == "thread":
    threading.Thread(target=threading.main_thread().join).start()
main()
"""


def ended(*words: object) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", PROGRAM, *map(str, words)]
    return subprocess.run(program, capture_output=True, text=True, check=False)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    write(path, torch.rand(3, 32, 32))
    return path


def test_the_program_ends_without_taking_torch_apart_and_with_all_it_had_to_say(
    photo: Path, tmp_path: Path
) -> None:
    words = ["stylize", photo, photo, "--method", "instant", "--size", 64, "-o", tmp_path / "a.png"]
    done = ended("alone", *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [str(tmp_path / "a.png"), "at exit", "at once"]
    refused = ended("alone", *words)
    assert refused.returncode == 1 and "exists" in refused.stderr
    assert refused.stdout == "at exit\nat once"


def test_the_program_waits_for_what_is_still_at_work(photo: Path, tmp_path: Path) -> None:
    words = ["stylize", photo, photo, "--method", "instant", "--size", 64, "-o", tmp_path / "a.png"]
    done = ended("thread", *words)
    assert done.returncode == 0
    assert done.stdout.endswith("at exit\n")


def test_without_torch_the_program_ends_as_any_other() -> None:
    assert ended("alone", "--version").stdout.endswith("at exit\n")


def test_a_stream_that_is_closed_does_not_change_the_status(photo: Path, tmp_path: Path) -> None:
    words = ["stylize", photo, photo, "--method", "instant", "--size", 64, "-o", tmp_path / "a.png"]
    with subprocess.Popen(
        [sys.executable, "-c", "from swag.cli import main; main()", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdout is not None and program.stderr is not None
        program.stdout.close()
        said = program.stderr.read()
    assert "Traceback" not in said
    assert (tmp_path / "a.png").is_file()
