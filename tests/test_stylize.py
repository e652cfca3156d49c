"""Whole runs on small pictures: every kind of network, smoothing and optimizer."""

import itertools
import json
import math
import sys

import pytest
import torch

import swag
from swag.errors import OptimizationError
from swag.image import Picture, read, read_metadata

BACKBONES = [
    "swag/resnet",
    "torchvision/resnet18",
    "torchvision/vgg16",
    "torchvision/mobilenet_v2",
    "torchvision/squeezenet1_1",
    "torchvision/convnext_tiny",
]
SOFTMAX, CHANNELS = "softmax:temperature=auto", "channel-softmax:temperature=auto"
PAIRS = [("none", "lbfgs"), (SOFTMAX, "adam"), (CHANNELS, "lbfgs"), ("power", "adam")]
OTHER_PAIRS = [("none", "adam"), (SOFTMAX, "lbfgs"), (CHANNELS, "adam"), ("power", "lbfgs")]


@pytest.fixture(scope="module")
def photo():
    y, x = torch.meshgrid(torch.linspace(0, 1, 36), torch.linspace(0, 1, 48), indexing="ij")
    return torch.stack([x, y, (x - 0.5).abs()])


@pytest.fixture(scope="module")
def painting():
    rng = torch.Generator().manual_seed(3)
    coarse = torch.rand(1, 3, 12, 10, generator=rng)
    return torch.nn.functional.interpolate(coarse, (48, 40), mode="nearest")[0]


def run(photo, painting, **overrides):
    small = {"size": 48, "steps": 4, "scales": 1, "backbone": "swag/resnet", "weights": "random"}
    return swag.stylize(photo, painting, **{**small, **overrides})


@pytest.fixture(scope="module", params=BACKBONES)
def backbone(request):
    return swag.backbones.create(request.param, weights="random", edits=("reflect",))


@pytest.mark.parametrize(("smoothing", "optimizer"), PAIRS)
def test_the_loss_falls_for_every_network_and_smoothing(
    photo, painting, backbone, smoothing, optimizer
):
    _loss_falls(photo, painting, backbone, smoothing, optimizer)


@pytest.mark.parametrize(("smoothing", "optimizer"), OTHER_PAIRS)
def test_the_loss_falls_for_every_smoothing_and_optimizer(photo, painting, smoothing, optimizer):
    """The other half of the pairs, which no network changes."""
    _loss_falls(photo, painting, "swag/resnet", smoothing, optimizer)


def _loss_falls(photo, painting, backbone, smoothing, optimizer):
    result = run(photo, painting, backbone=backbone, smoothing=smoothing, optimizer=optimizer)
    totals = [line["losses"]["style"] + line["losses"]["content"] for line in result.trace]
    assert all(math.isfinite(total) for total in totals)
    # The style term begins at its weight: the content picture's error is the unit.
    style_weight, _ = result.settings.weights_of_terms
    assert totals[-1] < 0.98 * style_weight
    assert result.image.pixels.min() >= 0 and result.image.pixels.max() <= 1
    assert result.image.size == (48, 36)


@pytest.mark.parametrize("preset", ["paper", "released-code"])
def test_the_presets_of_the_paper_run_on_squashed_pictures(photo, painting, preset):
    # Like the authors' script they have no line search, so a loss may rise on the way.
    result = run(photo, painting, preset=preset, steps=4, size=48)
    assert result.image.size == (48, 48)
    assert set(result.losses) == {"style", "content"}
    losses = [line["losses"] for line in result.trace]
    assert all(math.isfinite(value) for line in losses for value in line.values())
    assert min(line["style"] for line in losses[1:]) != losses[0]["style"]


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not(photo, painting):
    first, second = (run(photo, painting, start="noise", seed=4) for _ in range(2))
    other = run(photo, painting, start="noise", seed=5)
    assert torch.equal(first.image.pixels, second.image.pixels)
    assert not torch.equal(first.image.pixels, other.image.pixels)


def test_strength_trades_content_for_style(photo, painting):
    def kept(strength):
        result = run(photo, painting, strength=strength, steps=20)
        style, content = result.settings.weights_of_terms
        return result.losses["style"] / style, result.losses["content"] / content

    weak, strong = kept(0.1), kept(0.9)
    assert strong[0] < weak[0] and strong[1] > weak[1]


def test_scales_double_and_every_step_is_seen(photo, painting):
    updates = list(
        swag.iterate(photo, painting, size=128, scales=2, steps=7, weights="random", seed=1)
    )
    assert [update.index for update in updates] == list(range(7))
    assert {update.size for update in updates} == {(48, 64), (96, 128)}
    assert updates[-1].image.size == (128, 96)


def test_alpha_of_the_content_stays(photo, painting):
    clear = Picture(photo, torch.full((1, 36, 48), 0.25))
    result = run(clear, painting)
    assert result.image.alpha is not None
    assert torch.allclose(result.image.alpha, torch.tensor(0.25), atol=1e-3)


def test_styles_are_blended_by_terms_of_their_own(photo, painting):
    result = run(photo, [painting, photo.flip(-1)])
    assert {"style 1", "style 2", "content"} <= set(result.losses)


