"""Networks by name: every preset's layers against an oracle, folding, sizes, unknown names."""

import copy
import importlib.util
import sys
from functools import cache

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import list_models, resnet18, vit_b_16
from torchvision.models.feature_extraction import create_feature_extractor

from swag.backbones import Backbone, Normalize, available, bundled, create, fingerprint
from swag.backbones.backbone import narrow
from swag.backbones.edits import fold
from swag.backbones.initialization import seeded
from swag.backbones.presets import PRESETS
from swag.backbones.reductions import find_layers
from swag.backbones.tokens import resize_positions
from swag.config import settings
from swag.errors import BackboneError, DependencyError, SettingsError, SwagError
from swag.run import iterate
from swag.run.terms import content_terms, style_regions, style_terms
from swag.smoothing import Smoothing

PLAIN = ("no-fold", "no-channels-last", "no-pixel-blocks")
TOKENS = {"torchvision/vit_b_16", "timm/vit_small_patch16_224.dino"}
FOUND = {
    "torchvision/inception_v3",
    "torchvision/googlenet",
    "torchvision/densenet121",
    "torchvision/mobilenet_v2",
    "torchvision/mobilenet_v3_small",
    "torchvision/mobilenet_v3_large",
    "torchvision/efficientnet_b0",
    "torchvision/convnext_tiny",
}
"""Networks of many kinds whose layers are found by one pass."""

CONVOLUTIONAL = sorted(PRESETS.keys() - TOKENS | FOUND)
FOLDED = sorted(
    FOUND - {"torchvision/convnext_tiny"} | {"torchvision/resnet18", "torchvision/resnet50"}
)


@cache
def plain(name):
    """A network as it is built, once; tests leave it unchanged."""
    return create(name, weights="random", seed=0, edits=PLAIN)


@pytest.fixture(scope="module", autouse=True)
def _give_memory_back():
    yield
    plain.cache_clear()


@pytest.fixture
def picture(rng):
    return torch.rand(1, 3, 96, 80, generator=rng)


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_layers_equal_those_of_the_network_cut_there(name, picture):
    backbone = plain(name)
    with torch.no_grad():
        found = backbone.extract(picture)
        ready = backbone.normalize(picture)
        assert set(found) == {*backbone.style_layers, *backbone.content_layers}
        for layer in found:
            # One at a time: nothing runs after the layer, so nothing can overwrite it.
            expected = create_feature_extractor(backbone.module, [layer])(ready)[layer]
            torch.testing.assert_close(found[layer], expected)
    rows = [found[layer].shape[-2] for layer in backbone.style_layers]
    assert rows == sorted(rows, reverse=True)


def test_the_transformer_of_torchvision_is_the_same_at_its_own_size(rng):
    torch.manual_seed(0)
    original = vit_b_16(weights=None).eval()  # the seed is that of `plain`
    backbone = plain("torchvision/vit_b_16")
    picture = torch.rand(1, 3, 224, 224, generator=rng)
    layer = "encoder.layers.encoder_layer_2"
    seen = []
    original.get_submodule(layer).register_forward_hook(lambda _m, _x, y: seen.append(y.clone()))
    with torch.no_grad():
        original(backbone.normalize(picture))
        found = backbone.extract(picture, [layer])[layer]
    expected = seen[0][:, 1:].transpose(1, 2).reshape(1, 768, 14, 14)
    torch.testing.assert_close(found, expected)


def test_the_transformer_of_timm_equals_its_own_intermediate_layers(rng):
    backbone = plain("timm/vit_small_patch16_224.dino")
    picture = torch.rand(1, 3, 64, 96, generator=rng)
    expected = backbone.module.get_intermediate_layers(
        backbone.normalize(picture), n=[2, 5, 8, 11], reshape=True
    )
    for found, wanted in zip(backbone.extract(picture).values(), expected, strict=True):
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("name", sorted(TOKENS))
def test_transformers_take_any_size_and_every_pixel_counts(name, rng):
    picture = torch.rand(1, 3, 50, 70, generator=rng).requires_grad_()
    features = plain(name).extract(picture)
    assert {tuple(maps.shape[-2:]) for maps in features.values()} == {(4, 5)}
    features[plain(name).content_layers[0]].square().sum().backward()
    assert (picture.grad != 0).all()


