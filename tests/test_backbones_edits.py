"""Edits against blocks worked out by hand, and what must not be folded."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import mobilenet_v2, resnet18
from torchvision.models.resnet import Bottleneck

from swag.backbones import create, edits
from swag.backbones.family import Architecture, ResidualBlock
from swag.backbones.folding import fold
from swag.errors import BackboneError

EXACT = dict(rtol=1e-10, atol=1e-10)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture
def picture():
    return torch.rand(1, 3, 96, 96, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def norm(channels):
    """Batch normalization with statistics that are not neutral."""
    module = nn.BatchNorm2d(channels)
    module.running_mean.uniform_(-1, 1)
    module.running_var.uniform_(0.5, 2)
    nn.init.uniform_(module.weight, 0.5, 2)
    nn.init.uniform_(module.bias, -1, 1)
    return module


def by_hand(x, conv, bn):
    """A convolution and its normalization from their definitions."""
    y = F.conv2d(x, conv.weight, conv.bias, conv.stride, conv.padding)
    scale = bn.weight / (bn.running_var + bn.eps).sqrt()
    return (y - bn.running_mean.view(-1, 1, 1)) * scale.view(-1, 1, 1) + bn.bias.view(-1, 1, 1)


def norms(module):
    return [name for name, child in module.named_modules() if isinstance(child, nn.BatchNorm2d)]


def test_folding_leaves_one_convolution(picture):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), norm(4), nn.ReLU()).double().eval()
    expected = by_hand(picture, network[0], network[1])
    folded = fold(network)
    assert isinstance(folded[1], nn.Identity)
    torch.testing.assert_close(folded[1](folded[0](picture)), expected, **EXACT)


class Reads(nn.Module):
    """A convolution and a normalization, joined by a function of both."""

    def __init__(self, join):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.bn = norm(4)
        self.join = join

    def forward(self, x):
        return self.join(self.conv, self.bn, x)


def shared(conv, bn, x):
    y = conv(x)
    return bn(y) + y


def returned(conv, bn, x):
    y = conv(x)
    return {"a": bn(y), "b": [y]}


def changed(conv, bn, x):
    y = conv(x)
    y += 1
    return bn(y)


def conv_twice(conv, bn, x):
    return bn(conv(x)) + conv(2 * x)


def norm_twice(conv, bn, x):
    return bn(conv(x)) + bn(x.mean(1, keepdim=True).expand(-1, 4, -1, -1)).mean()


@pytest.mark.parametrize("join", [shared, returned, changed, conv_twice, norm_twice])
def test_what_something_else_reads_or_writes_is_not_folded(join, picture):
    network = Reads(join).double().eval()
    before = network(picture)
    assert norms(fold(network)) == ["bn"]
    after = network(picture)
    if join is returned:
        before, after = before["a"], after["a"]
    torch.testing.assert_close(after, before, **EXACT)


def test_a_normalization_without_statistics_is_not_folded():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False))
    assert norms(fold(network)) == ["1"]


def test_folding_keeps_other_padding(picture):
    conv = nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect")
    network = nn.Sequential(conv, norm(4)).double().eval()
    expected = network(picture)
    torch.testing.assert_close(fold(network)(picture), expected, **EXACT)


def test_depthwise_convolutions_are_folded(picture):
    network = mobilenet_v2(weights=None).double().eval()
    expected = network.features(picture)
    torch.testing.assert_close(fold(network).features(picture), expected, **EXACT)
    assert not norms(network)


def test_a_basic_block_without_its_shortcut(picture):
    network = resnet18(weights=None)
    block = network.layer2[0]  # has a convolution in its shortcut
    for i in (1, 2):
        setattr(block, f"bn{i}", norm(128))
    network = edits.without_residuals(network.double().eval())
    x = torch.rand(1, 64, 9, 9, dtype=torch.float64)
    expected = by_hand(by_hand(x, block.conv1, block.bn1).relu(), block.conv2, block.bn2).relu()
    torch.testing.assert_close(network.layer2[0](x), expected, **EXACT)
    assert not any("downsample" in name for name, _ in network.named_modules())


def test_a_bottleneck_without_its_shortcut():
    block = Bottleneck(8, 2)
    for i, channels in enumerate((2, 2, 8), start=1):
        setattr(block, f"bn{i}", norm(channels))
    network = edits.without_residuals(nn.Sequential(block).double().eval())
    x = torch.rand(1, 8, 5, 5, dtype=torch.float64)
    y = by_hand(x, block.conv1, block.bn1).relu()
    y = by_hand(y, block.conv2, block.bn2).relu()
    expected = by_hand(y, block.conv3, block.bn3).relu()
    torch.testing.assert_close(network(x), expected, **EXACT)


def test_a_block_of_the_bundled_networks_without_its_shortcut():
    block = ResidualBlock(4, 4, 1, Architecture()).eval()
    nn.init.uniform_(block.branch.norm2.weight)
    x = torch.rand(1, 4, 5, 5)
    network = edits.without_residuals(nn.Sequential(block))
    torch.testing.assert_close(network(x), block.branch(x).relu())


def test_names_of_layers_survive_the_removal_of_shortcuts():
    backbone = create("torchvision/resnet18", weights="random", edits=("without-residuals",))
    assert backbone.edits == ("without-residuals", "fold", "channels-last", "pixel-blocks")
    assert set(backbone.extract(torch.rand(1, 3, 64, 64), ["layer1.1.bn2", "layer4"])) == {
        "layer1.1.bn2",
        "layer4",
    }
    assert not norms(backbone.module)


def test_shortcuts_round_convolutions_that_keep_the_channels():
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(4, 4, 3, padding=1),
        nn.ReLU(inplace=True), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3, padding=1, stride=2),
    )  # fmt: skip
    first, second = network[0], network[2]
    network = edits.with_residuals(network)
    x = torch.rand(1, 3, 8, 8)
    y = first(x).relu()
    torch.testing.assert_close(network[:4](x), (y + second(y)).relu())
    assert [type(module).__name__ for module in network[4:]] == ["Conv2d", "Conv2d"]


def test_shortcuts_are_refused_where_there_is_batch_norm():
    with pytest.raises(BackboneError, match="without batch normalization"):
        edits.with_residuals(nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)))


def test_average_pooling_replaces_max_pooling():
    x = torch.arange(36.0).view(1, 1, 6, 6)
    network = edits.average_pooling(nn.Sequential(nn.MaxPool2d(2), nn.MaxPool2d(3, 2, 1)))
    expected = x.view(3, 2, 3, 2).mean((1, 3)).view(1, 1, 3, 3)
    torch.testing.assert_close(network[0](x), expected)
    # The corner of a padded window holds four values, not nine.
    assert network[1](x)[0, 0, 0, 0] == x[0, 0, :2, :2].mean()


def test_a_dense_stem_looks_between_the_positions_that_it_had(picture):
    picture = picture.float()
    given, dense = (
        create("torchvision/resnet18", weights="random", edits=edits)
        for edits in ((), ["dense-stem"])
    )
    before, after = given.extract(picture), dense.extract(picture)
    torch.testing.assert_close(after["relu"][..., ::2, ::2], before["relu"])
    for layer, maps in before.items():
        assert after[layer].shape[-1] == 2 * maps.shape[-1]
    leaf = picture.clone().requires_grad_()
    (slope,) = torch.autograd.grad(dense.extract(leaf, ["relu"])["relu"].square().sum(), leaf)
    assert (slope.abs().sum(1) > 0).all()


@pytest.mark.parametrize("mode", ["reflect", "replicate"])
def test_padding_of_the_first_convolution(mode):
    first, second = nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 1, 3, padding=1)
    narrow = nn.Conv2d(1, 1, 1)
    x = torch.rand(1, 1, 6, 6)
    expected = F.conv2d(F.pad(x, (1, 1, 1, 1), mode=mode), first.weight, first.bias)
    edits.EDITS[mode](nn.Sequential(first, second))
    torch.testing.assert_close(first(x), expected)
    assert second.padding_mode == "zeros"
    edits.EDITS[f"{mode}-all"](nn.Sequential(first, second, narrow))
    assert second.padding_mode == mode
    # To pad by nothing would copy the maps.
    assert narrow.padding_mode == "zeros"


def test_no_activation_writes_into_its_input():
    network = edits.no_inplace(nn.Sequential(nn.ReLU(inplace=True), nn.Hardswish(inplace=True)))
    x = torch.full((1, 1, 1, 1), -1.0)
    network(x)
    assert x.item() == -1


def test_edits_are_applied_in_order_and_recorded():
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.MaxPool2d(2))
    backbone = create(network, edits=("reflect", "average-pooling", "no-channels-last"))
    assert backbone.edits == (
        "reflect",
        "average-pooling",
        "no-channels-last",
        "fold",
        "pixel-blocks",
    )
    assert backbone.module[0].padding_mode == "reflect"
    assert isinstance(backbone.module[2], nn.AvgPool2d)
    assert network[0].padding_mode == "zeros"


def test_channels_are_laid_out_last():
    x = torch.rand(1, 3, 16, 16)
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3))
    fast = create(layers, style_layers=["1"]).extract(x)["1"]
    slow = create(layers, style_layers=["1"], edits=("no-channels-last",)).extract(x)["1"]
    assert fast.is_contiguous(memory_format=torch.channels_last)
    assert slow.is_contiguous()
    torch.testing.assert_close(fast, slow)


def test_an_unknown_edit_is_refused_with_the_nearest():
    with pytest.raises(BackboneError, match=r"no edit is called .*; did you mean average-pooling"):
        create(nn.Sequential(nn.Conv2d(3, 3, 1)), edits=("average-poling",))


@pytest.mark.parametrize(
    "name", ["average-pooling", "dense-stem", "without-residuals", "with-residuals"]
)
def test_an_edit_that_finds_nothing_is_refused(name):
    with pytest.raises(BackboneError, match=r"Sequential has no .* to edit"):
        edits.apply(nn.Sequential(nn.Conv2d(3, 4, 1)), (name,))
