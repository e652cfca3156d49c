"""What is told and written while a run goes on, and what it never writes over."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from command import swag, the_only_line

from swag.cli import bars, output
from swag.cli.bars import clock
from swag.errors import ResourceError
from swag.files import claim
from swag.image import read, write
from swag.run import is_unfinished
from swag.schedule import Pace, plan

TINY = ["-b", "swag/resnet", "--weights", "random", "--size", "64", "--steps", "6"]


@pytest.fixture
def pictures(tmp_path: Path) -> tuple[Path, Path]:
    random = torch.Generator().manual_seed(0)
    paths = (tmp_path / "photo.png", tmp_path / "painting.png")
    for path in paths:
        write(path, torch.rand(3, 48, 64, generator=random))
    return paths


def times_of(steps: int, warm_up: float, ratio: float) -> list[tuple[int, float]]:
    """Steps done and seconds of a run whose first step takes longer."""
    seconds, made, found = warm_up, 0, []
    for number, scale in enumerate(plan(512, steps, 2)):
        for _ in range(scale.steps):
            made += 1
            seconds += 0.1 * ratio**number
            found.append((made, seconds))
    return found


@pytest.mark.parametrize("ratio", [2.0, 3.0, 4.0])
@pytest.mark.parametrize("warm_up", [0.0, 2.0])
def test_the_time_left_is_right_soon_and_the_bar_is_half_full_at_half_time(
    warm_up: float, ratio: float
) -> None:
    pace, times = Pace(plan(512, 150, 2)), times_of(150, warm_up, ratio)
    whole = times[-1][1]
    for steps, seconds in times:
        before = pace.share
        pace.record(steps, seconds)
        assert pace.share >= before
        if steps >= 3:
            assert pace.seconds_left == pytest.approx(whole - seconds, rel=0.6, abs=0.5)
        if abs(seconds / whole - 0.5) < 0.02:
            assert 0.35 < pace.share < 0.65
    assert (pace.share, pace.seconds_left) == (1.0, pytest.approx(0, abs=1e-9))


def test_a_resumed_run_knows_its_time_from_its_first_update() -> None:
    pace = Pace(plan(256, 100, 1))
    pace.record(50, 20.0)
    assert (pace.seconds_left, pace.share) == (pytest.approx(20.0), pytest.approx(0.5))


def test_a_time_is_written_as_on_a_clock() -> None:
    assert [clock(seconds) for seconds in (0.4, 21, 200, 3723)] == [
        "0:00",
        "0:21",
        "3:20",
        "1:02:03",
    ]


def test_in_a_pipe_progress_is_lines_with_the_time_left(
    pictures: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bars, "PAUSE", 0.0)
    result = swag("stylize", *pictures, "-o", tmp_path / "out.png", *TINY)
    lines = result.stderr.splitlines()
    assert len(lines) == 6
    assert lines[-1].startswith("swag: scale 2/2 (64 px) 6/6, 0:00 left, style ")
    quiet = swag("stylize", *pictures, "-o", tmp_path / "two.png", *TINY, "--quiet")
    assert quiet.output == ""


def test_one_pass_tells_of_no_steps(
    pictures: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bars, "PAUSE", -1.0)
    done = swag("stylize", *pictures, "--method", "instant", "--size", 64, "-o", tmp_path / "a.png")
    assert done.exit_code == 0, done.output
    assert done.stderr == ""


def test_json_lines_come_with_the_steps(
    pictures: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    echo = output.Watcher.write_due_pictures

    def watched(self: output.Watcher, update: output.Update) -> None:
        seen.append(update.index)
        if update.index == 3:
            raise KeyboardInterrupt
        echo(self, update)

    monkeypatch.setattr(output.Watcher, "write_due_pictures", watched)
    result = swag("stylize", *pictures, "-o", tmp_path / "out.png", *TINY, "--json")
    steps = [json.loads(line) for line in result.stdout.splitlines()]
    assert [step.get("step") for step in steps] == [0, 1, 2, 3, None]


def test_the_picture_so_far_is_kept_every_few_steps_and_shown_in_one_file(
    pictures: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[tuple[int, int]] = []
    save = output.Watcher._preview

    def previewed(self: output.Watcher, update: output.Update) -> None:
        save(self, update)
        sizes.append(read(tmp_path / "now.png").size)

    monkeypatch.setattr(output.Watcher, "_preview", previewed)
    out, now = tmp_path / "out.png", tmp_path / "now.png"
    words = ["stylize", *pictures, "-o", out, *TINY, "--save-every", 2, "--preview", now]
    assert swag(*words).exit_code == 0
    assert {path.name for path in tmp_path.glob("out*")} == {"out.png", "out-2.png", "out-4.png"}
    assert (sizes[0], sizes[-1]) == ((32, 24), (64, 48))
    assert is_unfinished(now)
    assert swag(*words, "--overwrite").exit_code == 0
    assert {path.name for path in tmp_path.glob("out*")} == {"out.png", "out-2.png", "out-4.png"}
    write(now, torch.rand(3, 8, 8))
    refused = swag(*words[:4], tmp_path / "three.png", *words[5:])
    assert (refused.exit_code, "now.png' exists" in refused.stderr) == (1, True)


@pytest.mark.parametrize("option", ["-o", "--preview"])
@pytest.mark.parametrize("name", ["photo.png", "painting.png", "link.png", "hard.png"])
def test_no_run_writes_over_a_picture_that_it_reads(
    option: str, name: str, pictures: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "link.png").symlink_to(pictures[0])
    os.link(pictures[1], tmp_path / "hard.png")
    before = [path.read_bytes() for path in pictures]
    words = [] if option == "-o" else ["-o", tmp_path / "out.png"]
    result = swag("stylize", *pictures, option, tmp_path / name, *words, *TINY, "--overwrite")
    (line,) = result.stderr.splitlines()
    assert (result.exit_code, result.stdout) == (1, "")
    assert "would overwrite" in line
    assert [path.read_bytes() for path in pictures] == before


def test_no_copy_is_written_over_a_picture_that_the_run_reads(
    pictures: tuple[Path, Path], tmp_path: Path
) -> None:
    photo = pictures[0].rename(tmp_path / "out-4.png")
    before = photo.read_bytes()
    words = ["stylize", photo, pictures[1], "-o", tmp_path / "out.png", *TINY, "--overwrite"]
    assert "out-4.png would overwrite" in the_only_line(swag(*words, "--save-every", 2))
    assert swag(*words, "--save-every", 3).exit_code == 0
    assert photo.read_bytes() == before


def test_a_preview_is_not_the_picture_of_the_run(
    pictures: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out.png"
    line = the_only_line(swag("stylize", *pictures, "-o", out, "--preview", out, *TINY))
    assert f"--preview {out} is the picture that this run writes, too" in line


def test_a_mask_is_not_written_over_either(pictures: tuple[Path, Path]) -> None:
    words = ["--content-mask", pictures[1], "-o", pictures[1], *TINY, "--overwrite"]
    result = swag("stylize", pictures[0], pictures[0], *words)
    assert (result.exit_code, "would overwrite" in result.stderr) == (1, True)


def test_the_claim_of_a_killed_run_holds_nobody_up(tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    code = f"import os, swag.files as f; c = f.claim({str(out)!r}); c.__enter__(); os._exit(9)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    assert len(list(tmp_path.iterdir())) == 1
    write(out, torch.rand(3, 8, 8))  # sweeps it
    assert list(tmp_path.iterdir()) == [out]


def test_two_runs_to_one_output_share_nothing(pictures: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    with claim(out):
        result = swag("stylize", *pictures, "-o", out, *TINY)
        with pytest.raises(ResourceError, match="another run is writing"), claim(out):
            pass
    assert (result.exit_code, result.stdout) == (1, "")
    assert "another run is writing" in result.stderr
    assert swag("stylize", *pictures, "-o", out, *TINY).exit_code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"photo.png", "painting.png", "out.png"}
