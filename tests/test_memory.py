"""Runs fit into memory: what is decided before, and what happens where it runs out."""

import importlib
import logging
import tempfile

import pytest
import torch

import swag
from swag import disk
from swag.config import settings
from swag.errors import ResourceError, SettingsError
from swag.run import precision as stages
from swag.run.device import devices_beside
from swag.run.memory import Memory

SHORT = {"steps": 10, "scales": 2, "size": 64}
# Layers that see 10 pixels to each side, so that tiles are smaller than the picture.
SHORT |= {"style_layers": {"stem": 1.0, "stage1": 1.0}, "content_layers": {"stage1": 1.0}}


def photo(seed=1):
    return torch.rand(3, 64, 48, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def network():
    return swag.backbones.create("swag/resnet", edits=("reflect",))


def memory(network, gigabytes, **overrides):
    made = Memory(settings(**overrides), network, torch.device("cpu"), [])
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
    assert memory(network, 4.0).side(size) == 0
    side = memory(network, 1.5).side(size)
    assert 0 < side < 1000 and side % 16 == 0
    assert memory(network, 0.001, tile=0).side(size) == 0
    assert memory(network, 100.0, tile=300).side(size) == 300


def test_tiles_are_announced_in_one_sentence_before_the_start(network, caplog):
    tight = memory(network, 1.5)
    with caplog.at_level(logging.WARNING, "swag"):
        tight.check((1000, 2000))
    (words,) = tight.fallbacks
    assert caplog.messages == [words]
    assert words.startswith("2000 x 1000 pixels need about 2.3 GB") and "in tiles of" in words
    ample = memory(network, 100.0)
    ample.check((1000, 2000))
    assert ample.fallbacks == []


def test_what_does_not_fit_even_in_tiles_is_refused_in_one_line(network):
    with pytest.raises(ResourceError, match=r"8000 x 8000 pixels .* even in tiles.*adam") as caught:
        memory(network, 1.0).check((8000, 8000))
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
    made = memory(network, 100.0, tile=48)
    assert made._cut((96, 72)).front == ("stem", "stage1", "stage2")
    assert memory(network, 0.01, tile=48)._cut((4000, 4000)).behind is None
    for seed in (1, 11, 21):
        whole, tiled = (run(network, seed=seed, tile=tile, **every) for tile in (0, 48))
        torch.testing.assert_close(tiled.image.pixels, whole.image.pixels, rtol=0, atol=1e-3)
        assert tiled.losses == pytest.approx(whole.losses, rel=1e-3)


def test_where_the_rest_does_not_fit_after_all_every_layer_is_tiled(network, caplog):
    made = memory(network, 100.0, tile=48)
    assert made._cut((96, 72)).behind is not None
    assert made.gives_way(MemoryError(), (96, 72))
    assert made._cut((96, 72)).behind is None
    assert made.fallbacks == ["memory ran out at 72 x 96 pixels: all layers in tiles"]
    assert not made.gives_way(MemoryError(), (96, 72))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_several_devices_share_the_tiles_and_make_the_same_picture(network, precision, monkeypatch):
    asked = []

    def twice(device, name):
        asked.append((device.type, name))
        return [device, device]

    monkeypatch.setattr(stages, "SMALLEST", 16)
    alone = run(network, tile=24, precision=precision)
    module = importlib.import_module("swag.run.memory")
    monkeypatch.setattr(module, "devices_beside", twice)
    shared = run(network, tile=24, precision=precision)
    assert set(asked) == {("cpu", "auto")}
    assert torch.equal(shared.image.pixels, alone.image.pixels)


def test_gpus_are_shared_only_where_the_choice_was_left_to_the_program(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    gpus = [torch.device("cuda", number) for number in range(3)]
    assert devices_beside(torch.device("cuda"), "auto") == [torch.device("cuda"), *gpus[1:]]
    assert devices_beside(gpus[1], "auto") == [gpus[1], gpus[0], gpus[2]]
    assert devices_beside(gpus[1], "cuda:1") == [gpus[1]]
    assert devices_beside(torch.device("cpu"), "auto") == [torch.device("cpu")]


def test_what_is_remembered_goes_to_the_disk_where_memory_has_no_room(
    network, monkeypatch, caplog, tmp_path
):
    side = 10_000, 10_000
    assert not memory(network, 24.0).method(side).on_disk
    tight = memory(network, 15.0)
    assert tight.method(side).on_disk and tight.method(side).history == 6
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with caplog.at_level("WARNING", "swag"):
        tight.check(side)
    (words,) = tight.fallbacks
    assert words.endswith("the 7.2 GB of steps that L-BFGS remembers on the disk")
    # Whoever runs it is told where; the picture is not.
    assert str(folder) in caplog.text and "\n" not in words and len(words) <= 200
    # Not what a graphics card remembers, nor what the disk has no room for.
    tight.device = torch.device("cuda")
    assert not tight.method(side).on_disk
    tight.device = torch.device("cpu")
    monkeypatch.setattr(disk, "room", lambda: 7_000_000_000)
    assert not tight.method(side).on_disk
    with pytest.raises(ResourceError, match="even in tiles"):
        tight.check(side)


def test_a_run_that_remembers_on_the_disk_makes_the_same_picture(network, monkeypatch):
    module = importlib.import_module("swag.run.memory")
    monkeypatch.setattr(module, "LARGE", 1000)
    kept = run(network, tile=0)
    monkeypatch.setattr(module.Memory, "_on_disk", lambda self, size: True)
    laid = []
    monkeypatch.setattr(
        "swag.optimize.lbfgs.zeros", lambda *given: laid.append(given) or disk.zeros(*given)
    )
    assert torch.equal(run(network, tile=0).image.pixels, kept.image.pixels)
    assert {kind for _, kind in laid} == {torch.bfloat16}


@pytest.mark.parametrize("value", ["huge", -1, "1.5", 10**9, True, None, "²"])
def test_a_tile_that_is_none_is_one_line(value):
    with pytest.raises(SettingsError, match=r"^tile = .*give auto, 0 .* up to 32768") as caught:
        settings(tile=value)
    assert "\n" not in str(caught.value)
    assert settings(tile="300").tile == settings(tile=300).tile == 300


def test_an_error_that_is_not_of_memory_is_raised(network):
    assert not memory(network, 4.0).gives_way(RuntimeError("size mismatch"), (64, 64))
    assert memory(network, 4.0).gives_way(MemoryError(), (64, 64))
    assert not memory(network, 4.0, tile=0).gives_way(MemoryError(), (64, 64))


def test_fewer_steps_of_large_pictures_are_remembered_in_half_the_precision(network):
    assert memory(network, 4.0).method((1000, 1000)).remembered is None
    assert memory(network, 4.0, steps=1000).method((512, 512)).history == 56
    assert memory(network, 4.0, steps=300).method((512, 512)).history == 10
    large = memory(network, 4.0).method((4096, 4096))
    assert (large.history, large.remembered) == (6, torch.bfloat16)
