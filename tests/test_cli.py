import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from command import swag, the_only_line

from swag.cli import running
from swag.config import settings
from swag.image import read, read_metadata, write
from swag.optimize import State
from swag.run import Update

TINY = ["--backbone", "swag/resnet", "--weights", "random", "--size", "48", "--steps", "4"]


@pytest.fixture
def pictures(tmp_path: Path) -> tuple[Path, Path]:
    random = torch.Generator().manual_seed(0)
    paths = (tmp_path / "photo.png", tmp_path / "painting.jpg")
    for path, size in zip(paths, ((36, 48), (40, 40)), strict=True):
        write(path, torch.rand(3, *size, generator=random))
    return paths


def update(index: int, steps: int, overrides: dict[str, Any]) -> Update:
    pixels = torch.full((1, 3, 6, 8), index / steps)
    losses = {"style": 1.0 / (index + 1), "content": 0.5}
    return Update(
        index, steps, 0, 1, (6, 8), pixels, None, losses, 0.25 * index, settings(**overrides),
        State(pixels),
    )  # fmt: skip


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Runs of three steps without a network; what they were asked for is kept."""
    made: list[dict[str, Any]] = []

    def iterate(content: Any, style: Any, *, task: str, **overrides: Any) -> Iterator[Update]:
        made.append({"content": content, "style": style, "task": task, **overrides})
        for picture in ("content_mask", "style_mask", "content_map", "initial"):
            overrides.pop(picture, None)
        return (update(index, 3, overrides) for index in range(3))

    monkeypatch.setattr(running, "iterate", iterate)
    return made


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let runs make so many steps and then do something else."""

    def fail(act: Callable[[], object], steps: int = 2) -> None:
        def iterate(content: Any, style: Any, *, task: str, **overrides: Any) -> Iterator[Update]:
            for index in range(steps):
                yield update(index, 9, overrides)
            act()

        monkeypatch.setattr(running, "iterate", iterate)

    return fail


def raising(error: BaseException) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