def test_positions_are_interpolated_as_timm_does(rng):
    from timm.layers import resample_abs_pos_embed

    positions = torch.rand(1, 1 + 7 * 7, 6, generator=rng)
    assert resize_positions(positions, (7, 7)) is positions
    expected = resample_abs_pos_embed(positions, [3, 9], [7, 7], num_prefix_tokens=1)
    torch.testing.assert_close(resize_positions(positions, (3, 9)), expected)


def test_swin_keeps_channels_last_and_is_turned_round(picture):
    backbone = create("torchvision/swin_t", weights="random", edits=PLAIN)
    found = backbone.extract(picture, ["features.1"])["features.1"]
    ready = F.pad(backbone.normalize(picture), (0, 16, 0, 0), mode="replicate")
    expected = backbone.module.features[1](backbone.module.features[0](ready))
    torch.testing.assert_close(found, expected.permute(0, 3, 1, 2))


def randomize_statistics(module, rng):
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_mean.normal_(0, 0.1, generator=rng)
            norm.running_var.uniform_(0.5, 1.5, generator=rng)
            norm.weight.data.uniform_(0.5, 1.5, generator=rng)
            norm.bias.data.normal_(0, 0.1, generator=rng)


@pytest.mark.parametrize("name", FOLDED)
def test_folding_is_exact(name, rng):
    module = copy.deepcopy(plain(name).module).double()
    randomize_statistics(module, rng)
    folded = fold(copy.deepcopy(module))
    picture = torch.rand(1, 3, 96, 80, dtype=torch.float64, generator=rng)
    layers = plain(name).style_layers

    def run(network):
        x = picture.clone().requires_grad_()
        normalize = Normalize().double()
        features = Backbone(name, network, layers, (), normalize).extract(x)
        scales = [maps.detach().square().mean() + 1e-30 for maps in features.values()]
        total = sum(m.square().mean() / s for m, s in zip(features.values(), scales, strict=True))
        return features, torch.autograd.grad(total, x)[0]

    before, gradient = run(module)
    after, gradient_after = run(folded)
    for layer, maps in before.items():
        assert (after[layer] - maps).abs().max() <= 1e-10 * maps.abs().max()
    assert (gradient_after - gradient).abs().max() <= 1e-10 * gradient.abs().max()
    left = sum(isinstance(norm, nn.BatchNorm2d) for norm in folded.modules())
    # In a DenseNet half of the normalizations read a concatenation, not a convolution.
    assert left == (62 if "densenet" in name else 0)


def test_edits_for_speed_change_nothing_else(picture):
    fast = create("torchvision/resnet18", weights="random", seed=0)
    assert fast.edits == ("fold", "channels-last", "pixel-blocks")
    for layer, maps in plain("torchvision/resnet18").extract(picture).items():
        torch.testing.assert_close(fast.extract(picture)[layer], maps, rtol=1e-3, atol=1e-4)


def test_a_folded_convolution_cannot_be_read():
    backbone = create("torchvision/squeezenet1_1", weights="random")
    assert "features.0" in backbone.layers()  # no batch norm, nothing folded
    backbone = create(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()), style_layers=["2"]
    )
    assert backbone.layers() == ("1", "2")
    with pytest.raises(BackboneError, match=r"0 of Sequential is folded .* read 1 instead"):
        backbone.extract(torch.zeros(1, 3, 8, 8), ["0"])


