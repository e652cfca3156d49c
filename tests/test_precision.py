"""Passes in bfloat16: how near they are, where a run has them, and that it stays the same run."""

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import swag
from swag import precision as here
from swag.backbones import fingerprint
from swag.cli import app
from swag.config import PRESETS, settings
from swag.errors import SettingsError
from swag.fallbacks import Fallbacks
from swag.losses import get
from swag.objective import LossTerm, Objective
from swag.run import precision as stages
from swag.run.plan import Planner
from swag.run.precision import PrecisionPhase, phases_of, precision_of
from swag.schedule import Scale
from swag.smoothing import parse

NETWORK = swag.backbones.create("swag/resnet", weights="random", edits=("reflect",))
SMALL = {"weights": "random", "size": 64, "scales": 2, "steps": 5, "device": "cpu"}
"""Two scales of 3 and 2 steps, of which the first is in bfloat16."""


def noise(*size: int) -> torch.Tensor:
    return torch.rand(3, *size, generator=torch.Generator().manual_seed(sum(size)))


PHOTO, PAINTING = noise(48, 64), noise(64, 56)


def off(narrow: torch.Tensor, wide: torch.Tensor) -> float:
    return float((narrow - wide).norm() / wide.norm())


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Pictures of any size are seen in bfloat16 where that is asked for."""
    monkeypatch.setattr(stages, "SMALLEST", 16)


@pytest.fixture
def fast(monkeypatch):
    """Says of every processor whether bfloat16 is fast there."""

    def say(answer: bool) -> None:
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: answer, raising=False)
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False, raising=False)

    return say


def gradient(network, chosen):
    """The gradient of the default's style loss at the photo."""

    def extract(image, layers):
        return network.extract(image, layers, precision=chosen)

    return slope_of(Objective.of(extract, [term(network)], start=PHOTO[None], style=PAINTING[None]))


def term(network):
    layers = dict.fromkeys(network.style_layers, 1.0)
    return LossTerm(
        "style", get("bures"), layers, PAINTING[None], parse("none"), unit_image=PHOTO[None]
    )


def in_tiles(network, chosen, *, cut=True):
    """The same loss, read in four tiles up to a cut, or to the last layer."""
    planner = Planner(settings(tile=32), network, torch.device("cpu"), Fallbacks())
    planner.budget = 1e12 if cut else 0.0
    plan = planner.plan((PHOTO.shape[-2], PHOTO.shape[-1]))
    pictures = {"start": PHOTO[None], "style": PAINTING[None]}
    return plan.objective([term(network)], penalties={}, precision=chosen, **pictures)


def slope_of(objective):
    pixels = PHOTO[None].clone().requires_grad_()
    loss = objective(pixels)["style"]
    assert loss.dtype == torch.float64
    (found,) = torch.autograd.grad(loss, pixels)
    return found


@pytest.mark.parametrize(
    ("name", "weights", "maps", "slope"),
    # Measured at the worst layer: 0.009 and 0.008; gradients 0.043 and 0.128.
    [("swag/resnet", "pretrained", 0.02, 0.1), ("torchvision/resnet18", "random", 0.02, 0.3)],
)
def test_maps_and_gradient_are_near_those_of_float32(name, weights, maps, slope):
    network = swag.backbones.create(name, weights=weights, edits=("reflect",))
    wide, narrow = (network.extract(PHOTO[None], precision=p) for p in ("float32", "bfloat16"))
    for layer in wide:
        assert narrow[layer].dtype == torch.float32
        assert 0 < off(narrow[layer], wide[layer]) < maps, layer
    found = gradient(network, "bfloat16")
    assert found.dtype == torch.float32
    assert off(found, gradient(network, "float32")) < slope


@pytest.mark.parametrize("cut", [True, False])
@pytest.mark.parametrize(
    ("name", "weights", "slope"),
    # Measured: 0.056 and 0.132 from float32, 0.004 and 0.007 from the whole picture in bfloat16.
    [("swag/resnet", "pretrained", 0.1), ("torchvision/resnet18", "random", 0.3)],
)
def test_in_tiles_the_gradient_is_as_near(name, weights, slope, cut):
    network = swag.backbones.create(name, weights=weights, edits=("reflect",))
    wide, narrow = (slope_of(in_tiles(network, p, cut=cut)) for p in ("float32", "bfloat16"))
    assert narrow.dtype == torch.float32
    assert 0 < off(narrow, wide) < slope
    # Tiles are pictures of other sizes, in which sums are rounded otherwise.
    assert off(narrow, gradient(network, "bfloat16")) < 0.02


