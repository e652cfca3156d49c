"""What `import swag` costs and changes: nothing."""

import resource
import subprocess
import sys

import pytest

import swag

STATE = """
import os, pkgutil, random, signal, sys, threading, warnings

def state():
    found = {
        "environment": dict(os.environ),
        "random": random.getstate(),
        "threads": threading.active_count(),
        "signals": [signal.getsignal(number) for number in sorted(signal.valid_signals())],
    }
    if "torch" in sys.modules:
        import numpy, torch
        found["torch"] = (
            torch.get_rng_state().tolist(), torch.get_num_threads(),
            torch.get_num_interop_threads(), torch.get_default_dtype(), torch.is_grad_enabled(),
            torch.are_deterministic_algorithms_enabled(), torch.get_float32_matmul_precision(),
            torch.backends.cudnn.benchmark,
        )
        found["numpy"] = (numpy.random.get_state()[1].tolist(), numpy.geterr())
    else:
        found["warnings"] = list(warnings.filters)
    return found

def changed(before, after):
    return [name for name in before if before[name] != after[name]]
"""


def printed(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.strip()


def test_importing_changes_nothing_in_the_process():
    assert (
        printed(f"{STATE}\nbefore = state()\nimport swag\nprint(changed(before, state()))") == "[]"
    )


def test_loading_every_module_changes_nothing_either():
    """What other packages do when they are loaded is theirs: they are there before."""
    code = f"""{STATE}
import cv2, rich.progress, torch._dynamo
before = state()
import swag, swag_lab
for package in swag, swag_lab:
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            __import__(module.name)
print(changed(before, state()))
"""
    assert printed(code) == "[]"


@pytest.mark.parametrize("order", ["", "import swag.run, swag.image; "])
def test_every_public_name_is_found_whatever_is_loaded(order):
    """A submodule of the same name would hide a function once it is loaded."""
    names = ", ".join(f"swag.{name}" for name in swag.__all__)
    code = f"{order}import swag; print(sum(x is None for x in ({names})), callable(swag.stylize))"
    assert printed(code) == "0 True"
    assert set(swag.__all__) <= set(dir(swag))


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'swag' has no attribute 'stylise'"):
        _ = swag.stylise


def processor_seconds(code: str) -> float:
    """What a process with this code takes, of three the least; it must end well and say nothing."""
    seconds = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert (done.returncode, done.stderr.strip()) == (0, "")
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(seconds)


@pytest.mark.parametrize("words", [["--version"], ["--help"]])
def test_version_and_help_need_no_torch_and_little_time(words):
    code = f"""
import sys
from swag.cli import main
sys.argv = ["swag", {words[0]!r}]
try:
    main()
finally:
    print(*{{"torch", "numpy", "pydantic"}} & set(sys.modules), file=sys.stderr)
"""
    # On a slow machine the libraries of the command line alone take as long.
    libraries = "import typer, rich.console, rich.markdown, rich.panel, rich.table"
    limit = max(0.3, 3 * processor_seconds(libraries))
    assert processor_seconds(code) < limit


@pytest.mark.parametrize("command", ["analyze", "bench", "experiment", "train_backbone"])
def test_a_command_of_the_laboratory_can_be_imported_first(command):
    """The program loads these commands, and they use parts of the program's package: no circle."""
    code = f"import swag_lab.cli.{command}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
