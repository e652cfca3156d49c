"""Batches by several workers: the same bytes as one process, and Ctrl-C that loses nothing."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from swag.batch import Batch, JobResult, Manifest, product, run
from swag.cli import app
from swag.image import write

WORDS = ["--weights", "random", "--size", "32", "--steps", "3", "--set", "scales=1"]
RAY = importlib.util.find_spec("ray") is not None
BACKENDS = ["processes", pytest.param("ray", marks=pytest.mark.skipif(not RAY, reason="no Ray"))]


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    """The words for two photos and two paintings."""
    random = torch.Generator().manual_seed(0)
    for name in ("photos/a", "photos/b", "paintings/x", "paintings/y"):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        write(path, torch.rand(3, 24, 32, generator=random))
    return ["--contents", str(tmp_path / "photos"), "--styles", str(tmp_path / "paintings")]


def pictures_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.png")}


def manifest(folder: Path) -> list[dict[str, Any]]:
    """Its lines without times, in an order that does not depend on who was faster."""
    text = (folder / "manifest.jsonl").read_text()
    lines = [json.loads(line) | {"seconds": 0} for line in text.splitlines()]
    return sorted(lines, key=lambda line: (line["output"], line["state"] == "done"))


@pytest.mark.parametrize("backend", BACKENDS)
def test_workers_make_the_bytes_that_one_process_makes(backend, folders, tmp_path: Path):
    """Pictures and manifest."""
    (tmp_path / "letter.png").write_text("Dear reader")
    (tmp_path / "photos/c.png").symlink_to(tmp_path / "letter.png")  # fails alone
    one, other = tmp_path / "one", tmp_path / "other"
    more = ["--workers", "2", *(["--ray"] if backend == "ray" else [])]
    said = []
    for out, words in ((one, []), (other, more)):
        result = CliRunner().invoke(app, ["batch", *folders, "--out", str(out), *WORDS, *words])
        assert result.exit_code == 3, result.output
        said.append(
            (sorted(result.stderr.splitlines()), sorted(result.stdout.split(f"{out}{os.sep}")))
        )
    assert len(pictures_in(one)) == 4
    assert pictures_in(other) == pictures_in(one)
    assert manifest(other) == manifest(one)
    assert said[0] == said[1]
    assert {path.name for path in other.iterdir()} == {*pictures_in(one), "manifest.jsonl"}


def test_ray_without_ray_is_one_line(folders, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    words = ["batch", *folders, "--out", str(tmp_path / "out"), *WORDS, "--ray"]
    result = CliRunner().invoke(app, words)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert "pip install 'swag-style[ray]'" in result.stderr


@pytest.mark.parametrize("backend", BACKENDS)
def test_workers_that_are_to_stop_keep_checkpoints_and_the_next_go_on(
    backend, folders, tmp_path: Path
):
    settings = {"weights": "random", "size": 32, "scales": 1, "steps": 30, "device": "cpu"}
    jobs = product(tmp_path / "photos", tmp_path / "paintings")[:3]

    def outcomes(name: str, every: float = 30, **more: Any) -> dict[str, str]:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        batch = Batch(folder, settings, every=every)
        with Manifest(folder) as manifest:
            found: list[JobResult] = list(run(batch, jobs, manifest, **more))
        return {outcome.output: outcome.state for outcome in found}

    out = tmp_path / "out"
    states = outcomes(
        "out", 0, workers=2, backend=backend, should_stop=lambda: any(out.glob("*.ckpt"))
    )
    assert 1 <= len(states) <= 2 and set(states.values()) == {"interrupted"}
    assert {f"{name}.ckpt" for name in states} == {path.name for path in out.glob("*.ckpt")}
    assert set(outcomes("out").values()) == {"done"}
    assert set(outcomes("whole").values()) == {"done"}
    assert pictures_in(out) == pictures_in(tmp_path / "whole")


@pytest.mark.parametrize("early", [True, False])
def test_ctrl_c_in_a_terminal_reaches_the_workers_and_loses_nothing(early, folders, tmp_path: Path):
    """A terminal sends it to all processes; early, when they are yet to begin."""
    out = tmp_path / "out"
    program = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    program += "from swag.cli import main; main()"
    words = ["batch", *folders, "--out", str(out), *WORDS, "--workers", "2"]
    words += ["--steps", "100000", "--checkpoint-every", "0", "--quiet"]
    with subprocess.Popen(
        [sys.executable, "-c", program, *words],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as batch:
        awaited = "manifest.jsonl" if early else "*.ckpt"
        until = time.monotonic() + 120
        while not any(path.stat().st_size for path in out.glob(awaited)):
            assert batch.poll() is None and time.monotonic() < until
            time.sleep(0.02)
        time.sleep(0.5)  # early: the server that workers come from loads torch
        os.killpg(batch.pid, signal.SIGINT)
        try:
            said = batch.communicate(timeout=120)[1]
        finally:
            batch.kill()
    assert batch.returncode == 130, said
    assert said == "swag: interrupted with 0 of 4 pictures made; the same command continues\n"
