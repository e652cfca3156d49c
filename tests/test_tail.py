"""The part of a network behind a layer is that of the whole network."""

import sys

import pytest
import torch
from torch import nn

from swag import backbones
from swag.backbones import tail_of

NETWORKS = [
    "swag/resnet",
    "torchvision/densenet121",
    "torchvision/efficientnet_b0",
    "torchvision/inception_v3",
    "torchvision/resnet18",
    "torchvision/vgg11",
]


def created(name):
    weights = "pretrained" if name.startswith("swag/") else "random"
    return backbones.create(name, weights=weights)


@pytest.mark.parametrize("name", NETWORKS)
def test_maps_and_gradients_are_those_of_the_whole_network(name):
    network = created(name)
    cut, *behind = network.style_layers[1:]
    tail = tail_of(network, cut, behind)
    picture = torch.rand(1, 3, 130, 110, generator=torch.Generator().manual_seed(1))
    maps = network.extract(picture.requires_grad_(), (cut, *behind))
    known = maps[cut].detach().requires_grad_()
    found = tail(known, behind)
    last = behind[-1]
    for layer in behind:
        torch.testing.assert_close(found[layer], maps[layer])
    (expected,) = torch.autograd.grad(maps[last].square().sum(), maps[cut])
    (gradient,) = torch.autograd.grad(found[last].square().sum(), known)
    torch.testing.assert_close(gradient, expected)


def test_the_tail_shares_the_weights_and_leaves_the_network_as_it_is():
    network = created("swag/resnet")
    before = {name: type(module) for name, module in network.module.named_modules()}
    tail = tail_of(network, "stage2", ("stage3",))
    features = torch.rand(1, 48, 20, 20)
    first = tail(features, ("stage3",))["stage3"]
    with torch.no_grad():
        next(network.module.get_submodule("stage3").parameters()).mul_(2)
    assert not torch.equal(tail(features, ("stage3",))["stage3"], first)
    assert {name: type(module) for name, module in network.module.named_modules()} == before


class Leap(nn.Module):
    """The picture itself is read again at the end."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1)
        self.last = nn.Conv2d(3, 3, 1)

    def forward(self, x):
        return self.last(self.second(self.first(x)) + x)


def test_what_leaps_over_the_layer_has_no_tail():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = backbones.create(Leap(), style_layers=["first", "last"], content_layers=["last"])
    assert tail_of(network, "first", ("last",)) is None


def test_a_layer_in_front_of_the_cut_has_no_tail():
    network = created("swag/resnet")
    assert tail_of(network, "stage2", ("stage1",)) is None


def test_tokens_have_no_tail():
    network = backbones.create("torchvision/swin_t", weights="random")
    assert tail_of(network, *network.style_layers[:1], network.style_layers[1:]) is None


def test_a_defect_of_ours_is_not_taken_for_a_network_without_a_tail(monkeypatch):
    def fails(*_):
        raise AttributeError("a typing error")

    monkeypatch.setattr(sys.modules["swag.backbones.tail"], "_run_before", fails)
    with pytest.raises(AttributeError, match="a typing error"):
        tail_of(created("swag/resnet"), "stage2", ("stage3",))
