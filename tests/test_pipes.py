"""Pictures by standard input and output: the same as by files, and nothing else in between."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from command import swag
from PIL import Image

from swag.cli import pipes, running
from swag.image import read, read_metadata, write
from swag.run import load_checkpoint

FAST = ["--weights", "random", "--steps", "2", "--size", "32", "--set", "scales=1"]


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    draw = torch.Generator().manual_seed(0)
    for name in ("photo.png", "painting.png"):
        write(tmp_path / name, torch.rand(3, 24, 32, generator=draw))
    return tmp_path / "photo.png", tmp_path / "painting.png"


def refused(*words: object, given: bytes | None = None) -> str:
    result = swag(*words, given=given)
    assert result.exit_code == 1 and result.stdout_bytes == b""
    assert len(result.stderr.splitlines()) == 1, result.stderr
    return result.stderr


@pytest.mark.parametrize("place", ["content", "style"])
def test_a_picture_through_pipes_is_that_of_files(pair, tmp_path, place):
    assert swag("stylize", *pair, "-o", tmp_path / "a.png", *FAST).exit_code == 0
    words = ["-", pair[1]] if place == "content" else [pair[0], "-"]
    given = pair[place == "style"].read_bytes()
    result = swag("stylize", *words, "-o", "-", *FAST, given=given)
    assert result.exit_code == 0, result.stderr
    assert result.stdout_bytes == (tmp_path / "a.png").read_bytes()
    assert "swag-run" in read_metadata(tmp_path / "a.png")


def test_what_comes_by_a_pipe_goes_by_a_pipe(pair, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = pair[0].read_bytes()
    result = swag("stylize", "-", pair[1], *FAST, given=given)
    assert result.stdout_bytes.startswith(b"\x89PNG")
    assert sorted(os.listdir()) == ["painting.png", "photo.png"]
    assert swag("stylize", "-", pair[1], *FAST, "-o", "a.png", given=given).exit_code == 0
    assert read("a.png").size == (32, 24)


@pytest.mark.parametrize(
    ("name", "kind"), [("jpg", "JPEG"), (".webp", "WEBP"), ("TIFF", "TIFF"), ("png", "PNG")]
)
def test_the_format_on_standard_output_can_be_chosen(pair, name, kind):
    result = swag("apply", "great-wave", pair[0], "-o", "-", "--format", name)
    assert result.exit_code == 0, result.stderr
    image = Image.open(io.BytesIO(result.stdout_bytes))
    assert (image.format, image.size) == (kind, (32, 24))


def test_a_style_is_applied_through_pipes(pair, tmp_path):
    assert swag("apply", "great-wave", pair[0], "-o", tmp_path / "a.png").exit_code == 0
    given = pair[0].read_bytes()
    result = swag("apply", "great-wave", "-", given=given)
    assert result.exit_code == 0 and result.stdout_bytes == (tmp_path / "a.png").read_bytes()
    result = swag("apply", "great-wave", "-", "-o", tmp_path / "b.png", given=given)
    assert result.stdout == f"{tmp_path / 'b.png'}\n"
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_sixteen_bits_and_other_tasks(pair):
    given = pair[1].read_bytes()
    result = swag("texture", "-", *FAST, "--bits", "16", "--no-metadata", given=given)
    assert result.exit_code == 0, result.stderr
    assert result.stdout_bytes[24] == 16  # bits of a sample, in a PNG's header
    assert swag("reconstruct", "-", *FAST, given=given).stdout_bytes.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-", "-"], "- was given twice"),
        (["-", "STYLE", "--json"], "--json needs a file"),
        (["-", "STYLE", "--save-every", "1"], "--save-every needs a file"),
        (["-", "STYLE", "--format", "gif"], "the extension '.gif' is not one of"),
        (["-", "STYLE", "--format", "jpg", "--bits", "16"], "JPEG holds 8"),
        (["-", "STYLE", "--format", "jpg", "-o", "a.png"], "the ending of a.png is its format"),
        (["-", "STYLE", "--preview", "STYLE"], "would overwrite"),
    ],
)
def test_what_a_pipe_cannot_be_is_refused(pair, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    words = [pair[1] if word == "STYLE" else word for word in words]
    assert said in refused("stylize", *words, *FAST, given=pair[0].read_bytes())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (b"", "standard input is empty"),
        (b"no picture", "standard input is not a picture"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "bytes"),
    ],
)
@pytest.mark.parametrize("command", [["stylize", "-", "STYLE"], ["apply", "great-wave", "-"]])
def test_what_is_no_picture_is_refused(pair, given, said, command):
    words = [pair[1] if word == "STYLE" else word for word in command]
    assert said in refused(*words, given=given)


def test_more_bytes_than_pixels_need_are_not_held(pair):
    given = pair[0].read_bytes() + bytes(17 << 20)
    said = refused("stylize", "-", pair[1], *FAST, "--max-pixels", "1000", given=given)
    assert "standard input is longer than" in said


def test_several_photos_are_no_pipe(pair, tmp_path):
    assert "- stands for one picture" in refused("apply", "great-wave", *pair, "-o", "-")
    assert "- stands for one picture" in refused("apply", "great-wave", tmp_path, "-o", "-")
    assert "has no name" in refused("apply", "great-wave", "-", "-o", tmp_path)


class _Terminal(io.BytesIO):
    buffer = property(lambda self: self)

    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_no_picture_and_gives_none(monkeypatch, pair):
    monkeypatch.setattr(sys, "stdout", _Terminal())
    with pytest.raises(pipes.SettingsError, match="standard output, which is a terminal"):
        pipes.check_standard_output()
    monkeypatch.setattr(sys, "stdin", _Terminal())
    with pytest.raises(pipes.SettingsError, match="nothing is piped into it"):
        pipes.read_standard_input([pipes.DASH])


def test_a_terminal_is_found_before_any_work(monkeypatch, pair):
    def never(*_, **__):
        raise AssertionError

    def terminal():
        raise pipes.SettingsError("a terminal")

    for module in (running, sys.modules["swag.cli.apply"]):
        monkeypatch.setattr(module, "read_standard_input", never)
    for name in ("swag.cli.output", "swag.cli.apply"):
        monkeypatch.setattr(sys.modules[name], "check_standard_output", terminal)
    assert "a terminal" in refused("stylize", *pair, "-o", "-", *FAST)
    assert "a terminal" in refused("apply", "great-wave", pair[0], "-o", "-")


def test_an_interrupted_run_writes_no_part_of_a_picture(pair, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    iterate = running.iterate

    def interrupted(*values, **named):
        for update in iterate(*values, **named):
            if update.index == 1:
                os.kill(os.getpid(), signal.SIGINT)
            yield update

    monkeypatch.setattr(running, "iterate", interrupted)
    words = ["stylize", "-", pair[1], *FAST, "--steps", "4"]
    result = swag(*words, given=pair[0].read_bytes())
    assert result.exit_code == 130 and result.stdout_bytes == b""
    assert result.stderr == (
        "swag: interrupted at step 2 of 4; nothing was written to standard output\n"
    )
    assert sorted(os.listdir()) == ["painting.png", "photo.png"]
    # A photo from a pipe has a checkpoint all the same, if its picture has a place.
    result = swag(*words, "-o", "a.png", given=pair[0].read_bytes())
    assert result.exit_code == 130 and f"swag stylize - {pair[1]} --resume" in result.stderr
    assert load_checkpoint("a.png.ckpt") is not None
    monkeypatch.setattr(running, "iterate", iterate)
    again = swag("stylize", "-", pair[1], "--resume", "a.png.ckpt", given=pair[0].read_bytes())
    assert again.exit_code == 0 and again.stdout == "a.png\n"


def test_a_real_pipe_of_the_program(pair, tmp_path):
    program = [sys.executable, "-c", "from swag.cli import main; main()", "apply", "great-wave"]
    with pair[0].open("rb") as photo:
        done = subprocess.run([*program, "-"], stdin=photo, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert Image.open(io.BytesIO(done.stdout)).size == (32, 24)
    if Path("/dev/full").exists():
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                [*program, str(pair[0]), "-o", "-"], stdout=full, stderr=-1, check=False
            )
        assert done.returncode == 1
        assert done.stderr == b"swag: cannot write to standard output: No space left on device\n"
