import os
import runpy
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from swag import __version__
from swag.cli import app
from swag.image import write


def test_python_m_swag_is_the_same_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["stylize", "gone.jpg", "gone.jpg", "-o", str(tmp_path / "out.png")]
    monkeypatch.setattr(sys, "argv", ["swag", *words])
    # A program without other threads would end the process of the tests, too.
    monkeypatch.setattr(threading, "active_count", lambda: 2)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("swag", run_name="__main__")
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (1, "")
    (line,) = err.splitlines()
    assert line.startswith("swag: ")
    assert "gone.jpg" in line


def test_the_command_line_itself_imports_nothing_heavy() -> None:
    code = "import sys, swag; before = set(sys.modules); import swag.cli; new = set(sys.modules)"
    show = "print(*{'torch', 'rich', 'rich.progress', 'matplotlib', 'swag.run'} & (new - before))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code} - before; {show}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == ""


def test_a_run_loads_no_package_that_it_does_not_need(tmp_path: Path) -> None:
    """Torch's compiler alone takes more than a second, which steps of a picture may cost."""
    for name in "ab":
        write(tmp_path / f"{name}.png", torch.rand(3, 40, 40))
    small = "size=32, steps=2, device='cpu'"
    code = (
        f"import sys, swag; swag.stylize('a.png', 'b.png', {small}); "
        f"swag.texture('b.png', weights='random', {small}); print("
        "*{'torch._dynamo', 'torch._inductor', 'sympy', 'torchvision', 'timm', 'matplotlib',"
        " 'pandas', 'rich', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


def test_the_version_is_that_of_the_package() -> None:
    assert CliRunner().invoke(app, ["--version"]).stdout == f"swag {__version__}\n"


@pytest.mark.parametrize(
    "words", [["stylize"], ["stylize", "a.jpg"], ["texture", "a", "--steps=x"]]
)
def test_words_the_command_line_does_not_know_are_status_2(words: list[str]) -> None:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert result.stdout == ""


@pytest.mark.skipif(sys.platform != "linux", reason="file systems elsewhere have names in Unicode")
def test_a_name_that_is_no_text_is_printed_as_its_bytes(tmp_path: Path):
    write(tmp_path / "plain.png", torch.rand(3, 24, 32))
    name = b"\xff" + "é".encode()
    (tmp_path / os.fsdecode(name + b".png")).write_bytes((tmp_path / "plain.png").read_bytes())
    words = [b"--weights", b"random", b"--size", b"32", b"--steps", b"2", b"--set", b"scales=1"]
    run = subprocess.run(
        [sys.executable, "-m", "swag", "texture", name + b".png", *words],
        cwd=tmp_path,
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout == name + b"-texture.png\n"
