"""The command line and interrupted runs: what is kept, what is said, how it goes on."""

import json
import os
import shlex
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from command import swag, the_only_line

from swag.cli import options, running
from swag.files import open_temporary
from swag.image import read, read_metadata, write
from swag.run import SECONDS, Update, iterate, load_checkpoint

TINY = ["--weights", "random", "--size", "48", "--steps", "6", "--checkpoint-every", "0"]


@pytest.fixture
def pictures(tmp_path: Path) -> tuple[Path, Path]:
    random = torch.Generator().manual_seed(0)
    paths = (tmp_path / "my photo.png", tmp_path / "painting.jpg")
    for path, size in zip(paths, ((36, 48), (40, 40)), strict=True):
        write(path, torch.rand(3, *size, generator=random))
    return paths


@pytest.fixture
def pressing(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Presses Ctrl-C while the step after this index is under way, so often."""

    def press(after: int, times: int = 1) -> None:
        def interrupted(*pictures: Any, **settings: Any) -> Iterator[Update]:
            for update in iterate(*pictures, **settings):
                yield update
                if update.index == after:
                    for _ in range(times):
                        signal.raise_signal(signal.SIGINT)

        monkeypatch.setattr(running, "iterate", interrupted)

    return press


def test_ctrl_c_keeps_picture_and_checkpoint_and_says_how_to_go_on(
    pictures, pressing, tmp_path, monkeypatch
):
    out, whole = tmp_path / "out.png", tmp_path / "whole.png"
    assert swag("stylize", *pictures, "-o", whole, *TINY).exit_code == 0
    pressing(2)
    stopped = swag("stylize", *pictures, "-o", out, *TINY)
    assert (stopped.exit_code, stopped.stdout) == (130, "")
    assert "at step 4 of 6" in stopped.stderr  # the step under way was let end
    assert json.loads(read_metadata(out)["swag-run"])["finished"] is False
    monkeypatch.setattr(running, "iterate", iterate)
    command = stopped.stderr.rpartition("continue with: ")[2]
    resumed = swag(*shlex.split(command)[1:])
    assert (resumed.exit_code, resumed.stdout) == (0, f"{out}\n"), resumed.output
    assert out.read_bytes() == whole.read_bytes()
    assert not (tmp_path / "out.png.ckpt").exists()


def test_the_command_that_continues_takes_names_with_a_dash_and_watches_on(
    pictures, pressing, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    pictures[0].rename("-dash.png")
    pressing(2)
    watched = ["--save-every", 2, "--preview", "the preview.png"]
    stopped = swag("stylize", "-o", "out.png", *watched, *TINY, "--", "-dash.png", pictures[1])
    assert stopped.exit_code == 130, stopped.output
    monkeypatch.setattr(running, "iterate", iterate)
    preview = Path("the preview.png").stat().st_mtime_ns
    command = stopped.stderr.rpartition("continue with: ")[2]
    assert swag(*shlex.split(command)[1:]).exit_code == 0
    assert Path("the preview.png").stat().st_mtime_ns > preview
    assert {path.name for path in tmp_path.glob("out*")} == {"out.png", "out-2.png", "out-4.png"}


@pytest.mark.parametrize("printed", ["--quiet", "--json"])
def test_the_command_that_continues_prints_and_keeps_checkpoints_as_before(
    printed, pictures, pressing, tmp_path
):
    pressing(2)
    words = ("stylize", *pictures, "-o", tmp_path / "out.png", *TINY, printed)
    for every, kept in ((2.5, " --checkpoint-every 2.5"), (30, "")):
        stopped = swag(*words, "--checkpoint-every", every, "--overwrite")
        command = stopped.stderr.rpartition("continue with: ")[2].strip()
        assert command.endswith(f".ckpt{kept} {printed}"), stopped.output


def test_ctrl_c_pressed_twice_stops_within_the_step_and_keeps_the_last_checkpoint(
    pictures, pressing, tmp_path
):
    out = tmp_path / "out.png"
    pressing(2, times=2)
    stopped = swag("stylize", *pictures, "-o", out, *TINY)
    assert stopped.exit_code == 130
    assert "at step 3 of 6" in stopped.stderr
    assert load_checkpoint(tmp_path / "out.png.ckpt").header.index == 2


@pytest.fixture
def pressing_while_written(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Presses Ctrl-C so often while the picture is written."""

    def press(times: int) -> None:
        def interrupted(*given: Any, **settings: Any) -> None:
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)
            write(*given, **settings)

        monkeypatch.setattr(sys.modules["swag.run.update"], "write", interrupted)

    return press