def test_names_of_the_literature_are_accepted(picture):
    backbone = plain("torchvision/vgg19")
    found = backbone.extract(picture, ["relu4_2", "relu1_1"])
    assert list(found) == ["relu4_2", "relu1_1"]
    numbered = backbone.extract(picture, ["features.22", "features.1"])
    assert torch.equal(found["relu4_2"], numbered["features.22"])
    # By counting: the tenth convolution and its ReLU, the first and its.
    modules = list(backbone.module.features)[:23]
    assert sum(isinstance(m, nn.Conv2d) for m in modules) == 10
    assert isinstance(modules[-1], nn.ReLU)


@pytest.mark.parametrize("name", ["torchvision/vgg16", "torchvision/vgg19"])
def test_style_layers_of_vgg_are_the_first_relu_of_each_block(name):
    aliases = {module: alias for alias, module in PRESETS[name].aliases.items()}
    assert [aliases[layer] for layer in PRESETS[name].style] == [f"relu{i}_1" for i in range(1, 6)]
    assert [aliases[layer] for layer in PRESETS[name].content] == ["relu2_1", "relu3_1", "relu4_2"]


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50", "resnet101"])
def test_layers_of_a_resnet_are_the_first_and_last_blocks_of_two_stages(name):
    backbone = plain(f"torchvision/{name}")
    counts = [len(getattr(backbone.module, f"layer{stage}")) for stage in (1, 2)]
    ends = tuple(
        f"layer{stage}.{block}"
        for stage, count in enumerate(counts, start=1)
        for block in (0, count - 1)
    )
    assert backbone.style_layers == ("relu", *ends)
    assert [*backbone.style_layer_weights.values()] == [1, 2, 1, 1, 1]
    assert backbone.content_layer_weights == {"relu": 1, ends[1]: 2, ends[3]: 1}


@pytest.mark.parametrize("preset", ["paper", "released-code"])
def test_the_paper_reads_the_layers_of_the_authors(preset):
    chosen = settings(preset)
    module = plain(chosen.backbone).module
    # conv1_2, conv2_3, conv3_5, conv4_2 count from zero: the last blocks of 3, 4, 6, 3.
    assert [len(getattr(module, f"layer{i}")) for i in (1, 2, 3, 4)] == [3, 4, 6, 3]
    assert list(chosen.style_layers) == ["relu", *(f"layer{i}" for i in (1, 2, 3, 4))]
    assert list(chosen.content_layers) == ["layer3"]
    assert settings(preset, backbone="torchvision/vgg16").style_layers is None


def test_inception_takes_pictures_from_minus_one_to_one():
    backbone = plain("torchvision/inception_v3")
    white = backbone.normalize(torch.ones(1, 3, 2, 2))
    assert torch.equal(white, torch.ones(1, 3, 2, 2))
    assert backbone.module.transform_input is False


def test_normalization_is_that_of_imagenet(picture):
    expected = (picture[0, 1] - 0.456) / 0.224
    torch.testing.assert_close(plain("torchvision/resnet18").normalize(picture)[0, 1], expected)


def test_pictures_that_are_too_small_name_the_smallest_size():
    backbone = plain("torchvision/inception_v3")
    deepest = ("Mixed_7c",)
    with pytest.raises(BackboneError, match=r"of 48 x 200 pixels .* must have at least (\d+)") as e:
        backbone.extract(torch.zeros(1, 3, 200, 48), deepest)
    smallest = int(str(e.value).split()[-1])
    assert backbone.extract(torch.zeros(1, 3, smallest, smallest), deepest)
    with pytest.raises(BackboneError):
        backbone.extract(torch.zeros(1, 3, smallest - 1, smallest), deepest)


def test_a_network_of_one_size_says_so():
    network = nn.Sequential(nn.Conv2d(3, 4, 16, 16), nn.Flatten(), nn.Linear(784, 4 * 49))
    network.append(nn.Unflatten(1, (4, 7, 7)))
    backbone = create(network, style_layers=["3"])
    with pytest.raises(BackboneError, match=r"not take pictures of 300 x 100 .* but of 224 x 224"):
        backbone.extract(torch.zeros(1, 3, 100, 300))


