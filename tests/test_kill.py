"""Processes killed at random moments: what is there is whole, and the end is the same to the bit.

Everything runs in processes forked from a server that has the package at hand, so that a moment
falls into the work and not into its imports.
"""

import os
import random
import sys
import time
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import forked
import pytest
import torch

from swag import checkpoint
from swag.image import write

KILLS = 12
"""That hit a process at work. A machine that is busy by turns makes runs shorter or longer than
the first, so moments are drawn until there were as many."""

SERVER = forked.server()


def program(words: list[str]) -> None:
    """The command line, in a process of its own."""
    sys.stdout = sys.stderr = open(os.devnull, "w")
    torch.set_num_threads(1)
    from swag.cli import app

    app(words)


def started(words: list[Any]) -> BaseProcess:
    process = SERVER.Process(target=program, args=([str(word) for word in words],))
    process.start()
    return process


def run_to_the_end(words: list[Any]) -> float:
    """Seconds that the program takes, which must succeed."""
    began = time.perf_counter()
    process = started(words)
    process.join()
    assert process.exitcode == 0
    return time.perf_counter() - began


def killed(words: list[Any], moment: float) -> bool:
    """Start the program and kill it so many seconds later; whether it was still at work."""
    process = started(words)
    process.join(moment)
    process.kill()
    process.join()
    assert process.exitcode in (0, -9)
    return process.exitcode == -9


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    generator = torch.Generator().manual_seed(0)
    paths = [tmp_path / f"{name}.png" for name in ("a", "b", "x")]
    for path in paths:
        write(path, torch.rand(3, 36, 48, generator=generator))
    return paths


def moments(seed: str, longest: float) -> Iterator[float]:
    draw = random.Random(seed)
    return (draw.uniform(0, 1.2 * longest) for _ in range(20 * KILLS))


def check_whole(folder: Path, expected: dict[str, bytes]) -> None:
    """Every file is what it is at the end, or a checkpoint that is whole."""
    for path in folder.iterdir():
        if path.suffix == ".ckpt":
            checkpoint.load_tensors(path)
        elif path.name in expected:
            assert path.read_bytes() == expected[path.name], path.name
        else:
            assert path.name == "manifest.jsonl" or path.name.endswith(".part"), path.name


def emptied(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_a_run_killed_at_random_moments_ends_in_the_same_bits(optimizer, pictures, tmp_path):
    photo, _, style = pictures
    settings = ["--weights", "random", "--size", 64, "--steps", 16, "--device", "cpu",
                "--set", f"optimizer={optimizer}"]  # fmt: skip
    if optimizer == "adam":
        settings += ["--set", "average=0.9", "--set", "jitter=2"]
    whole, folder = tmp_path / "whole.png", tmp_path / "out"
    out, kept = folder / "out.png", folder / "out.png.ckpt"
    folder.mkdir()
    longest = run_to_the_end(["stylize", photo, style, "-o", whole, *settings])
    expected = {"out.png": whole.read_bytes()}
    at_work = resumed = 0
    for moment in moments(optimizer, longest):
        words = ["stylize", photo, style, "-o", out, "--checkpoint-every", 0]
        going_on = kept.exists()
        at_work += killed(words + (["--resume", kept] if going_on else settings), moment)
        resumed += going_on
        check_whole(folder, expected)
        if out.exists():
            emptied(folder)
        if at_work >= KILLS and resumed > 0:
            break
    assert at_work >= KILLS and resumed > 0
    words = ["stylize", photo, style, "-o", out]
    run_to_the_end(words + (["--resume", kept] if kept.exists() else settings))
    assert out.read_bytes() == whole.read_bytes()
    assert {p.name for p in folder.iterdir()} == {"out.png"}


@pytest.fixture
def batch(pictures, tmp_path) -> list[Any]:
    """The words of a batch of three pictures."""
    table = tmp_path / "jobs.csv"
    table.write_text("content,style\na.png,x.png\nb.png,x.png\nx.png,a.png\n")
    return ["batch", table, "--weights", "random", "--size", 48, "--steps", 8, "--device", "cpu",
            "--checkpoint-every", 0]  # fmt: skip


@pytest.mark.slow
def test_a_batch_killed_at_random_moments_ends_in_the_same_bits(batch, tmp_path):
    folder, whole = tmp_path / "out", tmp_path / "whole"
    longest = run_to_the_end([*batch, "--out", whole])
    expected = {p.name: p.read_bytes() for p in whole.glob("*.png")}
    assert len(expected) == 3
    folder.mkdir()
    at_work = begun = 0
    for moment in moments("batch", longest):
        at_work += killed([*batch, "--out", folder], moment)
        check_whole(folder, expected)
        begun += any(folder.glob("*.ckpt"))
        if len(list(folder.glob("*.png"))) == len(expected):
            emptied(folder)
        if at_work >= KILLS and begun > 0:
            break
    assert at_work >= KILLS and begun > 0
    run_to_the_end([*batch, "--out", folder])
    assert {p.name: p.read_bytes() for p in folder.glob("*.png")} == expected
    assert {p.name for p in folder.iterdir()} == {*expected, "manifest.jsonl"}


@pytest.mark.slow
def test_a_batch_of_processes_goes_on_after_its_head_was_killed(batch, tmp_path):
    folder, whole = tmp_path / "out", tmp_path / "whole"
    words = [*batch, "--workers", 2, "--out"]
    longest = run_to_the_end([*words, whole])
    expected = {p.name: p.read_bytes() for p in whole.glob("*.png")}
    killed([*words, folder], 0.8 * longest)
    check_whole(folder, expected)
    run_to_the_end([*words, folder])
    assert {p.name: p.read_bytes() for p in folder.glob("*.png")} == expected