@pytest.mark.parametrize("cut", [True, False])
@pytest.mark.parametrize("chosen", ["float32", "bfloat16"])
def test_all_layers_are_read_in_tiles_in_the_precision_asked_for(chosen, cut):
    network = swag.backbones.create(
        "swag/resnet",
        weights="random",
        edits=("reflect",),
        style_layers=("stem", "stage1", "stage2", "stage3", "stage4"),
    )
    seen = []
    for name, module in network.module.named_modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(
                lambda _module, _inputs, maps, name=name: seen.append((name, maps.dtype))
            )
    objective = in_tiles(network, chosen, cut=cut)
    assert (objective.tail is not None) is cut
    expected = {(name, getattr(torch, chosen)) for name, _ in seen}
    seen.clear()  # how far layers see was tried in float32
    slope_of(objective)
    assert set(seen) == expected


def test_weights_and_what_follows_a_narrow_pass_stay_as_they_were():
    network = swag.backbones.create("swag/resnet", weights="random")
    before, maps = fingerprint(network), network.extract(PHOTO[None])
    network.extract(PHOTO[None], precision="bfloat16")
    assert fingerprint(network) == before
    for layer, again in network.extract(PHOTO[None]).items():
        assert torch.equal(again, maps[layer])


@pytest.mark.parametrize("answer", [True, False])
def test_a_processor_is_asked_for_its_instructions(answer, fast):
    fast(answer)
    assert here.has_fast_bfloat16(torch.device("cpu")) is answer


def test_a_torch_without_the_question_has_no_fast_bfloat16(monkeypatch):
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.delattr(torch.cpu, name, raising=False)
    assert not here.has_fast_bfloat16(torch.device("cpu"))


@pytest.mark.parametrize("answer", [True, False])
def test_a_gpu_is_asked_for_bfloat16_that_is_not_emulated(answer, monkeypatch):
    asked = {}
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda **options: asked.update(options) or answer
    )
    assert here.has_fast_bfloat16(torch.device("cuda")) is answer
    assert asked == {"including_emulation": False}
    assert not here.has_fast_bfloat16(torch.device("mps"))


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({}, "bfloat16"),
        ({"steps": 74}, "float32"),
        ({"start": "content"}, "bfloat16"),
        ({"start": "noise"}, "float32"),
        ({"backbone": "swag/resnet"}, "float32"),
        ({"precision": "float32"}, "float32"),
        ({"smoothing": "softmax:temperature=auto"}, "float32"),
        ({"optimizer": "torch-lbfgs"}, "float32"),
        ({"optimizer": "adam"}, "float32"),
        ({"method": "strotss"}, "float32"),
        ({"preset": "quick"}, "float32"),
        ({"start": "content", "steps": 100}, "float32"),
        ({"preset": "quality"}, "bfloat16"),
        ({"method": "gatys"}, "float32"),
        ({"backbone": "torchvision/resnet50"}, "float32"),
        ({"backbone": "torchvision/resnet50", "precision": "bfloat16"}, "bfloat16"),
        ({"preset": "paper", "precision": "auto"}, "float32"),
        ({"smoothing": "softmax", "precision": "bfloat16"}, "bfloat16"),
    ],
)
def test_auto_is_bfloat16_where_that_is_fast_and_was_tried(overrides, expected, fast):
    fast(True)
    assert precision_of(settings(**overrides), torch.device("cpu"), Fallbacks()) == expected


def test_auto_is_float32_where_bfloat16_is_slow_and_what_is_asked_for_is_had(fast):
    fast(False)
    cpu, told = torch.device("cpu"), Fallbacks()
    assert precision_of(settings(), cpu, told) == "float32"
    assert precision_of(settings(precision="bfloat16"), cpu, told) == "bfloat16"
    assert precision_of(settings(), cpu, told, was="bfloat16") == "bfloat16"
    fast(True)
    assert precision_of(settings(), cpu, told, was="float32") == "float32"
    assert told == []


def test_metal_stays_with_float32_and_says_so():
    told = Fallbacks()
    for _ in range(2):
        chosen = settings(precision="bfloat16")
        assert precision_of(chosen, torch.device("mps"), told) == "float32"
    assert told == ["no passes in bfloat16 on mps; the run uses float32"]
    assert precision_of(settings(), torch.device("mps"), Fallbacks()) == "float32"