def test_a_network_without_weights_names_its_smallest_size_too():
    network = nn.Sequential(nn.AvgPool2d(64), nn.ReLU())
    backbone = create(network, style_layers=["1"], content_layers=["1"])
    with pytest.raises(BackboneError, match=r"too small for 1 .* must have at least 64"):
        backbone.extract(torch.zeros(1, 3, 20, 20))


class Picky(nn.Conv2d):
    """Takes dark pictures only."""

    def forward(self, x):
        if x.amax() > 2:
            raise RuntimeError("too bright")
        return super().forward(x)


def test_other_faults_of_a_network_are_not_called_a_matter_of_size():
    backbone = create(nn.Sequential(Picky(3, 4, 3), nn.ReLU()))
    with pytest.raises(RuntimeError, match="too bright"):
        backbone.extract(torch.ones(1, 3, 64, 64))


def test_layers_that_are_found_can_be_read_where_a_normalization_is_folded():
    module = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.MaxPool2d(2))
    backbone = create(module.eval())
    assert backbone.style_layers == ("1",) == backbone.layers()[:1]
    assert backbone.extract(torch.zeros(1, 3, 64, 64)).keys() == {"1"}


def test_a_module_of_ones_own_is_copied_and_its_layers_found():
    torch.manual_seed(0)
    mine = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3, padding=1)
    )
    backbone = create(mine)
    assert (backbone.style_layers, backbone.content_layers) == (("1", "3"), ("3",))
    assert mine.training
    assert backbone.module is not mine


def test_layers_that_are_given_are_not_searched_for(monkeypatch):
    """A search can fail where the layers that the caller names are there."""

    def fails(*_, **__):
        raise BackboneError("no layer that returns maps")

    monkeypatch.setattr(sys.modules["swag.backbones.registry"], "find_layers", fails)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    with pytest.raises(BackboneError):
        create(module, style_layers=["1"])
    network = create(module, style_layers=["1"], content_layers=["0"])
    assert (network.style_layers, network.content_layers) == (("1",), ("0",))


@pytest.mark.parametrize(
    ("name", "style", "content"),
    [
        # A ResNet has a row of blocks in each stage: those of the preset are found.
        ("resnet50", (*PRESETS["torchvision/resnet50"].style,), ("relu", "layer1", "layer2")),
        ("resnet18", (*PRESETS["torchvision/resnet18"].style,), ("relu", "layer1", "layer2")),
        # No blocks: the last layer at each resolution.
        (
            "vgg16",
            ("features.3", "features.8", "features.15", "features.22", "features.29"),
            ("features.8", "features.15", "features.22"),
        ),
        ("alexnet", ("features.1", "features.4", "features.11"), ("features.1", "features.4")),
        # What a layer of a dense block adds is not what the stage gives on.
        (
            "densenet121",
            ("features.relu0", *(f"features.denseblock{i}" for i in (1, 2, 3))),
            ("features.relu0", "features.denseblock1", "features.denseblock2"),
        ),
        # Blocks grow within a stage.
        (
            "googlenet",
            ("conv1", "conv3", "inception3a", "inception3b"),
            ("conv1", "conv3", "inception3b"),
        ),
        # Nothing at 1/2: three resolutions are read in any case, and the middle block of nine.
        (
            "convnext_tiny",
            (
                *("features.1.0", "features.1.2", "features.3.0", "features.3.2"),
                *("features.5.0", "features.5.4", "features.5.8"),
            ),
            ("features.1", "features.3"),
        ),
    ],
)
def test_layers_are_found_at_each_resolution(name, style, content):
    found = find_layers(plain(f"torchvision/{name}").module)
    assert (found.style, tuple(found.content)) == (style, content)
    # The layer at 1/4 counts twice: the second, if there is one at 1/2.
    assert [*found.content.values()] == [1.0, 2.0, 1.0][-len(content) :]


