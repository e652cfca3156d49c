"""Tables of jobs and files of settings: those that the documentation shows, and their corners."""

import json
import os
from pathlib import Path

import pytest
import torch
from command import swag

from swag.batch import Batch, Job, Manifest, read_jobs, run
from swag.batch import work as work_module
from swag.config import load, settings
from swag.errors import SettingsError
from swag.image import Picture, read, write
from swag.run import recorded

WORDS = ["--weights", "random", "--size", "32", "--steps", "2", "--set", "scales=1"]
DOCUMENT = Path(__file__).parents[1] / "docs/files.md"


def example(language: str) -> str:
    """The first example in a language that the documentation shows."""
    return DOCUMENT.read_text().split(f"```{language}\n")[1].split("```")[0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The pictures that the documentation names."""
    random = torch.Generator().manual_seed(0)
    for name in ("photos/lake", "paintings/wave", "paintings/night"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write(tmp_path / f"{name}.jpg", torch.rand(3, 24, 32, generator=random))
    (tmp_path / "masks").mkdir()
    half = torch.zeros(3, 24, 32)
    half[..., 16:] = 1
    write(tmp_path / "masks/lake.png", half)
    write(tmp_path / "masks/wave.png", half.flip(2))
    return tmp_path


def table(folder: Path, text: str, name: str = "jobs.csv") -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_the_table_of_the_documentation_is_made(folder: Path):
    out = folder / "out"
    result = swag("batch", table(folder, example("csv")), "--out", out, *WORDS)
    assert result.exit_code == 0, result.output
    assert {str(p.relative_to(out)) for p in out.rglob("*.*")} == {
        "lake-wave.png", "two.png", "lake/masked.tif", "manifest.jsonl"
    }  # fmt: skip
    two = recorded(out / "two.png")
    assert two.settings.strength == 0.7 and two.settings.style_weights == (2.0, 1.0)
    assert set(two.made.inputs) == {"content", "style", "style 2"}
    assert set(recorded(out / "lake/masked.tif").made.inputs) == {
        "content", "style", "content_mask", "style_mask"
    }  # fmt: skip
    plain, masked = (read(out / name).pixels for name in ("lake-wave.png", "lake/masked.tif"))
    assert not torch.equal(plain, masked)


def test_the_json_lines_of_the_documentation_are_read(folder: Path):
    first, second = read_jobs(table(folder, example("json"), "jobs.jsonl"))
    assert [style.name for style in first.styles] == ["wave.jpg", "night.jpg"]
    assert settings(**second.settings).style_layers == {"relu1_1": 1, "relu2_1": 0.5}


def test_the_json_lines_of_the_documentation_are_made(folder: Path):
    out, jobs = folder / "out", table(folder, example("json"), "jobs.jsonl")
    result = swag("batch", jobs, "--out", out, *WORDS)
    assert result.exit_code == 0, result.output
    assert read(out / "two.png").size == read(out / "lake-wave.png").size == (32, 24)
    assert set(recorded(out / "two.png").made.inputs) == {"content", "style", "style 2"}
    assert recorded(out / "lake-wave.png").settings.style_layers == {"relu1_1": 1, "relu2_1": 0.5}


def test_the_settings_of_the_documentation_are_used(folder: Path):
    path = table(folder, example("toml"), "night.toml")
    chosen = settings(**load(path))
    assert (chosen.colors, chosen.strength, chosen.size) == ("content", 0.7, 384)
    pair = folder / "photos/lake.jpg", folder / "paintings/wave.jpg"
    result = swag("stylize", *pair, "--config", path, "-o", folder / "a.png", *WORDS)
    assert result.exit_code == 0, result.output
    made = recorded(folder / "a.png").settings
    assert (made.backbone, made.preset, made.size) == ("swag/resnet", "quick", 32)


def test_home_is_found_in_cells_and_in_options_that_no_shell_has_replaced(
    folder: Path, monkeypatch
):
    monkeypatch.setenv("HOME", str(folder))
    text = 'content,style,weights\n"~/photos/lake.jpg",~/paintings/wave.jpg,"~/w.pth"\n'
    (job,) = read_jobs(table(folder, text))
    assert (job.content, job.styles[0]) == (
        folder / "photos/lake.jpg",
        folder / "paintings/wave.jpg",
    )
    assert settings(**job.settings).weights == str(folder / "w.pth")
    pair = "--contents=~/photos/lake.jpg", "--styles=~/paintings/wave.jpg"
    assert swag("batch", *pair, "--out=~/out", *WORDS).exit_code == 0
    assert (folder / "out/lake-wave.png").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("a.jpg,x.jpg | ,", "style is ''; expected the path"),
        ("a.jpg | b.jpg,x.jpg,", "content is ['a.jpg', 'b.jpg']; expected the path"),
        ("a.jpg,x.jpg,m.png | n.png", "content_mask is ['m.png', 'n.png']; expected the path"),
    ],
)
def test_a_cell_that_is_no_path_is_shown(line: str, said: str, tmp_path: Path):
    with pytest.raises(SettingsError) as caught:
        read_jobs(table(tmp_path, f"content,style,content_mask\n{line}\n"))
    assert said in str(caught.value)


def test_a_mask_that_changes_is_another_picture(folder: Path):
    path = table(folder, "content,style,content_mask\nphotos/lake.jpg,paintings/wave.jpg,m.png\n")
    write(folder / "m.png", torch.ones(3, 24, 32))
    words = ("batch", path, "--out", folder / "out", *WORDS)
    assert swag(*words).exit_code == 0
    assert "all 1 pictures exist already" in swag(*words).stderr
    write(folder / "m.png", torch.zeros(3, 24, 32))
    assert "exists, made with other settings" in swag(*words).stderr


def test_what_was_decoded_is_recorded_though_the_file_changed_since_the_batch_began(
    folder: Path, monkeypatch
):
    photo, out = folder / "photos/lake.jpg", folder / "out"
    before, made = photo.read_bytes(), work_module.iterate

    def changed_before_it_is_read(*given, **options):
        write(photo, torch.zeros(3, 24, 32))
        return made(*given, **options)

    job = Job(photo, (folder / "paintings/wave.jpg",), "a.png")
    batch = {"weights": "random", "size": 32, "steps": 2, "scales": 1}
    out.mkdir()
    with monkeypatch.context() as patch, Manifest(out) as manifest:
        patch.setattr(work_module, "iterate", changed_before_it_is_read)
        assert [o.state for o in run(Batch(out, batch), [job], manifest)] == ["done"]
    with Manifest(out) as manifest:
        assert [o.state for o in run(Batch(out, batch), [job], manifest)] == ["there"]
    photo.write_bytes(before)
    with Manifest(out) as manifest:
        (outcome,) = run(Batch(out, batch), [job], manifest)
    assert outcome.state == "failed" and "made with other settings" in outcome.error


def test_a_name_too_long_for_its_checkpoint_is_refused_before_the_first_step(folder: Path):
    pair = folder / "photos/lake.jpg", folder / "paintings/wave.jpg"
    most = os.pathconf(folder, "PC_NAME_MAX") - len(".ckpt")
    fits, long = ("\u00e9" + "x" * (n - 6) + ".png" for n in (most, most + 1))
    every = ["--checkpoint-every", "0"]
    assert swag("stylize", *pair, "-o", folder / fits, *WORDS, *every).exit_code == 0
    result = swag("stylize", *pair, "-o", folder / long, *WORDS)
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert f"give a name of at most {most} bytes" in result.stderr
    jobs = json.dumps({"content": str(pair[0]), "style": str(pair[1]), "output": long})
    result = swag("batch", table(folder, jobs, "jobs"), "--out", folder / "out", *WORDS)
    assert result.exit_code == 3 and "longer than the" in result.stderr
    assert not (folder / long).exists() and read(folder / fits).size == (32, 24)


def test_pictures_kept_now_and_then_have_room_for_their_numbers(folder: Path):
    pair = folder / "photos/lake.jpg", folder / "paintings/wave.jpg"
    name = "x" * 243 + ".png"
    result = swag("stylize", *pair, "-o", folder / name, *WORDS, "--save-every", "1")
    assert result.exit_code == 1 and "has 247 bytes" in result.stderr
    assert swag("stylize", *pair, "-o", folder / name, *WORDS).exit_code == 0
    assert isinstance(read(folder / name), Picture)
