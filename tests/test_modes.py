"""Runs and networks are the same whatever modes and random state their caller has."""

import random
import threading
from contextlib import nullcontext

import numpy as np
import pytest
import torch

import swag
import swag.instant
from swag.backbones import create
from swag.errors import SettingsError
from swag.image import Picture
from swag.losses import bures

TINY = {"size": 32, "steps": 3, "scales": 2, "device": "cpu"}
MODES = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "default device": lambda: torch.device("meta"),
}


def pictures():
    draw = torch.Generator("cpu").manual_seed(0)
    return tuple(torch.rand(3, 24, 32, generator=draw, device="cpu") for _ in range(2))


def picture(mode=nullcontext, **settings):
    with mode():
        photo, painting = pictures()
        return swag.stylize(photo, painting, **TINY, **settings).image.pixels


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
@pytest.mark.parametrize(
    "settings",
    [
        {"weights": "random"},
        {"weights": "random:kaiming+calibrated", "backbone": "torchvision/resnet18"},
        {"weights": "random", "colors": "match", "parametrization": "fourier"},
    ],
    ids=["plain", "calibrated", "colors"],
)
def test_a_picture_does_not_depend_on_the_callers_modes(mode, settings):
    made = picture(mode, **settings)
    assert torch.equal(made, picture(**settings))
    assert not made.is_inference()


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_one_pass_and_a_loss_do_not_depend_on_them_either(mode):
    photo, painting = pictures()
    painted = swag.apply_style("great-wave", photo).pixels
    value = swag.PerceptualLoss(painting, size=32)(photo[None], photo[None])
    with mode():
        again = swag.apply_style("great-wave", photo).pixels
        loss = swag.PerceptualLoss(painting, size=32)
    assert torch.equal(again, painted) and not again.is_inference()
    assert torch.equal(loss(photo[None], photo[None]), value)


@pytest.mark.parametrize("name", ["bures", "sliced"])
def test_fixed_directions_do_not_depend_on_the_default_device(name):
    loss = swag.losses.get(name)
    maps = torch.rand((2, 1, 80, 4, 4))
    value = loss.compare(*map(loss.describe, maps))
    bures.fixed_directions.cache_clear()
    with torch.device("meta"):
        assert torch.equal(loss.compare(*map(loss.describe, maps)), value)


def test_statistics_of_one_pass_do_not_depend_on_the_default_device():
    photo, painting = (p[None] for p in pictures())
    painter = swag.instant.bundled()
    painted = painter.paint(photo, [painter.describe(painting)])
    with torch.device("meta"):
        again = painter.paint(photo, [painter.describe(painting)])
    assert torch.equal(again, painted)


def test_between_two_steps_the_caller_has_its_own_modes():
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        for update in swag.iterate(*pictures(), weights="random", **TINY):
            assert torch.is_inference_mode_enabled() and torch.is_autocast_enabled("cpu")
            assert not update.image.pixels.is_inference()
    assert torch.is_grad_enabled() and not torch.is_autocast_enabled("cpu")


def test_a_network_made_in_inference_mode_can_be_used_outside():
    with torch.inference_mode():
        network = create("swag/resnet", weights="random", edits=("reflect",))
    photo, painting = pictures()
    made = swag.stylize(photo, painting, backbone=network, **TINY)
    named = picture(backbone="swag/resnet", weights="random", edits=("reflect",))
    assert torch.equal(made.image.pixels, named)


@pytest.mark.parametrize("task", ["stylize", "texture"])
@pytest.mark.parametrize("empty", [[], ()])
def test_an_empty_list_of_styles_is_refused(task, empty):
    photo = Picture(pictures()[0]) if task == "stylize" else None
    with pytest.raises(SettingsError, match=f"{task} was given an empty list of styles"):
        swag.iterate(photo, empty, task=task, **TINY)


@pytest.mark.parametrize(
    "make",
    [
        lambda: swag.stylize(*pictures(), backbone=create("swag/vgg", weights="random"), **TINY),
        lambda: swag.texture(pictures()[0], **TINY),
        lambda: swag.PerceptualLoss(pictures()[0], size=32),
    ],
    ids=["create", "run", "loss"],
)
def test_another_default_precision_is_refused(make):
    torch.set_default_dtype(torch.float64)
    try:
        with pytest.raises(SettingsError, match=r"default precision is torch.float64; .* need"):
            make()
    finally:
        torch.set_default_dtype(torch.float32)


NETWORKS = [
    ("swag/resnet", "random"),
    ("swag/resnet", "random:kaiming"),
    ("torchvision/squeezenet1_1", "random"),
    ("torchvision/googlenet", "random"),
    ("torchvision/squeezenet1_1", "random:orthogonal"),
    ("timm/test_vit", "random"),
]


def state():
    """Without Python's own, from which the checks of types in these tests draw."""
    return torch.get_rng_state(), torch.initial_seed(), np.random.get_state()


def values(name, weights):
    module = create(name, weights=weights, seed=4, edits=("no-fold",)).module
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])


@pytest.mark.parametrize(("name", "weights"), NETWORKS)
def test_random_weights_draw_nothing_from_the_processs_own_state(name, weights):
    for seed in (torch.manual_seed, random.seed, np.random.seed):
        seed(1)
    before = state()
    first = values(name, weights)
    assert str(state()) == str(before) and torch.equal(state()[0], before[0])
    for seed in (torch.manual_seed, random.seed, np.random.seed):
        seed(2)
    assert torch.equal(values(name, weights), first)


def test_no_generator_of_a_graphics_card_is_seeded(monkeypatch):
    def seeded(*_):
        raise AssertionError("the caller's generators are not ours")

    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded)
    monkeypatch.setattr(torch, "manual_seed", seeded)
    values("swag/resnet", "random")


@pytest.mark.parametrize(("name", "weights"), NETWORKS[:4])
def test_threads_with_one_seed_make_one_network(name, weights):
    alone = values(name, weights)
    made = []
    drawing = threading.Event()

    def others():
        while not drawing.is_set():
            torch.rand(100)

    noise = threading.Thread(target=others)
    noise.start()
    threads = [
        threading.Thread(target=lambda: made.append(values(name, weights))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    drawing.set()
    noise.join()
    assert len(made) == 4 and all(torch.equal(network, alone) for network in made)