@pytest.mark.parametrize("task", ["stylize", "texture", "reconstruct"])
def test_ctrl_c_while_the_picture_is_written_waits_for_it(
    task, pictures, pressing_while_written, tmp_path
):
    out = tmp_path / "out.png"
    pressing_while_written(1)
    given = pictures if task == "stylize" else pictures[:1]
    result = swag(task, *given, "-o", out, *TINY[:-1], 1000)
    assert (result.exit_code, result.stdout) == (0, f"{out}\n"), result.output
    assert read(out).size == (48, 36)


@pytest.mark.parametrize(("every", "said"), [(1000, "nothing was written"), (0, "continue with: ")])
def test_ctrl_c_pressed_twice_while_the_picture_is_written_says_what_there_is(
    every, said, pictures, pressing_while_written, tmp_path
):
    out = tmp_path / "out.png"
    pressing_while_written(2)
    result = swag("stylize", *pictures, "-o", out, *TINY[:-1], every, "--quiet")
    assert result.exit_code == 130 and not out.exists()
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"swag: interrupted while writing {out}; {said}")


def test_the_handler_of_ctrl_c_is_put_back(pictures, tmp_path):
    before = signal.getsignal(signal.SIGINT)
    swag("stylize", *pictures, "-o", tmp_path / "out.png", *TINY)
    assert signal.getsignal(signal.SIGINT) == before


def test_a_checkpoint_that_is_there_is_not_overwritten_by_another_run(pictures, tmp_path):
    out, checkpoint = tmp_path / "out.png", tmp_path / "out.png.ckpt"
    checkpoint.write_bytes(b"hours of work")
    line = the_only_line(swag("stylize", *pictures, "-o", out, *TINY))
    assert f"continue with --resume {checkpoint}, or start a new run with --overwrite" in line
    assert checkpoint.read_bytes() == b"hours of work"
    assert swag("stylize", *pictures, "-o", out, *TINY, "--overwrite").exit_code == 0


def test_a_finished_picture_is_not_replaced_by_a_resumed_run(pictures, pressing, tmp_path):
    out = tmp_path / "out.png"
    pressing(2)
    swag("stylize", *pictures, "-o", out, *TINY)
    write(out, torch.zeros(3, 9, 9))
    line = the_only_line(swag("stylize", *pictures, "--resume", f"{out}.ckpt"))
    assert "exists" in line
    assert read(out).size == (9, 9)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--resume", "nowhere.ckpt"], "there is no checkpoint nowhere.ckpt"),
        (["--resume", "{photo}"], "is not a checkpoint"),
        (["--resume", "{folder}"], "is not a checkpoint"),
        (["--resume", "{own}", "--size", "64"], "with size = 48"),
        (["--resume", "{own}", "--preset", "quick"], "with preset = 'default'"),
        (["--resume", "{own}", "--content-map", "{photo}"], "other pictures: content_map"),
    ],
)
def test_what_cannot_go_on_says_why(words, said, pictures, pressing, tmp_path):
    out = tmp_path / "out.png"
    pressing(2)
    swag("stylize", *pictures, "-o", out, *TINY)
    names = {"photo": pictures[0], "folder": tmp_path, "own": f"{out}.ckpt"}
    line = the_only_line(
        swag("stylize", *pictures, "-o", out, *(word.format(**names) for word in words))
    )
    assert said in line
    assert (tmp_path / "out.png.ckpt").exists()


