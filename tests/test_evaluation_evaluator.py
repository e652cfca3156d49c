"""Judges worth their name, and measures against independent formulas."""

import math

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from scipy.ndimage import correlate1d
from torch import Tensor

import swag
from swag_lab.evaluation import perceptual
from swag_lab.evaluation.degradations import degraded
from swag_lab.evaluation.evaluator import (
    MEASURES,
    STYLE_MEASURES,
    Evaluator,
    fair_judges,
    grain,
    mean_error,
    noise,
)
from swag_lab.evaluation.networks import random, trained
from swag_lab.evaluation.ssim import ssim
from swag_lab.experiments.painted import paint

SIZE = 64


@pytest.fixture(scope="module")
def photo():
    return paint("house", SIZE)


@pytest.fixture(scope="module")
def style():
    return paint("strokes", SIZE)


@pytest.fixture(scope="module")
def evaluator(photo, style):
    return Evaluator.of(photo, style)


@pytest.fixture(scope="module")
def result(photo, style):
    return swag.stylize(photo[0], style[0], size=SIZE, steps=40, scales=1, device="cpu").image.batch


def test_errors_run_from_the_one_picture_to_the_other(evaluator, photo, style):
    for judge in evaluator.objectives:
        of_photo, of_style = (evaluator(picture)["judges"][judge] for picture in (photo, style))
        for measure in STYLE_MEASURES:
            assert of_style[measure] == pytest.approx(0, abs=1e-6)
            assert of_photo[measure] == pytest.approx(1, rel=1e-4)
        assert (of_photo["content"], of_style["content"]) == (0, pytest.approx(1, rel=1e-4))


def test_a_stylized_picture_lies_between(evaluator, result):
    for scores in evaluator(result)["judges"].values():
        assert all(0 < scores[measure] < 1 for measure in MEASURES)


@pytest.mark.parametrize("kind", ["noise", "blur", "colors"])
def test_every_judge_but_the_optimized_prefers_a_result_to_its_degraded_version(
    evaluator, result, kind
):
    good, bad = evaluator(result)["judges"], evaluator(degraded(result, kind, 1.0))["judges"]
    judges = fair_judges([trained("resnet")])
    assert len(judges) >= 2
    for measure in STYLE_MEASURES:
        assert mean_error(bad, measure, judges) > mean_error(good, measure, judges)
        better = sum(bad[judge][measure] > good[judge][measure] for judge in judges)
        assert better > len(judges) / 2


@pytest.mark.parametrize("kind", ["noise", "blur", "colors"])
def test_every_judge_sees_what_degrades_a_photo(evaluator, photo, kind):
    slightly = photo + 0.02 * torch.randn(photo.shape, generator=torch.Generator().manual_seed(0))
    good, bad = evaluator(slightly)["judges"], evaluator(degraded(photo, kind, 1.0))["judges"]
    assert all(bad[judge]["content"] > good[judge]["content"] for judge in good)


def test_a_judge_is_none_of_the_networks_that_were_optimized():
    assert "p-vgg" not in fair_judges([trained("vgg"), trained("resnet")])
    assert "p-vgg" in fair_judges([random("swag/vgg")])


def test_frechet_is_the_distance_of_two_normal_distributions(photo, style):
    judge = trained("vgg").create(0)
    layer = judge.style_layers[1]
    with torch.no_grad():
        maps = [judge.extract(p, [layer])[layer][0].flatten(1).double() for p in (photo, style)]
    (mean_a, a), (mean_b, b) = ((m.mean(1).numpy(), np.cov(m.numpy(), bias=True)) for m in maps)
    root = np.real(sqrtm(a @ b))
    expected = ((mean_a - mean_b) ** 2).sum() + np.trace(a + b - 2 * root)
    evaluator = Evaluator.of(photo, style, [trained("vgg")])
    (part,) = [part for part in evaluator.objectives["p-vgg"].parts if part.term == "frechet"]
    assert 1 / part.factor == pytest.approx(expected, rel=1e-3)


def test_ssim_is_that_of_an_independent_implementation(photo, style):
    a, b = photo * 0.8 + 0.1, (0.7 * photo + 0.3 * style)
    gray = [(p[0].double().permute(1, 2, 0).numpy() @ [0.299, 0.587, 0.114]) for p in (a, b)]
    window = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window /= window.sum()

    def local(values):
        for axis in (0, 1):
            values = correlate1d(values, window, axis)
        return values[5:-5, 5:-5]

    x, y = gray
    mx, my = local(x), local(y)
    vx, vy, c = local(x * x) - mx**2, local(y * y) - my**2, local(x * y) - mx * my
    numerator = (2 * mx * my + 1e-4) * (2 * c + 9e-4)
    expected = (numerator / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))).mean()
    assert float(ssim(a, b)[0]) == pytest.approx(expected, abs=1e-6)
    assert float(ssim(a, a)[0]) == pytest.approx(1)


def test_noise_is_one_for_the_richest_picture_and_more_with_grain(photo, style):
    richest = max((photo, style), key=lambda picture: noise(picture, picture * 0 + 0.5))
    assert noise(richest, photo, style) == pytest.approx(1)
    assert noise(degraded(richest, "noise", 1.0), photo, style) > 1.2
    assert noise(degraded(richest, "blur", 1.0), photo, style) < 0.9


def test_perceptual_distances_say_what_they_lack(tmp_path, monkeypatch, photo):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name in ("lpips", "dists", "artfid"):
        assert name in perceptual.missing_metric(name)
    assert perceptual.perceptual_distances(photo, photo) == {}
    assert perceptual.metric_availability().count(";") == 2


def waves(angle: float, cycles: float = 0.3) -> Tensor:
    """A wave of so many cycles a pixel that runs in a direction, in degrees from the horizontal."""
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(128.0), indexing="ij")
    turn = math.radians(angle)
    phase = 2 * math.pi * cycles * (x * math.cos(turn) + y * math.sin(turn))
    return (0.5 + 0.4 * torch.sin(phase)).expand(1, 3, 96, 128)


def test_grain_is_one_for_even_directions_high_along_the_axes_and_none_across():
    even = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(0))
    assert grain(even) == pytest.approx(1, abs=0.05)
    assert grain(waves(0)) > 3 and grain(waves(90)) > 3
    assert grain(waves(45)) < 0.01
    coarse = waves(0, cycles=0.05)
    assert grain(coarse + 0.1 * waves(45)) < 0.01  # coarse stripes are no grain


def test_grain_does_not_depend_on_brightness_contrast_or_a_quarter_turn(photo):
    assert grain(0.5 * photo + 0.2) == pytest.approx(grain(photo))
    assert grain(photo.rot90(1, (2, 3))) == pytest.approx(grain(photo))
