"""What a program holds can be sent to another process."""

import pickle

import pytest
import torch

import swag
from swag import backbones, losses
from swag.backbones import EDITS
from swag.losses import LOSSES, PENALTIES
from swag.parametrization import PARAMETRIZATIONS
from swag.smoothing import KINDS

BY_NAME = {
    f"{registry.__class__.__name__} {name}": thing
    for registry in (LOSSES, PENALTIES, KINDS, PARAMETRIZATIONS, EDITS, swag.PRESETS)
    for name, thing in registry.items()
}
TINY = {"size": 32, "steps": 1, "scales": 1, "weights": "random", "device": "cpu"}


def again(thing):
    return pickle.loads(pickle.dumps(thing))


@pytest.mark.parametrize("thing", BY_NAME.values(), ids=BY_NAME)
def test_whatever_has_a_name_survives(thing):
    assert type(again(thing)) is type(thing)


def test_a_loss_with_options_is_the_same_loss():
    loss, other = losses.get("gram-robust:penalty=l1"), torch.rand(1, 2, 4, 4)
    a, b = loss.describe(torch.rand(1, 2, 4, 4)), loss.describe(other)
    assert again(loss).options == loss.options
    assert torch.equal(again(loss).compare(a, b), loss.compare(a, b))


@pytest.mark.parametrize("name", ["swag/resnet", "torchvision/resnet18", "timm/test_vit"])
def test_a_network_gives_the_same_maps(name):
    if name.startswith("timm"):
        pytest.importorskip("timm")
    network = backbones.create(name, weights="random", edits=("replicate-all",))
    picture = torch.rand(1, 3, 64, 64)
    maps = network(picture)
    for layer, features in again(network)(picture).items():
        assert torch.equal(features, maps[layer])


@pytest.mark.parametrize(
    "settings",
    [{}, {"colors": "content"}, {"colors": "match"}, {"parametrization": "fourier-bounded"}],
    ids=["plain", "content", "match", "bounded"],
)
def test_an_update_and_its_result_show_the_same_picture(settings):
    photo, painting = torch.rand(2, 3, 24, 32)
    *_, update = swag.iterate(photo, painting, **TINY, **settings)
    assert torch.equal(again(update).image.pixels, update.image.pixels)
    assert torch.equal(again(update.result([])).image.pixels, update.image.pixels)