def test_checkpoints_come_with_time_and_are_gone_at_the_end(pictures, tmp_path, monkeypatch):
    seen = []
    save = Update.save_checkpoint

    def spied(self: Update, path: Path) -> None:
        seen.append(self.index)
        save(self, path)

    monkeypatch.setattr(Update, "save_checkpoint", spied)
    words = ("stylize", *pictures, "--overwrite", "-o", tmp_path / "out.png", *TINY)
    assert swag(*words).exit_code == 0
    assert seen == [0, 1, 2, 3, 4]  # the picture is what comes of the last step
    seen.clear()
    assert swag(*words, "--checkpoint-every", 1000).exit_code == 0
    assert seen == []
    assert swag(*words, "--checkpoint-every", 1000, "--steps", 60).exit_code == 0
    assert seen == [49]
    assert sorted(p.name for p in tmp_path.glob("*out*")) == ["out.png"]


def test_a_run_removes_what_a_killed_one_left_of_its_checkpoint(pictures, tmp_path):
    out = tmp_path / "out.png"
    descriptor, _ = open_temporary(f"{out}.ckpt")
    os.close(descriptor)  # and with it the lock, as by a kill
    assert len(list(tmp_path.glob(".swag-*"))) == 1
    words = ("stylize", *pictures, "-o", out, *TINY, "--checkpoint-every", 1000)
    assert swag(*words).exit_code == 0
    assert list(tmp_path.glob(".swag-*")) == []


@pytest.mark.parametrize("taken", [1, 2])
@pytest.mark.parametrize("stopped", [False, True])
def test_of_two_runs_to_one_name_both_pictures_are_kept(
    stopped, taken, pictures, pressing, tmp_path, monkeypatch
):
    out, own = tmp_path / "out.png", tmp_path / f"out-{taken + 1}.png"
    pressing(2 if stopped else 1000)

    def faster(*given: Any, **settings: Any) -> Iterator[Update]:
        for name in ("out.png", "out-2.png")[:taken]:
            write(tmp_path / name, torch.zeros(3, 5, 5))
        yield from interrupted(*given, **settings)

    interrupted = running.iterate
    monkeypatch.setattr(running, "iterate", faster)
    result = swag("stylize", *pictures, "-o", out, *TINY)
    warning = f"swag: warning: another program wrote {out} meanwhile, which stays; "
    assert f"{warning}this picture is {own}\n" in result.stderr
    assert read(out).size == (5, 5) and read(own).size[0] > 5
    if stopped:
        assert result.exit_code == 130 and f"is {own}; continue with" in result.stderr
    else:
        assert (result.exit_code, result.stdout) == (0, f"{own}\n")


def test_a_run_goes_on_where_its_checkpoints_cannot_be_written(pictures, tmp_path, monkeypatch):
    out = tmp_path / "out.png"
    real = os.replace

    def full(source: str, target: str) -> None:
        if str(target).endswith(".ckpt"):
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "replace", full)
    result = swag("stylize", *pictures, "-o", out, "--json", *TINY)
    assert result.exit_code == 0
    assert json.loads(result.stdout.splitlines()[-1])["finished"] is True
    assert "warning: cannot write the checkpoint" in result.stderr
    assert "No space left on device; the run goes on" in result.stderr
    assert [p.name for p in tmp_path.glob(".*")] == []


def test_the_default_of_the_option_is_that_of_the_library():
    assert options.SECONDS == SECONDS


def test_no_metadata_leaves_nothing_in_the_picture(pictures, tmp_path):
    out = tmp_path / "out.png"
    assert swag("stylize", *pictures, "-o", out, *TINY, "--no-metadata").exit_code == 0
    assert read_metadata(out) == {}


def test_no_picture_says_where_its_files_were(pictures, tmp_path):
    weights = tmp_path / "mine.safetensors"
    from safetensors.torch import save_file

    from swag.backbones import bundled

    save_file(bundled.network("resnet").state_dict(), weights)
    for extension in ("png", "jpg", "webp", "tiff", "avif"):
        out = tmp_path / f"out.{extension}"
        words = ("--backbone", "swag/resnet", "--weights", weights, "--size", 48, "--steps", 4)
        assert swag("stylize", *pictures, "-o", out, *words).exit_code == 0
        assert os.fsencode(tmp_path.name) not in out.read_bytes()
        assert b"my photo" not in out.read_bytes()
        assert json.loads(read_metadata(out)["swag"])["weights"] == "mine.safetensors"
