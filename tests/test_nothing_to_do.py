"""Runs that have nothing to do end well: a strength of 0 is the photo, a best start is kept."""

import pytest
import torch
from typer.testing import CliRunner

import swag
from swag.cli import app
from swag.config import METHODS
from swag.image import Picture

TINY = {"size": 64, "steps": 4, "device": "cpu"}


def pictures(seed: int = 0) -> tuple[Picture, Picture]:
    draw = torch.Generator().manual_seed(seed)
    return tuple(Picture(torch.rand(3, 64, 48, generator=draw)) for _ in range(2))


@pytest.mark.parametrize("method", [method for method in METHODS if method != "instant"])
def test_a_strength_of_zero_is_the_photo(method):
    photo, painting = pictures()
    made = swag.stylize(photo, painting, strength=0, method=method, **TINY)
    torch.testing.assert_close(made.image.pixels, photo.pixels, rtol=0, atol=1e-6)
    assert made.fallbacks == () and made.losses["content"] == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        {"scales": 1},
        {"scales": 3},
        {"scales": 1, "total_variation": 0},
        {"optimizer": "adam"},
        {"start": "instant"},
    ],
    ids=str,
)
def test_however_the_run_is_laid_out(settings):
    photo, painting = pictures()
    made = swag.stylize(photo, painting, strength=0, **TINY | settings)
    assert torch.equal(made.image.pixels, photo.pixels)


def test_more_than_zero_is_not_the_photo():
    photo, painting = pictures()
    made = swag.stylize(photo, painting, strength=0.01, **TINY)
    assert not torch.equal(made.image.pixels, photo.pixels)


def test_a_run_that_starts_at_its_best_keeps_the_start_and_says_so():
    photo, _ = pictures()
    made = swag.stylize(photo, photo, start="content", scales=2, total_variation=0, **TINY)
    assert torch.equal(made.image.pixels, photo.pixels)
    assert made.fallbacks[-1] == "scale 2 of 2 ended at step 0 of 4: none lowered the loss"


def test_the_diagonal_of_a_batch_over_one_folder_is_made(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, picture in zip("ab", pictures(), strict=True):
        swag.image.write(folder / f"{name}.png", picture)
    words = ["batch", "--contents", folder, "--styles", folder, "--out", tmp_path / "out"]
    words += ["--size", 64, "--steps", 4]
    result = CliRunner().invoke(app, [*map(str, words)])
    assert result.exit_code == 0, result.output
    assert len([*(tmp_path / "out").glob("*.png")]) == 4


def test_a_long_panorama_is_made_at_the_sizes_that_it_has():
    draw = torch.Generator().manual_seed(0)
    panorama, painting = (
        Picture(torch.rand(3, *size, generator=draw)) for size in ((4, 256), (64, 64))
    )
    made = swag.stylize(panorama, painting, **TINY | {"size": 128, "scales": 3})
    assert made.image.size == (128, 2) and len(made.trace) == 4
