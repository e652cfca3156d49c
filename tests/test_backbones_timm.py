"""Networks of timm by name: every kind is read, or says in one line why not."""

import pytest
import torch

from swag import backbones
from swag.backbones import sources
from swag.backbones.reductions import keeps_places
from swag.backbones.tokens import guess_maps
from swag.errors import BackboneError
from swag_lab.evaluation.timm_families import SIZES, families, try_family

pytest.importorskip("timm")

KINDS = {
    "test_resnet": 3,  # maps
    "test_vit": 3,  # tokens of patches of one size
    "xcit_nano_12_p8_224": 3,  # whose patches have one side, not two
    "gmlp_s16_224": 0,  # tokens, of one size of picture
    "test_mambaout": 3,  # channels last
    "levit_128s": 3,  # tokens of patches that grow
    "test_vit_relpos": 0,  # one size that nobody would guess
    "mvitv2_tiny": 0,  # a patch embedding that does not tell its patches
    "botnet26t_256": 3,  # its blocks of one size are deeper than what is read
}
"""Networks, and how many of the sizes tried they take; 0: their own alone."""


@pytest.mark.parametrize(("name", "sizes"), KINDS.items(), ids=KINDS)
def test_a_network_of_every_kind_is_read(name, sizes):
    result = try_family("", name)
    assert result.reason == ""
    assert len(result.layers) >= 2
    assert result.sizes == sizes


@pytest.mark.parametrize("name", ["gemma4_vit_167m", "crossvit_tiny_240"])
def test_a_network_that_cannot_be_read_says_why_in_one_line(name, monkeypatch):
    # Of the sixteen equal blocks of the one, two say as much.
    monkeypatch.setitem(sources._ANY_SIZE, "gemma4_vit", {"depth": 2})
    result = try_family("", name)
    assert result.reason and "\n" not in result.reason


def test_a_picture_of_another_size_is_refused_with_the_right_one():
    network = backbones.create("timm/test_vit_relpos", weights="random")
    with pytest.raises(BackboneError, match="not take pictures of 192 x 256 pixels, but of 160 x"):
        network(torch.rand(1, 3, 256, 192))


def test_every_family_has_one_network():
    found = families()
    assert len(found) > 80
    assert {"resnet", "xcit", "vision_transformer"} <= found.keys()
    assert found["resnet"].startswith("test_") and SIZES


class Tokens(torch.nn.Module):
    """Patches of 16 pixels as tokens, in reading order or in another."""

    def __init__(self, order=None, prefix=0):
        super().__init__()
        torch.manual_seed(0)
        self.patches = torch.nn.Conv2d(3, 8, 16, 16)
        self.blocks = torch.nn.ModuleList(torch.nn.Linear(8, 8) for _ in range(6))
        self.order, self.prefix = order, prefix

    def forward(self, x):
        tokens = self.patches(x).flatten(2).mT
        if self.order == "shuffled":
            drawn = torch.Generator().manual_seed(0)
            tokens = tokens[:, torch.randperm(tokens.shape[1], generator=drawn)]
        tokens = torch.cat([tokens[:, :1]] * self.prefix + [tokens], dim=1)
        for block in self.blocks:
            tokens = block(tokens)
        return tokens


@pytest.mark.parametrize("prefix", [0, 1, 5])
def test_tokens_of_an_unknown_network_are_laid_out_in_reading_order(prefix):
    network = backbones.create(Tokens(prefix=prefix).eval())
    assert network.style_layers == tuple(f"blocks.{i}" for i in (0, 1, 2, 3, 5))
    picture = torch.zeros(1, 3, 64, 96)
    picture[..., 32:48, 64:80] = 1
    maps = network(picture)["blocks.0"]
    assert maps.shape == (1, 8, 4, 6)
    changed = (maps - maps[..., :1, :1]).abs().sum(1)[0]
    assert changed.nonzero().tolist() == [[2, 4]]


def test_tokens_in_another_order_are_refused():
    assert backbones.create(Tokens("shuffled").eval()).style_layers == ("patches",)
    model = Tokens("shuffled").eval()
    assert not keeps_places(model, ["blocks.0"], torch.nn.Identity(), guess_maps)
    assert keeps_places(Tokens().eval(), ["blocks.0"], torch.nn.Identity(), guess_maps)