def test_every_run_ends_in_float32():
    coarse, last = Scale(256, 40), Scale(512, 20)
    assert phases_of(coarse, "bfloat16", last=False) == [PrecisionPhase(40, "bfloat16")]
    *_, end = phases_of(last, "bfloat16", last=True)
    assert end == PrecisionPhase(20, "float32")
    for scale in (coarse, last, Scale(512, 1)):
        assert phases_of(scale, "float32", last=False) == [PrecisionPhase(scale.steps, "float32")]
        assert phases_of(scale, "bfloat16", last=True)[-1] == PrecisionPhase(scale.steps, "float32")


def test_small_pictures_are_seen_in_float32(monkeypatch):
    monkeypatch.setattr(stages, "SMALLEST", 256)
    for last in (True, False):
        assert phases_of(Scale(255, 40), "bfloat16", last=last) == [PrecisionPhase(40, "float32")]
        assert phases_of(Scale(256, 40), "bfloat16", last=last)[0].precision == "bfloat16"


def updates(**overrides):
    return list(swag.iterate(PHOTO, PAINTING, backbone=NETWORK, **{**SMALL, **overrides}))


@pytest.mark.parametrize("tile", [0, 32])
def test_updates_say_what_their_losses_come_from(tile):
    wide = updates(precision="float32", tile=tile)
    assert [update.precision for update in wide] == ["float32"] * 5
    narrow = updates(precision="bfloat16", tile=tile)
    assert [update.precision for update in narrow] == ["bfloat16"] * 4 + ["float32"]
    assert not torch.equal(narrow[0].pixels, wide[0].pixels)


def test_no_pass_is_of_another_precision_than_is_said(monkeypatch):
    given, asked = NETWORK.extract, []

    def spied(image, layers=None, **options):
        asked.append(options.get("precision", "float32"))
        return given(image, layers, **options)

    monkeypatch.setattr(NETWORK, "extract", spied)
    going = swag.iterate(PHOTO, PAINTING, backbone=NETWORK, **SMALL, precision="bfloat16")
    asked.clear()  # the memory of a pass was measured
    for update in going:
        assert set(asked) == {update.precision}
        asked.clear()


def test_where_memory_runs_out_tiles_are_in_the_precision_that_the_whole_was(monkeypatch):
    given = NETWORK.extract

    def short_of_memory(image, layers=None, **options):
        if tuple(image.shape[-2:]) == (48, 64) and image.requires_grad:
            raise torch.OutOfMemoryError("out of memory: tried to allocate 2 GiB")
        return given(image, layers, **options)

    monkeypatch.setattr(NETWORK, "extract", short_of_memory)
    narrow = updates(precision="bfloat16", scales=1)
    assert narrow[-1].fallbacks == (
        "memory ran out at 64 x 48 pixels; the run goes on in tiles of 32 pixels",
    )
    assert [update.precision for update in narrow] == ["bfloat16"] * 3 + ["float32"] * 2


def test_a_run_is_made_again_in_what_auto_came_to(fast, tmp_path: Path):
    path = tmp_path / "out.png"
    made = swag.stylize(PHOTO, PAINTING, backbone=NETWORK, **SMALL, precision="bfloat16")
    assert made.made is not None and made.made.precision == "bfloat16"
    made.save(path)
    fast(False)
    again = list(swag.iterate(PHOTO, PAINTING, backbone=NETWORK, like=path))
    assert torch.equal(again[-1].image.pixels, made.image.pixels)


def test_the_published_recipes_stay_in_float32():
    for name in ("paper", "released-code"):
        assert PRESETS[name].values["precision"] == "float32"


def test_the_option_is_in_the_trace(tmp_path: Path):
    for name, picture in (("a", PHOTO), ("b", PAINTING)):
        swag.image.write(tmp_path / f"{name}.png", picture)
    words = ["stylize", f"{tmp_path}/a.png", f"{tmp_path}/b.png", "-o", f"{tmp_path}/out.png"]
    words += ["--weights", "random", "--size", "64", "--steps", "4", "--json"]
    result = CliRunner().invoke(app, [*words, "--precision", "bfloat16", "--set", "scales=1"])
    assert result.exit_code == 0, result.output
    *steps, end = map(json.loads, result.stdout.splitlines())
    assert end["settings"]["precision"] == "bfloat16"
    assert steps[-1]["precision"] == "float32"


@pytest.mark.parametrize("value", ["half", "float16", 16, None])
def test_a_precision_that_is_none_is_one_line(value):
    with pytest.raises(SettingsError, match=r"^precision = .*float32.*bfloat16") as caught:
        settings(precision=value)
    assert "\n" not in str(caught.value)
