"""Folders of a batch: what is taken, what is left out, what results are called."""

import logging
import os
import shutil
from pathlib import Path, PurePath

import pytest
import torch
from typer.testing import CliRunner

from swag.batch import product
from swag.batch.folders import output_name, pictures_of
from swag.cli import app
from swag.errors import SettingsError
from swag.image import Picture, write


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with pictures of all kinds of names."""
    folder = tmp_path / "photos"
    for name in ("a.png", "b.png", "deep/er/c.png", "a.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write(folder / name, Picture(torch.full((3, 40, 40), 0.5)))
    (folder / "b.png").rename(folder / "B.PNG")
    shutil.copy(folder / "a.jpg", folder / "d.jfif")
    shutil.copy(folder / "a.jpg", folder / "without")
    (folder / ".hidden.png").write_bytes(b"")
    (folder / ".git").mkdir()
    (folder / ".git" / "e.png").write_bytes(b"")
    return folder


@pytest.fixture
def painting(tmp_path: Path) -> Path:
    write(tmp_path / "x.png", Picture(torch.full((3, 40, 40), 0.2)))
    return tmp_path / "x.png"


def outputs(contents: Path, styles: Path, out: Path | None = None) -> list[str]:
    return [job.output for job in product(contents, styles, out)]


def test_whatever_can_be_read_is_taken_with_names_of_its_own(photos, painting):
    assert outputs(photos, painting) == [
        "B-x.png",
        "a.jpg-x.png",
        "a.png-x.png",
        "d-x.png",
        "deep/er/c-x.png",
        "without-x.png",
    ]


def test_a_single_picture_is_accepted(photos, painting):
    assert outputs(painting, photos / "B.PNG") == ["x-B.png"]


def test_a_style_in_a_sub_folder_is_named_with_it(photos, painting):
    assert "x-deep-er-c.png" in outputs(painting, photos)
    assert output_name(PurePath("a/b"), PurePath("c/d")) == "a/b-c-d.png"


def test_what_is_left_out_is_told(photos, painting, caplog):
    with caplog.at_level(logging.WARNING, logger="swag"):
        outputs(photos, painting)
    assert not caplog.records
    (photos / "notes.txt").write_text("no picture")
    os.mkfifo(photos / "pipe")
    with caplog.at_level(logging.WARNING, logger="swag"):
        outputs(photos, painting)
    (record,) = caplog.records
    assert "notes.txt, pipe" in record.getMessage()


def test_results_below_the_contents_are_no_inputs(photos, painting):
    before = outputs(photos, painting)
    shutil.copytree(photos / "deep", photos / "results")
    assert outputs(photos, painting, photos / "results") == before
    assert len(outputs(photos, painting)) == len(before) + 1


@pytest.mark.parametrize("own", ["contents", "styles"])
def test_a_folder_of_inputs_is_no_place_for_results(own, photos, painting):
    pair = (photos, painting) if own == "contents" else (painting, photos)
    with pytest.raises(SettingsError, match="choose another folder for --out"):
        product(*pair, photos / "deep" / "..")


def test_a_folder_without_pictures_or_that_is_not_there(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(SettingsError, match="holds no pictures"):
        pictures_of(tmp_path)
    with pytest.raises(SettingsError, match="cannot look into"):
        pictures_of(tmp_path / "gone")


def test_a_second_call_says_that_all_is_done(photos, painting, tmp_path):
    words = ["batch", "--contents", str(photos / "deep"), "--styles", str(painting)]
    words += ["--out", str(tmp_path / "out"), "--size", "32", "--steps", "1"]
    words += ["--set", "scales=1", "--device", "cpu"]
    first = CliRunner().invoke(app, words)
    assert first.exit_code == 0, first.output
    assert (tmp_path / "out" / "er" / "c-x.png").exists()
    second = CliRunner().invoke(app, words)
    assert second.exit_code == 0 and "all 1 pictures exist already" in second.output