def test_a_texture_has_no_content_and_a_reconstruction_no_style(photo, painting):
    small = {"size": 48, "steps": 8, "scales": 1, "weights": "random"}
    texture = swag.texture(painting, **small)
    assert "content" not in texture.losses and texture.image.size == (40, 48)
    again = swag.reconstruct(photo, **small, smoothing="softmax:temperature=auto")
    assert "style" not in again.losses
    assert again.trace[-1]["losses"]["content"] < again.trace[0]["losses"]["content"]


@pytest.mark.parametrize("start", ["content", "noise", "style"])
def test_every_start_works_with_averaged_iterates(photo, painting, start):
    result = run(photo, painting, start=start, optimizer="adam", average=0.9)
    assert torch.isfinite(result.image.pixels).all()


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_a_flat_style_gives_a_picture(photo, value):
    result = run(photo, torch.full((3, 32, 32), value))
    assert torch.isfinite(result.image.pixels).all()


def test_a_saved_result_carries_its_settings(photo, painting, tmp_path):
    result = run(photo, painting)
    result.save(tmp_path / "out.png")
    assert json.loads(read_metadata(tmp_path / "out.png")["swag"]) == result.config
    assert read(tmp_path / "out.png").size == (48, 36)


def test_an_unknown_device_is_one_line(photo, painting):
    with pytest.raises(swag.SettingsError, match="auto, cpu"):
        run(photo, painting, device="gpu9")


def test_a_missing_picture_is_refused_before_any_work():
    with pytest.raises(swag.SettingsError, match="needs a style picture"):
        swag.iterate(torch.zeros(3, 20, 20), None)


def test_closing_the_iterator_is_enough_to_stop(photo, painting):
    updates = swag.iterate(photo, painting, size=48, weights="random", steps=50)
    assert len(list(itertools.islice(updates, 3))) == 3
    updates.close()


def test_a_run_can_begin_with_a_picture(photo, painting):
    begun = run(photo, painting, initial=painting, steps=1)
    expected = swag.image.resize(painting[None], (36, 48)).clamp(0, 1)
    # The first step of L-BFGS changes no value by more than 0.05.
    assert (begun.image.batch - expected).abs().max() < 0.0501


def test_random_weights_can_be_calibrated_on_the_pictures(photo, painting):
    result = run(
        photo, painting, backbone="torchvision/resnet18", weights="random:kaiming+calibrated"
    )
    assert math.isfinite(result.losses["style"])


@pytest.mark.parametrize(
    ("weights", "advice"),
    [
        ("random:kaiming", "random:kaiming+calibrated"),
        ("random:greedy:draws=1", "random:torchvision+calibrated"),
        ("random+calibrated", None),
    ],
)
def test_random_weights_that_leave_the_numbers_are_told_of_calibration(
    photo, painting, weights, advice, monkeypatch
):
    def optimize(*_args, **_settings):
        raise OptimizationError("not finite")

    monkeypatch.setattr(sys.modules["swag.run.runner"], "optimize", optimize)
    with pytest.raises(OptimizationError) as error:
        run(photo, painting, weights=weights)
    said = str(error.value)
    assert said.startswith("not finite") and "\n" not in said
    assert advice is None or said.endswith(f"the weights {advice}")
    assert ("calibrated" in said) == (advice is not None)


def ends_after(steps, monkeypatch):
    """Let no step beyond so many lower the loss, at every scale."""
    loop = sys.modules["swag.run.runner"]
    through = loop.optimize
    monkeypatch.setattr(loop, "optimize", lambda *a, **k: itertools.islice(through(*a, **k), steps))


def test_a_scale_that_ends_early_says_so_in_the_result(photo, painting, monkeypatch):
    ends_after(2, monkeypatch)
    result = run(photo, painting, size=64, steps=8, scales=2)
    assert [line["step"] for line in result.trace] == [0, 1, 5, 6]
    expected = tuple(
        f"scale {n} of 2 ended at step {step} of 8: none lowered the loss"
        for n, step in ((1, 2), (2, 7))
    )
    assert result.fallbacks == expected
    assert result.made.fallbacks == expected


def test_a_run_that_makes_all_its_steps_has_nothing_to_say(photo, painting):
    assert run(photo, painting, size=64, steps=4, scales=2).fallbacks == ()


def test_pictures_are_put_side_by_side_only_for_weights_that_are_calibrated(
    photo, painting, monkeypatch
):
    """A batch of all pictures takes gigabytes if they are large."""
    asked = []
    given = {}
    create = swag.backbones.create

    def creates(*args, calibrate_on, **options):
        given["images"] = calibrate_on
        return create(*args, calibrate_on=calibrate_on, **options)

    monkeypatch.setattr(swag.backbones, "create", creates)
    for weights in ("random", "pretrained", "random:greedy:draws=2", "random:kaiming+calibrated"):
        run(photo, painting, steps=1, weights=weights)
        asked.append(0 if given["images"] is None else len(given["images"]))
    assert asked == [0, 0, 1, 2]
