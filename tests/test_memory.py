"""Runs fit into memory: what is decided before, and what happens where it runs out."""

import importlib
import logging

import pytest
import torch

import swag
from swag.config import settings
from swag.errors import ResourceError, SettingsError
from swag.fallbacks import Fallbacks
from swag.optimize import Adam, Lbfgs
from swag.run.plan import Planner

SHORT = {"steps": 10, "scales": 2, "size": 64}
# Layers that see 10 pixels to each side, so that tiles are smaller than the picture.
SHORT |= {"style_layers": {"stem": 1.0, "stage1": 1.0}, "content_layers": {"stage1": 1.0}}


def photo(seed=1):
    return torch.rand(3, 64, 48, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def network():
    layers = ("stem", "stage1", "stage2", "stage3", "stage4")
    return swag.backbones.create("swag/resnet", edits=("reflect",), style_layers=layers)


def planner(network, gigabytes, **overrides):
    made = Planner(settings(**overrides), network, torch.device("cpu"), Fallbacks())
    made.budget = gigabytes * 1e9
    return made


def run(network, *, seed=1, **overrides):
    return swag.stylize(photo(seed), photo(seed + 1), backbone=network, **{**SHORT, **overrides})


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_a_run_in_tiles_makes_the_same_picture(network, optimizer):
    whole = run(network, optimizer=optimizer, tile=0)
    tiled = run(network, optimizer=optimizer, tile=24)
    torch.testing.assert_close(
        tiled.image.pixels, whole.image.pixels, rtol=0, atol=2e-3 if optimizer == "adam" else 1e-4
    )
    assert tiled.losses == pytest.approx(whole.losses, rel=1e-3)


def test_what_fits_is_read_at_once_and_what_does_not_in_tiles(network):
    size = (1000, 2000)
    assert planner(network, 4.0).plan(size).tile == 0
    side = planner(network, 1.5).plan(size).tile
    assert 0 < side < 1000 and side % 16 == 0
    assert planner(network, 0.001, tile=0).plan(size).tile == 0
    assert planner(network, 100.0, tile=300).plan(size).tile == 300


def test_tiles_are_announced_in_one_sentence_before_the_start(network, caplog):
    tight = planner(network, 1.5)
    with caplog.at_level(logging.WARNING, "swag"):
        tight.check((1000, 2000))
    (words,) = tight.fallbacks
    assert caplog.messages == [words]
    assert words.startswith("2000 x 1000 pixels need about 2.3 GB") and "uses tiles of" in words
    ample = planner(network, 100.0)
    ample.check((1000, 2000))
    assert ample.fallbacks == []


def test_what_does_not_fit_even_in_tiles_is_refused_in_one_line(network):
    with pytest.raises(
        ResourceError, match=r"8000 x 8000 pixels .* even in tiles.*smaller --size$"
    ) as caught:
        planner(network, 1.0).check((8000, 8000))
    assert "\n" not in str(caught.value)


def test_a_run_whose_memory_runs_out_goes_on_in_tiles_and_says_so(network, monkeypatch):
    expected = run(network, tile=0)
    given = network.extract
    calls = []

    def short_of_memory(image, layers=None):
        # The full size fits, until it is asked for with a gradient for the third time.
        if tuple(image.shape[-2:]) == (64, 48) and image.requires_grad:
            calls.append(1)
            if len(calls) >= 3:
                raise torch.OutOfMemoryError("out of memory: tried to allocate 2 GiB")
        return given(image, layers)

    monkeypatch.setattr(network, "extract", short_of_memory)
    result = run(network)
    assert len(calls) == 3
    assert any("memory ran out at 48 x 64 pixels" in words for words in result.fallbacks)
    torch.testing.assert_close(result.image.pixels, expected.image.pixels, rtol=0, atol=1e-3)


def test_a_large_picture_is_cut_where_the_rest_fits_and_the_result_is_the_same(network):
    # Few steps: where rounding takes an activation across zero, more would draw runs apart.
    every = {"style_layers": None, "content_layers": None, "size": 96, "steps": 4}
    made = planner(network, 100.0, tile=48)
    assert made.plan((96, 72)).split.front == ("stem", "stage1", "stage2")
    assert planner(network, 0.01, tile=48).plan((4000, 4000)).split.tail is None
    for seed in (1, 11, 21):
        whole, tiled = (run(network, seed=seed, tile=tile, **every) for tile in (0, 48))
        torch.testing.assert_close(tiled.image.pixels, whole.image.pixels, rtol=0, atol=1e-3)
        assert tiled.losses == pytest.approx(whole.losses, rel=1e-3)


def test_where_the_rest_does_not_fit_after_all_every_layer_is_tiled(network, caplog):
    made = planner(network, 100.0, tile=48)
    first = made.plan((96, 72))
    assert first.split.tail is not None
    assert made.weaken(first, MemoryError())
    second = made.plan((96, 72))
    assert second.split.tail is None
    assert made.fallbacks == [
        "memory ran out at 72 x 96 pixels; the run goes on with all layers in tiles"
    ]
    assert not made.weaken(second, MemoryError())


def test_adam_takes_the_place_of_l_bfgs_where_its_steps_do_not_fit(network, caplog):
    side = 10_000, 10_000
    assert isinstance(planner(network, 24.0).optimizer(side), Lbfgs)
    tight = planner(network, 15.0)
    assert isinstance(tight.optimizer(side), Adam)
    with caplog.at_level("WARNING", "swag"):
        tight.check(side)
    assert tight.fallbacks[0] == (
        "10000 x 10000 pixels need about 19.2 GB for L-BFGS, and 15.0 GB can be used; "
        "the run uses Adam"
    )
    assert all(len(words) <= 200 for words in tight.fallbacks)
    # A picture that is no large one does not change its optimizer, nor does a run that goes on.
    assert isinstance(planner(network, 0.1).optimizer((1000, 1000)), Lbfgs)
    assert isinstance(tight.optimizer(side, {"changes": torch.zeros(1)}), Lbfgs)
    assert isinstance(planner(network, 24.0).optimizer(side, {"mean": torch.zeros(1)}), Adam)
    with pytest.raises(ResourceError, match="even in tiles"):
        planner(network, 10.0).check(side)


def test_a_run_whose_steps_do_not_fit_is_made_by_adam_and_resumed_by_it(
    network, monkeypatch, tmp_path
):
    plan = importlib.import_module("swag.run.plan")
    monkeypatch.setattr(plan, "LARGE", 1000)
    monkeypatch.setattr(plan, "COPIES", {"lbfgs": 1e9, "adam": 1, "torch-lbfgs": 1})
    for update in swag.iterate(photo(), photo(2), backbone=network, **{**SHORT, "steps": 5}):
        if update.index == 2:
            update.save_checkpoint(tmp_path / "half.ckpt")
    assert "mean" in update.state.memory
    assert "uses Adam" in update.fallbacks[0]
    # There is more memory by now.
    monkeypatch.setattr(plan, "COPIES", {"lbfgs": 1, "adam": 1, "torch-lbfgs": 1})
    resumed = list(swag.iterate(photo(), photo(2), backbone=network, resume=tmp_path / "half.ckpt"))
    assert torch.equal(resumed[-1].pixels, update.pixels)


@pytest.mark.parametrize("value", ["huge", -1, "1.5", 10**9, True, None, "²"])
def test_a_tile_that_is_none_is_one_line(value):
    with pytest.raises(SettingsError, match=r"^tile = .*give auto, 0 .* up to 32768") as caught:
        settings(tile=value)
    assert "\n" not in str(caught.value)
    assert settings(tile="300").tile == settings(tile=300).tile == 300


def test_an_error_that_is_not_of_memory_is_raised(network):
    for tile, error, weaker in (
        ("auto", RuntimeError("size mismatch"), False),
        ("auto", MemoryError(), True),
        (0, MemoryError(), False),
    ):
        made = planner(network, 4.0, tile=tile)
        assert made.weaken(made.plan((64, 64)), error) is weaker


def test_fewer_steps_of_large_pictures_are_remembered_in_half_the_precision(network):
    assert planner(network, 4.0).optimizer((1000, 1000)).remembered is None
    assert planner(network, 4.0, steps=1000).optimizer((512, 512)).history == 56
    assert planner(network, 4.0, steps=300).optimizer((512, 512)).history == 10
    large = planner(network, 4.0).optimizer((4096, 4096))
    assert (large.history, large.remembered) == (6, torch.bfloat16)
