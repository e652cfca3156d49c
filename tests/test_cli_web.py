"""swag web: an address, an end without leftovers, and mistakes in one line."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from typer.testing import CliRunner

from swag.cli import app


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_the_server_says_its_address_and_leaves_nothing(tmp_path: Path, ending: signal.Signals):
    command = [sys.executable, "-m", "swag", "web", "--port", "0", "--max-size", "128"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    # A shell's background job ignores Ctrl-C, and so would what it starts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(command, env=environment, stdout=-1, stderr=-1, text=True) as process:
        signal.signal(signal.SIGINT, before)
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(address) as answer:
            assert answer.status == 200
        assert list(tmp_path.glob("swag-web-*/*"))
        process.send_signal(ending)
        process.wait(timeout=20)
        assert process.stderr.read() == ""
    assert process.returncode == (130 if ending == signal.SIGINT else -ending)
    assert list(tmp_path.glob("swag-web-*")) == []


def mistake(*words: str) -> str:
    result = CliRunner().invoke(app, ["web", *words])
    assert result.exit_code == 1, result.output
    return result.stderr


def test_a_port_that_is_taken_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = mistake("--port", str(taken.getsockname()[1]))
    assert "give another --port" in said and said.count("\n") == 1


def test_a_missing_package_is_one_line_that_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "swag.web.serve", raising=False)
    assert "pip install 'swag-style[web]'" in mistake()


@pytest.mark.parametrize(
    "words",
    [
        ["--max-size", "0"],
        ["--queue", "-1"],
        ["--max-megapixels", "inf"],
        ["--study", "nowhere"],
        ["--answers", "answers.sqlite"],
    ],
)
def test_limits_and_folders_that_are_none_are_one_line(words: list[str]):
    assert mistake(*words).count("\n") == 1


@pytest.mark.parametrize("words", [["--port", "70000"], ["--port", "-1"], ["--trials", "0"]])
def test_numbers_out_of_range_are_refused(words: list[str]):
    assert CliRunner().invoke(app, ["web", *words]).exit_code == 2


def test_a_page_for_other_machines_comes_with_a_warning(monkeypatch):
    def announced(app, host, port, *, announce):
        announce(f"http://{host}:{port}/")

    monkeypatch.setattr("swag.web.serve.serve", announced)
    shared = CliRunner().invoke(app, ["web", "--share"])
    assert shared.stdout == "http://127.0.0.1:7860/\n"
    assert "no password" in shared.stderr
    assert CliRunner().invoke(app, ["web"]).stderr == ""
