"""The recipe for plain networks: filters that begin near the identity."""

import pytest
import torch

from swag.backbones.family import Architecture, ThinNetwork, start_near_identity
from swag.errors import SettingsError
from swag_lab.training.command import train_backbone
from swag_lab.training.data import PictureSource
from swag_lab.training.loop import _initialized
from swag_lab.training.recipe import RECIPES, Recipe, continued

DEEP = Architecture(shortcuts=False, widths=(8, 16), depths=(6, 6), stem=3)


def test_a_filter_begins_as_the_identity_and_a_tenth_of_what_was_drawn():
    torch.manual_seed(0)
    network = ThinNetwork(DEEP)
    drawn = {k: v.clone() for k, v in network.state_dict().items()}
    start_near_identity(network)
    name = "stage2.block1.branch.conv1.weight"  # from 8 channels to 16: each comes twice
    expected = 0.1 * drawn[name]
    for channel in range(16):
        expected[channel, channel % 8, 1, 1] += 1
    torch.testing.assert_close(network.state_dict()[name], expected)
    assert torch.equal(network.stem.conv.weight, drawn["stem.conv.weight"])
    assert network.get_submodule("stage1.block2.branch.norm1").bias.eq(0.5).all()


def test_a_block_hands_on_what_it_is_given():
    """The correlation of a block's output with its input, before and after."""
    x = torch.rand(4, 8, 16, 16, generator=torch.Generator().manual_seed(1))
    found = []
    for begin in (lambda _network: None, start_near_identity):
        torch.manual_seed(0)
        network = ThinNetwork(DEEP).train()
        begin(network)
        with torch.no_grad():
            y = network.get_submodule("stage1.block2")(x)
        found.append(float(torch.corrcoef(torch.stack([x.flatten(), y.flatten()]))[0, 1]))
    assert abs(found[0]) < 0.3 and found[1] > 0.6


def test_shortcuts_stay_as_they_were():
    torch.manual_seed(0)
    network = ThinNetwork(Architecture(widths=(4, 8), depths=(1, 1)))
    before = {k: v.clone() for k, v in network.state_dict().items()}
    start_near_identity(network)
    assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())


def test_the_recipe_begins_that_way_and_what_goes_on_does_not():
    source = PictureSource([torch.zeros(3, 8, 8).byte()], torch.zeros(1).long(), 1)
    assert RECIPES["plain"].near_identity and not Recipe().near_identity
    assert not continued(RECIPES["plain"]).near_identity
    models = [
        _initialized(DEEP, {"main": source}, recipe) for recipe in (RECIPES["plain"], Recipe())
    ]
    biases = [m.network.get_submodule("stage1.block1.branch.norm1").bias[0] for m in models]
    assert biases == [0.5, 0.0]


def test_networks_with_shortcuts_are_refused_before_reading_pictures(tmp_path):
    with pytest.raises(SettingsError, match="for networks without shortcuts; resnet has them"):
        train_backbone("resnet", tmp_path / "absent", tmp_path / "out.pt", recipe="plain")