@pytest.mark.parametrize("name", ["shufflenet_v2_x0_5", "regnet_y_400mf", "mnasnet0_5"])
def test_networks_without_a_preset_are_read_at_several_resolutions(name, picture):
    backbone = create(f"torchvision/{name}", weights="random")
    rows = [maps.shape[-2] for maps in backbone.extract(picture, backbone.style_layers).values()]
    assert len(rows) >= 4
    assert rows == sorted(rows, reverse=True)


class SharedModules(nn.Module):
    """One ReLU and one pooling for all of its convolutions, as networks in tutorials have."""

    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(c, 4, 3, padding=1) for c in (3, 4, 4, 4))
        self.relu, self.pool = nn.ReLU(), nn.MaxPool2d(2)

    def forward(self, x):
        for conv in self.convs[:3]:
            x = self.pool(self.relu(conv(x)))
        return self.relu(self.convs[3](x))


def test_a_module_that_runs_at_several_resolutions_hides_no_layer():
    found = find_layers(SharedModules())
    assert found.style == ("convs.0", "convs.1", "convs.2", "convs.3")
    assert found.content == {"convs.1": 1.0, "convs.2": 2.0, "convs.3": 1.0}


class ConvolutionAfterPadding(nn.Conv2d):
    """A convolution with its padding as a child, as EfficientNets from TensorFlow have."""

    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs, 3)
        self.static_padding = nn.ZeroPad2d(1)

    def forward(self, x):
        return super().forward(self.static_padding(x))


def test_convolutions_that_pad_by_a_module_are_layers_and_no_blocks():
    layers = [ConvolutionAfterPadding(3, 4), nn.ReLU(), ConvolutionAfterPadding(4, 4), nn.ReLU()]
    found = find_layers(nn.Sequential(*layers, nn.MaxPool2d(2), ConvolutionAfterPadding(4, 4)))
    assert found.style == ("3", "5")


def test_a_network_that_never_reduces_is_read_at_even_distances():
    layers = [nn.Conv2d(3, 3, 3, padding=1) for _ in range(10)]
    found = find_layers(nn.Sequential(*layers))
    assert (found.style, found.content) == (("1", "3", "5", "7", "9"), ("7",))


def test_a_network_without_maps_is_refused():
    network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3))
    with pytest.raises(BackboneError, match="no layer that returns maps"):
        find_layers(network)


