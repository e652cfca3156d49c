"""NaN and infinity, let in anywhere at any step: recovered from or refused, never in a picture."""

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from torch import Tensor
from typer.testing import CliRunner

import swag
from swag.backbones import Backbone
from swag.cli import app
from swag.errors import BackboneError, CheckpointError, ImageError, OptimizationError, SettingsError
from swag.image import write
from swag.objective import Objective

SMALL = {"weights": "random", "size": 32, "scales": 1, "steps": 6, "device": "cpu"}
BAD = [math.nan, math.inf, -math.inf]
OPTIMIZERS = ["lbfgs", "adam", "torch-lbfgs"]


def noise(*size: int) -> Tensor:
    return torch.rand(3, *size, generator=torch.Generator().manual_seed(sum(size)))


PHOTO, PAINTING = noise(24, 32), noise(28, 32)
SITES = ["features", "loss", "gradient"]


class Spoilt(torch.autograd.Function):
    """The same value, whose gradient is not finite in one place."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, bad: float) -> Tensor:
        ctx.bad = bad
        return values.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        spoilt = gradient.clone()
        spoilt.view(-1)[0] = ctx.bad
        return spoilt, None


@pytest.fixture
def spoil(monkeypatch) -> Callable[..., list[int]]:
    """Let a bad number into the looks at the picture from one on, so many times."""

    def let_in(site: str, bad: float, first: int, times: int) -> list[int]:
        looks: list[int] = []
        objective = Objective
        real_call, real_extract = objective.__call__, Backbone.extract

        def due() -> bool:
            return first <= len(looks) < first + times

        def call(self: Any, image: Tensor) -> dict[str, Tensor]:
            looks.append(len(looks))
            if due() and site == "gradient":
                image = Spoilt.apply(image, bad)
            terms = real_call(self, image)
            return {k: v * bad for k, v in terms.items()} if due() and site == "loss" else terms

        def extract(self: Any, image: Tensor, layers: Any = None) -> dict[str, Tensor]:
            maps = real_extract(self, image, layers)
            if not (due() and site == "features"):
                return maps
            return {k: v + torch.full_like(v, bad) for k, v in maps.items()}

        monkeypatch.setattr(objective, "__call__", call)
        monkeypatch.setattr(Backbone, "extract", extract)
        return looks

    return let_in


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("bad", BAD)
def test_one_bad_step_is_recovered_from(site, bad, optimizer, spoil):
    looks = spoil(site, bad, first=4, times=1)
    updates = list(swag.iterate(PHOTO, PAINTING, **SMALL, optimizer=optimizer))
    assert len(looks) > 6
    assert [update.index for update in updates] == list(range(6))
    for update in updates:
        assert torch.isfinite(update.image.pixels).all()
        assert all(math.isfinite(value) for value in update.losses.values())


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("site", SITES)
def test_numbers_that_stay_bad_end_a_run_in_one_line(site, optimizer, spoil):
    spoil(site, math.nan, first=4, times=10**6)
    with pytest.raises(OptimizationError, match=r"not finite|was not finite") as caught:
        for update in swag.iterate(PHOTO, PAINTING, **SMALL, optimizer=optimizer):
            assert torch.isfinite(update.image.pixels).all()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("site", SITES)
def test_a_bad_first_look_is_refused(site, spoil):
    spoil(site, math.nan, first=0, times=10**6)
    with pytest.raises((OptimizationError, SettingsError)) as caught:
        list(swag.iterate(PHOTO, PAINTING, **SMALL))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("site", SITES)
def test_the_command_line_writes_no_picture_and_says_why(site, spoil, tmp_path: Path):
    write(tmp_path / "a.png", PHOTO)
    write(tmp_path / "x.png", PAINTING)
    out = tmp_path / "out.png"
    spoil(site, math.inf, first=4, times=10**6)
    words = ["stylize", tmp_path / "a.png", tmp_path / "x.png", "-o", out, "--size", 32,
             "--steps", 9, "--weights", "random", "--set", "scales=1"]  # fmt: skip
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert (result.exit_code, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1
    assert not out.exists()


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("role", ["content", "style", "initial", "content_map"])
def test_a_picture_with_a_bad_number_is_refused(role, bad):
    spoilt = PHOTO.clone()
    spoilt[1, 2, 3] = bad
    pictures = {"content": PHOTO, "style": PAINTING, role: spoilt}
    with pytest.raises(ImageError, match="expected floats"):
        swag.iterate(pictures.pop("content"), pictures.pop("style"), **pictures, **SMALL)


@pytest.mark.parametrize("bad", BAD)
def test_a_file_with_a_bad_number_is_refused(bad, tmp_path: Path):
    samples = PHOTO.permute(1, 2, 0).numpy().astype(np.float32).copy()
    samples[1, 2, 0] = bad
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric="rgb")
    with pytest.raises(ImageError, match="expected floats"):
        swag.iterate(tmp_path / "a.tif", PAINTING, **SMALL)


@pytest.mark.parametrize("bad", BAD)
def test_weights_with_a_bad_number_are_refused(bad):
    network = swag.backbones.create("swag/resnet", weights="random")
    name, values = next(iter(network.module.state_dict().items()))
    values[(0,) * values.ndim] = bad
    with pytest.raises(BackboneError, match=f"1 values in {name} that are not finite"):
        swag.iterate(PHOTO, PAINTING, backbone=network, **SMALL)


def test_a_result_that_is_not_finite_is_not_saved(tmp_path: Path):
    result = swag.stylize(PHOTO, PAINTING, **SMALL)
    result.image.pixels[0, 0, 0] = math.nan
    with pytest.raises(ImageError, match="not finite"):
        result.save(tmp_path / "out.png")
    assert list(tmp_path.iterdir()) == []


def test_a_state_that_is_not_finite_is_not_gone_on_with(tmp_path: Path):
    update = next(swag.iterate(PHOTO, PAINTING, **SMALL))
    update.state.image.view(-1)[7] = math.inf
    update.save_checkpoint(tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError, match="damaged"):
        swag.iterate(PHOTO, PAINTING, resume=tmp_path / "a.ckpt")


def test_the_same_run_gives_the_same_bits_in_another_process(tmp_path: Path):
    code = f"""
import torch, swag
torch.set_num_threads({torch.get_num_threads()})
def noise(*size):
    return torch.rand(3, *size, generator=torch.Generator().manual_seed(sum(size)))
result = swag.stylize(noise(24, 32), noise(28, 32), **{SMALL}, start="noise", seed=3)
torch.save(result.image.pixels, {str(tmp_path / "other.pt")!r})
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    mine = swag.stylize(PHOTO, PAINTING, **SMALL, start="noise", seed=3)
    assert torch.equal(torch.load(tmp_path / "other.pt"), mine.image.pixels)
