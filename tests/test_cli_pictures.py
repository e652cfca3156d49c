"""How pictures are read and written by commands: size original, 16 bits, limits, what they say."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from command import swag
from PIL import Image

import swag as library
from swag.batch import read_jobs
from swag.config import settings
from swag.errors import ImageError, SettingsError
from swag.image import read, read_metadata, write
from swag.run import recorded

WORDS = ["--weights", "random", "--steps", "2", "--set", "scales=1", "--device", "cpu"]


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A photo that lies on its side, of 30 x 44 pixels upright, and a painting."""
    random = np.random.default_rng(0)
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = Image.fromarray(random.integers(0, 256, (30, 44, 3)).astype(np.uint8))
    photo.save(tmp_path / "photo.jpg", exif=exif)
    write(tmp_path / "painting.png", torch.rand(3, 24, 32))
    return tmp_path / "photo.jpg", tmp_path / "painting.png"


def test_the_size_can_be_the_photos_own(pair, tmp_path: Path):
    result = swag("stylize", *pair, "-o", tmp_path / "a.png", *WORDS, "--size", "original")
    assert result.exit_code == 0, result.output
    assert read(tmp_path / "a.png").size == (30, 44)
    assert recorded(tmp_path / "a.png").settings.size == 44
    again = ("rerun", tmp_path / "a.png", "--content", pair[0], "--style", pair[1])
    assert swag(*again, "-o", tmp_path / "b.png").exit_code == 0
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_the_own_size_works_in_python_files_and_tables(pair, tmp_path: Path):
    few: dict[str, Any] = {"weights": "random", "steps": 2, "scales": 1, "device": "cpu"}
    result = library.stylize(*pair, size="original", **few)
    assert (result.settings.size, result.image.size) == (44, (30, 44))
    assert library.texture(pair[1], size="original", **few).image.size == (32, 24)
    (tmp_path / "a.toml").write_text('size = "original"')
    words = ("stylize", *pair, "-o", tmp_path / "a.png", *WORDS, "--config", tmp_path / "a.toml")
    assert swag(*words).exit_code == 0 and read(tmp_path / "a.png").size == (30, 44)
    (tmp_path / "jobs.csv").write_text("content,style,size\nphoto.jpg,painting.png,original\n")
    assert read_jobs(tmp_path / "jobs.csv")[0].settings == {"size": "original"}
    assert swag("batch", tmp_path / "jobs.csv", "--out", tmp_path / "out", *WORDS).exit_code == 0
    assert read(tmp_path / "out/photo-painting.png").size == (30, 44)


def test_a_size_that_is_none_is_refused(tmp_path: Path, pair):
    for size in ("15", "own", "-1", "40000"):
        with pytest.raises(SettingsError, match="size"):
            settings(size=size)  # type: ignore[arg-type]
    write(tmp_path / "small.png", torch.rand(3, 9, 9))
    result = swag("stylize", tmp_path / "small.png", pair[1], *WORDS, "--size", "original")
    assert result.exit_code == 1 and "size = original means 9 pixels" in result.stderr
    with pytest.raises(SettingsError, match="needs a photo"):
        library.PerceptualLoss(pair[1], size="original")


def test_sixteen_bits_come_from_the_numbers_and_not_from_eight(pair, tmp_path: Path, monkeypatch):
    shown = []
    image = library.run.Update.image.fget  # type: ignore[attr-defined]
    keep = lambda update: shown.append(image(update)) or shown[-1]  # noqa: E731
    monkeypatch.setattr(library.run.Update, "image", property(keep))
    for name in ("a.png", "a.tif"):
        words = ("stylize", *pair, "-o", tmp_path / name, *WORDS, "--size", 32, "--bits", 16)
        assert swag(*words).exit_code == 0
        steps = read(tmp_path / name).pixels * 65535
        wanted = (shown[-1].pixels.double() * 65535).round()
        assert (steps - wanted).abs().max() < 0.01  # float32 holds 16 bits and more
        assert (wanted % 257 != 0).any()
    assert tifffile.imread(tmp_path / "a.tif").dtype == np.uint16


@pytest.mark.parametrize("name", ["a.jpg", "a.webp"])
def test_sixteen_bits_are_refused_where_no_file_holds_them(name: str, pair, tmp_path: Path):
    words = ("stylize", *pair, "-o", tmp_path / name, *WORDS, "--size", 32, "--bits", 16)
    result = swag(*words)
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert "with 16 bits" in line and "write PNG or TIFF" in line


def test_a_batch_writes_sixteen_bits_and_makes_those_of_eight_anew(pair, tmp_path: Path):
    words = ("batch", "--contents", pair[0], "--styles", pair[1], "--out", tmp_path / "out")
    words = (*words, *WORDS, "--size", 32)
    assert swag(*words).exit_code == 0
    assert swag(*words, "--bits", 16).exit_code == 3
    assert swag(*words, "--bits", 16, "--overwrite").exit_code == 0
    assert (tmp_path / "out/photo-painting.png").read_bytes()[24] == 16


def test_the_limit_of_pixels_is_an_option(pair, tmp_path: Path):
    words = ("stylize", *pair, "-o", tmp_path / "a.png", *WORDS, "--size", 32, "--max-pixels")
    result = swag(*words, 1000)
    assert result.exit_code == 1 and "raise the limit (--max-pixels" in result.stderr
    assert swag(*words, 2000).exit_code == 0
    words = ("batch", "--contents", pair[0], "--styles", pair[1], "--out", tmp_path / "out")
    assert "more than the limit" in swag(*words, *WORDS, "--max-pixels", 1000).stderr
    assert "more than the limit" in swag("texture", pair[1], "--max-pixels", 700).stderr


@pytest.mark.parametrize("kind", ["jpg", "webp"])
def test_settings_stand_where_other_programs_look_and_are_shown(kind: str, pair, tmp_path: Path):
    path = tmp_path / f"a.{kind}"
    assert swag("stylize", *pair, "-o", path, *WORDS, "--size", 32).exit_code == 0
    with Image.open(path) as image:
        comment = image.getexif().get_ifd(0x8769)[0x9286]
    assert comment[:8] == b"UNICODE\0"
    assert comment[8:].decode("utf-16-be") == read_metadata(path)["parameters"]
    shown = swag("settings", path)
    assert shown.exit_code == 0 and "vgg16-distilled" in shown.stdout
    assert '"steps"' in swag("settings", path, "--json").stdout


def test_words_of_other_programs_are_shown(tmp_path: Path):
    exif = Image.Exif()
    exif.endian = ">"
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + "a cat\nSteps: 20".encode("utf-16-be")
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", exif=exif)
    assert read_metadata(tmp_path / "a.jpg") == {"parameters": "a cat\nSteps: 20"}
    assert "Steps: 20" in swag("settings", tmp_path / "a.jpg").stdout
    Image.new("RGB", (8, 8)).save(tmp_path / "b.jpg")
    assert "holds no settings" in swag("settings", tmp_path / "b.jpg").stderr


def test_a_tiff_that_is_not_read_says_what_was_given(tmp_path: Path):
    samples = np.zeros((8, 8, 3), np.complex64)
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric="rgb")
    with pytest.raises(ImageError) as caught:
        read(tmp_path / "a.tif")
    assert "RGB with 64 bits a sample, format COMPLEXIEEEFP" in str(caught.value)
    assert "expected unsigned integers of 1 to 64 bits, or floats" in str(caught.value)