def test_a_float64_network_on_another_device_is_moved_as_a_whole():
    backbone = create("swag/resnet", weights="random").to(dtype=torch.float64)
    picture = torch.rand(1, 3, 32, 32, dtype=torch.float64)
    assert backbone.extract(picture)["stage2"].dtype == torch.float64
    assert backbone.to("meta").normalize.mean.is_meta


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("torchvision/resnt50", "nearest: torchvision/resnet50"),
        ("timm/resnt50", "nearest: timm/resnet50"),
        ("timm/vit_small_patch16_224.dinno", r"nearest: timm/vit_small_patch16_224\.dino"),
        ("resnet50", "expected swag/NAME, torchvision/NAME, timm/NAME"),
        ("swag/resnett", "did you mean swag/resnet"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(name, message):
    with pytest.raises(BackboneError, match=message) as refused:
        create(name, weights="random")
    assert len(str(refused.value)) < 250


def test_without_timm_the_extra_is_named(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "timm" else find(name)
    )
    with pytest.raises(DependencyError, match=r"pip install 'swag-style\[timm\]'"):
        create("timm/resnet18", weights="random")


def test_a_network_of_timm_without_a_preset(picture):
    backbone = create("timm/resnet18", weights="random", edits=PLAIN)
    assert backbone.style_layers == ("act1", *[*PRESETS["torchvision/resnet18"].style][1:])
    folded = create("timm/resnet18", weights="random")
    deepest = [network.extract(picture, ["layer4"])["layer4"] for network in (folded, backbone)]
    torch.testing.assert_close(*deepest, rtol=1e-3, atol=1e-4)


def test_all_networks_are_listed_once_and_those_with_presets_first():
    entries = available()
    names = [entry.name for entry in entries]
    assert len(names) == len(set(names))
    assert [entry.preset for entry in entries] == sorted((e.preset for e in entries), reverse=True)
    assert set(PRESETS) <= set(names)
    assert {"swag/resnet", "torchvision/resnet152"} <= set(names)
    assert all(entry.about and "\n" not in entry.about for entry in entries)


def test_presets_are_of_networks_that_exist():
    classifiers = {f"torchvision/{name}" for name in list_models()}
    assert {name for name in PRESETS if name.startswith("torchvision/")} <= classifiers


def test_weights_are_those_torchvision_draws_from_the_seed():
    torch.manual_seed(0)
    expected = resnet18(weights=None).layer4[1].conv2.weight
    assert torch.equal(plain("torchvision/resnet18").module.layer4[1].conv2.weight, expected)


@pytest.mark.parametrize("mode", ["replicate", "reflect"])
def test_a_pass_in_bfloat16_pads_in_bfloat16(mode):
    """Autocast pads in float32, which copies maps to float32 and back on both ways."""
    seen = []

    class Padded(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.relu = nn.Conv2d(3, 4, 3), nn.ReLU()

        def forward(self, x):
            x = F.pad(self.relu(self.conv(x)), (1, 1, 1, 1), mode=mode)
            seen.append(x.dtype)
            return self.relu(x)

    network = create(Padded(), style_layers=["conv"], content_layers=["conv"])
    seen.clear()
    network.module(torch.rand(1, 3, 8, 8))
    with torch.autocast("cpu", torch.bfloat16):
        network.module(torch.rand(1, 3, 8, 8))
    assert seen == [torch.float32, torch.float32]
    seen.clear()
    narrow(lambda x: {"": network.module(x)}, torch.rand(1, 3, 8, 8))
    assert seen == [torch.bfloat16]


@pytest.mark.parametrize("name", ["vgg16", "vgg19"])
def test_layers_of_a_vgg_count_as_those_of_its_students(name):
    preset = PRESETS[f"torchvision/{name}"]
    of_students = bundled.layers("vgg16-distilled")
    for found, weights in zip((preset.style, preset.content), of_students, strict=True):
        assert found == {preset.aliases[layer]: weight for layer, weight in weights.items()}


def small_network(style_layers, content_layers):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3))
    with seeded(0):
        for layer in (network[0], network[2]):
            layer.reset_parameters()
    return create(network, style_layers=style_layers, content_layers=content_layers)


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ({"0": 1, "2": -1}, "content_layers.2 = -1: .*greater than or equal to 0"),
        ({"0": float("nan")}, "content_layers.0 = nan: .*finite"),
        ({"0": "x"}, "content_layers.0 = 'x': .*number"),
        ({"0": 0, "2": 0}, "content_layers = .*not all of them 0"),
        ("02", "content_layers = '02': expected a list of layers"),
        (["0", "9"], "Sequential has no layer '9'"),
    ],
    ids=str,
)
def test_layers_are_checked_when_a_network_is_created(layers, words):
    with pytest.raises(SwagError, match=f"^{words}") as caught:
        small_network(["0"], layers)
    assert "\n" not in str(caught.value)


def test_an_empty_list_of_layers_reads_none():
    network = small_network(["0"], [])
    assert network.content_layers == ()
    assert list(network(torch.rand(1, 3, 16, 16))) == ["0"]


@pytest.mark.parametrize(
    ("name", "layer", "nearest"),
    [
        ("swag/vgg16-distilled", "relu9_1", "relu5_1"),
        ("torchvision/vgg16", "relu9_1", "relu5_1"),
        ("swag/resnet", "stage9", "stage4"),
    ],
)
def test_an_unknown_layer_names_the_network_as_it_was_asked_for(name, layer, nearest):
    with pytest.raises(BackboneError, match=f"^{name} has no layer '{layer}'; .*{nearest}"):
        create(name, weights="random", style_layers=[layer])
    with pytest.raises(BackboneError, match=f"^{name} has no layer '{layer}'; .*{nearest}"):
        create(name, weights="random").extract(torch.zeros(1, 3, 64, 64), [layer])