def test_a_photo_is_stylized_and_standard_output_is_the_path(
    pictures: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out.png"
    result = swag("stylize", *pictures, "-o", out, *TINY)
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{out}\n", "")
    assert read(out).size == (48, 36)
    assert json.loads(read_metadata(out)["swag"])["size"] == 48


def test_a_texture_needs_no_photo(pictures: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "out.webp"
    assert swag("texture", pictures[1], "-o", out, *TINY).exit_code == 0
    assert read(out).size == (48, 48)


def test_a_reconstruction_needs_no_style(pictures: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "out.tiff"
    smoothing = ("--smoothing", "softmax:temperature=auto")
    assert swag("reconstruct", pictures[0], "-o", out, *smoothing, *TINY).exit_code == 0
    assert read(out).size == (48, 36)


def test_json_is_a_trace_and_nothing_else(pictures: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    result = swag("stylize", *pictures, "-o", out, "--json", *TINY, "--seed", 5)
    assert result.stderr == ""
    *steps, end = map(json.loads, result.stdout.splitlines())
    assert end["output"] == str(out)
    assert end["finished"] is True
    assert end["settings"] == json.loads(read_metadata(out)["swag"])
    assert end["settings"]["seed"] == 5
    assert [step["step"] for step in steps] == [0, 1, 2, 3]
    assert steps[-1]["size"] == [36, 48]
    assert all({"style", "content"} <= step["losses"].keys() for step in steps)


def test_quiet_prints_nothing(calls: list[dict[str, Any]], tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    result = swag("stylize", "a.jpg", "b.jpg", "-o", out, "--quiet", FORCE_COLOR="1")
    assert (result.exit_code, result.output) == (0, "")
    assert out.exists()


def test_a_bar_with_scale_and_losses_moves_on_standard_error(
    calls: list[dict[str, Any]], tmp_path: Path
) -> None:
    out = tmp_path / "out.png"
    result = swag(
        "stylize", "a.jpg", "b.jpg", "-o", out, FORCE_COLOR="1", NO_COLOR="1", COLUMNS="80"
    )
    assert result.stdout == f"{out}\n"
    assert "scale 1/1 (8 px) 3/3" in result.stderr
    assert "style 0.333, content 0.5" in result.stderr


def test_options_win_over_the_config_file_and_both_over_the_preset(
    calls: list[dict[str, Any]], tmp_path: Path
) -> None:
    config = tmp_path / "mine.toml"
    config.write_text('preset = "quick"\nsteps = 7\nsize = 40\n')
    out = tmp_path / "out.png"
    result = swag("stylize", "a.jpg", "b.jpg", "-o", out, "--config", config, "--size", 64)
    assert result.exit_code == 0
    chosen = json.loads(read_metadata(out)["swag"])
    assert (chosen["preset"], chosen["steps"], chosen["size"]) == ("quick", 7, 64)


def test_every_option_of_a_run_arrives(calls: list[dict[str, Any]], tmp_path: Path) -> None:
    options = {
        "backbone": "swag/vgg",
        "weights": "random",
        "smoothing": "power",
        "size": "99",
        "steps": 11,
        "strength": 0.25,
        "preset": "quality",
        "seed": 3,
        "device": "cpu",
    }
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    assert swag("stylize", "a.jpg", "b.jpg", "-o", tmp_path / "x.png", *words).exit_code == 0
    expected = {"content": Path("a.jpg"), "style": [Path("b.jpg")], "task": "stylize", **options}
    assert calls == [expected]


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["stylize", "in/photo.jpg", "wave.png"], "photo-wave.png"),
        (["stylize", "photo.jpg", "wave.png", "night.webp"], "photo-wave-night.png"),
        (["texture", "in/wave.png"], "wave-texture.png"),
        (["reconstruct", "photo.jpg"], "photo-reconstruction.png"),
    ],
)
def test_the_picture_is_named_for_its_inputs(
    words: list[str],
    name: str,
    calls: list[dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert swag(*words).stdout == f"{name}\n"
    assert Path(name).exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--backbone", "swag/resnett"], "swag/resnet"),
        (["--backbone", "torchvision/resnet5O"], "resnet50"),
        (["--weights", "nowhere.safetensors"], "nowhere.safetensors"),
        (["--smoothing", "sofmax"], "did you mean softmax"),
        (["--smoothing", "softmax:temperature=-1"], "temperature"),
        (["--preset", "pape"], "paper"),
        (["--strength", "1.5"], "strength"),
        (["--size", "3"], "size"),
        (["--steps", "-1"], "steps"),
        (["--device", "abacus"], "abacus"),
        (["--device", "cpu:7"], "device 'cpu:7' is not there; use auto, cpu"),
        (["--feather", "20"], "--feather 20 blurs the edges of a content mask, and there is none"),
        (["--start", "style", "--initial", "a.png"], "both name the picture to begin with"),
        (["--config", "nowhere.toml"], "nowhere.toml"),
        (["-o", "out.jgp"], ".jpg"),
        (["-o", "nowhere/out.png"], "nowhere"),
    ],
)
def test_a_wrong_option_ends_in_one_line(
    words: list[str], said: str, pictures: tuple[Path, Path], tmp_path: Path
) -> None:
    usual = ["-o", str(tmp_path / "out.png"), *TINY]
    assert said in the_only_line(swag("stylize", *pictures, *usual, *words))
    assert not (tmp_path / "out.png").exists()


def test_a_missing_picture_ends_in_one_line(pictures: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    assert "gone.jpg" in the_only_line(swag("stylize", "gone.jpg", pictures[1], "-o", out, *TINY))
    assert "gone.jpg" in the_only_line(swag("stylize", pictures[0], "gone.jpg", "-o", out, *TINY))


def test_a_file_that_is_no_picture_ends_in_one_line(
    pictures: tuple[Path, Path], tmp_path: Path
) -> None:
    letter = tmp_path / "letter.jpg"
    letter.write_text("Dear reader")
    line = the_only_line(swag("stylize", letter, pictures[1], "-o", tmp_path / "out.png", *TINY))
    assert "letter.jpg" in line


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("steps = ", "mine.toml"),
        ("[1, 2]", "mine.toml"),
        ("stepps = 3", "did you mean steps"),
        ('size = "wide"', "size"),
        ("\udcff", "mine.toml"),
    ],
)
def test_a_wrong_config_file_ends_in_one_line(
    text: str, said: str, calls: list[dict[str, Any]], tmp_path: Path
) -> None:
    config = tmp_path / "mine.toml"
    config.write_bytes(text.encode(errors="surrogateescape"))
    out = tmp_path / "out.png"
    line = the_only_line(swag("stylize", "a.jpg", "b.jpg", "-o", out, "--config", config))
    assert said in line
    assert calls == []


def test_a_picture_that_is_there_stays_and_no_work_is_done(
    calls: list[dict[str, Any]], tmp_path: Path
) -> None:
    out = tmp_path / "out.png"
    out.write_text("mine")
    line = the_only_line(swag("stylize", "a.jpg", "b.jpg", "-o", out))
    assert "exists" in line
    assert (out.read_text(), calls) == ("mine", [])


def test_overwrite_replaces_a_picture(calls: list[dict[str, Any]], tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    out.write_text("mine")
    assert swag("stylize", "a.jpg", "b.jpg", "-o", out, "--overwrite").exit_code == 0
    assert read(out).size == (8, 6)


def test_ctrl_c_keeps_the_latest_picture(failing: Callable[..., None], tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    failing(lambda: signal.raise_signal(signal.SIGINT))
    result = swag("stylize", "a.jpg", "b.jpg", "-o", out)
    assert result.exit_code == 130
    assert result.stdout == ""
    assert f"interrupted at step 2 of 9; the picture so far, 8 x 6 pixels, is {out}" in (
        result.stderr
    )
    assert read(out).pixels[0, 0, 0].item() == pytest.approx(1 / 9, abs=1 / 255)


def test_ctrl_c_before_the_first_step_writes_nothing(
    failing: Callable[..., None], tmp_path: Path
) -> None:
    out = tmp_path / "out.png"
    failing(lambda: signal.raise_signal(signal.SIGINT), steps=0)
    result = swag("stylize", "a.jpg", "b.jpg", "-o", out)
    assert result.exit_code == 130
    assert "nothing was written" in result.stderr
    assert not out.exists()


def test_an_interrupted_trace_says_so(failing: Callable[..., None], tmp_path: Path) -> None:
    failing(raising(KeyboardInterrupt()))
    result = swag("stylize", "a.jpg", "b.jpg", "-o", tmp_path / "out.png", "--json")
    *steps, end = map(json.loads, result.stdout.splitlines())
    assert (result.exit_code, end["finished"], len(steps)) == (130, False, 2)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 2 bytes"),
        MemoryError(),
    ],
)
def test_too_little_memory_ends_in_one_line(
    error: BaseException, failing: Callable[..., None], tmp_path: Path
) -> None:
    failing(raising(error))
    line = the_only_line(swag("texture", "b.jpg", "-o", tmp_path / "x.png", "--size", 8000))
    assert "8000 pixels" in line
    assert "--size" in line


def test_a_defect_of_ours_is_not_dressed_up(failing: Callable[..., None], tmp_path: Path) -> None:
    failing(raising(RuntimeError("shapes differ")))
    result = swag("texture", "b.jpg", "-o", tmp_path / "x.png")
    assert isinstance(result.exception, RuntimeError)


def test_any_setting_can_be_given_as_name_and_value(pictures, calls, tmp_path):
    single = ["--set", "scales=2", "--set", "colors=match", "--set", 'style_layers={"stem" = 2}']
    assert swag("stylize", *pictures, "--quiet", "-o", tmp_path / "out.png", *single).exit_code == 0
    assert calls[0]["scales"] == 2 and calls[0]["colors"] == "match"
    assert calls[0]["style_layers"] == {"stem": 2}


def test_an_option_wins_over_a_single_value(pictures, calls, tmp_path):
    swag(
        "stylize",
        *pictures,
        "--quiet",
        "-o",
        tmp_path / "o.png",
        "--set",
        "size=64",
        "--size",
        "96",
    )
    assert calls[0]["size"] == "96"


@pytest.mark.parametrize("pair", ["scales", "=3", "scales 3"])
def test_a_single_value_without_its_name_is_told(pictures, calls, pair):
    assert "expected NAME=VALUE" in the_only_line(swag("stylize", *pictures, "--set", pair))


def test_controls_reach_the_run(pictures, calls, tmp_path):
    photo, painting = pictures
    result = swag(
        "stylize", photo, painting, painting, "-q", "-o", tmp_path / "out.png", "--blend", "2, 1",
        "--style-scale", "0.5", "--style-rotations", "--colors", "content", "--method", "gatys",
        "--style-loss", "covariance", "--content-mask", photo, "--style-mask", painting,
        "--style-mask", painting, "--content-map", photo, "--initial", painting,
        "--feather", "12",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    (call,) = calls
    assert call["style_weights"] == ["2", "1"] and call["style_scale"] == 0.5
    assert call["style_rotations"] is True and call["colors"] == "content"
    assert call["method"] == "gatys" and call["style_loss"] == "covariance"
    assert call["content_mask"] == photo and call["style_mask"] == [painting, painting]
    assert call["content_map"] == photo and call["initial"] == painting and call["feather"] == 12