def layers_of_terms(network, **chosen):
    """The layers of the style term and of the content term, with their weights."""
    picture, of_run = torch.rand(1, 3, 16, 16), settings(**chosen)
    (style,) = style_terms(of_run, network, [picture], style_regions(of_run, 1, None, []), picture)
    (content,) = content_terms(of_run, network, picture, picture, mask=None)
    return style.layers, content.layers


def test_layers_may_have_weights_that_decide_the_loss_and_the_fingerprint():
    weights, alike = {"0": 1.0, "2": 0.25}, {"0": 1.0, "2": 1.0}
    plain = small_network([*weights], [*weights])
    of_style, of_content = small_network(weights, [*weights]), small_network([*weights], weights)
    for network in (plain, of_style, of_content):
        assert network.style_layers == network.content_layers == ("0", "2")
    assert plain.style_layer_weights == plain.content_layer_weights == alike
    assert of_style.style_layer_weights == of_content.content_layer_weights == weights
    assert len({fingerprint(network) for network in (plain, of_style, of_content)}) == 3

    assert layers_of_terms(plain) == (alike, alike)
    assert layers_of_terms(of_style) == (weights, alike)
    assert layers_of_terms(of_content) == (alike, weights)
    chosen = {"2": 3.0}
    assert layers_of_terms(of_style, style_layers=chosen) == (chosen, alike)
    assert layers_of_terms(of_content, content_layers=chosen) == (alike, chosen)
    # Hypercolumns join the layers to vectors; the weights were not found for these.
    assert layers_of_terms(of_style, style_loss="remd") == (alike, alike)


def smoothed_layers(network, **chosen):
    """The layers of the style term that are smoothed."""
    picture, of_run = torch.rand(1, 3, 64, 64), settings(**chosen)
    (style,) = style_terms(of_run, network, [picture], style_regions(of_run, 1, None, []), picture)
    return [layer for layer in style.layers if style.smoothing.at(layer) != Smoothing("none")]


@pytest.mark.parametrize("layer", ["relu4_1", "features.18"])
@pytest.mark.parametrize("read", [None, ["relu1_1", "relu4_1"], ["features.1", "features.18"]])
def test_a_smoothed_layer_may_have_either_of_its_names(layer, read):
    network = plain("torchvision/vgg16")
    found = smoothed_layers(network, smoothing=f"softmax@{layer}", style_layers=read)
    assert found in (["features.18"], ["relu4_1"])


@pytest.mark.parametrize(
    ("spec", "error", "words"),
    [
        ("softmax@relu9_9", BackboneError, "^swag/vgg16-distilled has no layer 'relu9_9'; nearest"),
        ("softmax@relu4_1,relu9_9", BackboneError, "has no layer 'relu9_9'"),
        ("softmax@block2", SettingsError, "block2 of swag/vgg16-distilled is not read; .*1_1, "),
    ],
)
def test_layers_that_cannot_be_smoothed_are_refused(spec, error, words):
    picture = torch.rand(1, 3, 64, 64)
    with pytest.raises(error, match=words) as caught:
        iterate(picture[0], picture[0], size=64, steps=2, smoothing=spec)
    assert "\n" not in str(caught.value)


def test_the_smoothing_of_a_preset_may_name_layers_of_other_networks():
    chosen = {"preset": "released-code", "backbone": "swag/resnet"}
    assert smoothed_layers(plain("swag/resnet"), **chosen) == []
    network = create(
        "torchvision/resnet18", weights="random", style_layers=["layer1", "layer3.0", "layer3.1"]
    )
    chosen = {"preset": "released-code", "backbone": "torchvision/resnet18"}
    assert smoothed_layers(network, **chosen) == ["layer3.0", "layer3.1"]
    with pytest.raises(SettingsError, match="layer4 of torchvision/resnet18 is not read"):
        smoothed_layers(network, smoothing="softmax@layer4")
    assert smoothed_layers(network, smoothing="none@layer3") == []
