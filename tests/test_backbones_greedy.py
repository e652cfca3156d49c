"""Random weights chosen greedily: the words for it, groups, draws, reconstructions, the choice."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

import swag.backbones.registry
from swag.backbones import create, greedy
from swag.backbones.greedy import (
    SIDE,
    choose,
    falling_spectrum,
    groups,
    reconstruction_error,
    shuffle,
)
from swag.backbones.weights import DRAWS, Weights, parse_weights
from swag.cli import app
from swag.errors import BackboneError, WeightsError
from swag.image import resize, write

LAYERS = ["1", "3"]


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def backbone_of(module, style=LAYERS, content=(), **options):
    return create(module, style_layers=style, content_layers=content, **options)


def weights_of(backbone):
    return torch.cat([parameter.flatten() for parameter in backbone.module.parameters()])


@pytest.fixture
def network():
    """Two convolutions that lose something, each read after its ReLU, and one after them."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 3, 3, padding=1), nn.ReLU(), nn.Conv2d(3, 6, 3, 2, 1), nn.ReLU(),
        nn.Conv2d(6, 6, 1),
    )  # fmt: skip


@pytest.fixture
def picture():
    return falling_spectrum((SIDE, SIDE), seed=5)


@pytest.fixture
def quick(monkeypatch):
    """No reconstruction: a number that depends on the activations stands for its error."""

    def error(backbone, layer, picture):
        with torch.no_grad():
            return float(backbone.extract(picture, [layer])[layer].abs().mean())

    monkeypatch.setattr(greedy, "reconstruction_error", error)


@pytest.mark.parametrize(
    ("text", "draws"),
    [("random:greedy", DRAWS), ("random:greedy:draws=16", 16), ("random:greedy:draws=1", 1)],
)
def test_the_number_of_draws_is_read(text, draws):
    assert parse_weights(text) == Weights(scheme="greedy", draws=draws)


@pytest.mark.parametrize("text", ["random", "random:kaiming+calibrated", "pretrained"])
def test_all_other_weights_are_one_draw(text):
    assert parse_weights(text).draws == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        *((f"random:greedy:draws={n}", "from 1 to 64") for n in ("0", "65", "-1", "2.5", "x", "")),
        ("random:greedy:", r"expected draws=N.*random:greedy:draws=8"),
        ("random:greedy:seeds=3", "expected draws=N"),
        ("random:gredy", "no random scheme is called 'gredy'; did you mean greedy"),
        ("random:kaiming:draws=3", "random:kaiming takes no option, not 'draws=3'"),
        ("random:greedy+calibrated", r"takes no \+calibrated; use random:greedy, or"),
    ],
)
def test_other_words_are_refused_in_one_line(text, message):
    with pytest.raises(WeightsError, match=message) as refused:
        parse_weights(text)
    assert "\n" not in str(refused.value)


def test_a_group_ends_at_each_layer_that_is_read(network, picture):
    backbone = backbone_of(network, style=["3"], content=["1"])
    found = groups(backbone, picture)
    convolutions = backbone.module[0], backbone.module[2]
    for group, convolution in zip(found.values(), convolutions, strict=True):
        assert [id(p) for p in group] == [id(p) for p in convolution.parameters()]
    assert list(found) == ["1", "3"]


def test_a_layer_that_adds_no_filters_has_no_group(network, picture):
    assert list(groups(backbone_of(network, style=["0", "1", "3"]), picture)) == ["0", "3"]


def test_filters_used_twice_and_those_of_containers_belong_to_their_first_use(picture):
    class Shift(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.shift = nn.Parameter(torch.randn(1, 3, 1, 1))
            self.inner = inner

        def forward(self, x):
            return self.inner(x + self.shift)

    shared = nn.Conv2d(3, 3, 1)
    network = nn.Sequential(shared, nn.ReLU(), Shift(nn.Sequential(shared, nn.ReLU())), nn.ReLU())
    backbone = backbone_of(network, style=["1", "2.inner.1"], edits=("no-channels-last",))
    found = groups(backbone, picture)
    assert {name: len(group) for name, group in found.items()} == {"1": 2, "2.inner.1": 1}


def test_the_groups_of_the_family_are_its_stages(picture):
    layers = ("stem", "stage1", "stage2", "stage3", "stage4")
    backbone = create("swag/resnet", weights="random", style_layers=layers)
    found = groups(backbone, picture)
    assert tuple(found) == backbone.style_layers
    grouped = [parameter for group in found.values() for parameter in group]
    assert len({id(p) for p in grouped}) == len(grouped) == len([*backbone.module.parameters()])


def test_a_draw_is_a_new_order_of_the_same_entries():
    parameter = nn.Parameter(torch.randn(8, 4, 3, 3).to(memory_format=torch.channels_last))
    before = parameter.detach().clone()
    twin = nn.Parameter(before.clone())
    shuffle([parameter], seeded(1))
    shuffle([twin], seeded(1))
    assert torch.equal(parameter.flatten().sort().values, before.flatten().sort().values)
    assert (parameter == before).float().mean() < 0.1
    assert torch.equal(parameter, twin)
    assert parameter.is_contiguous(memory_format=torch.channels_last)


def test_a_draw_forgets_where_an_entry_was():
    counts = torch.zeros(4)
    random = seeded(0)
    for _ in range(400):
        parameter = nn.Parameter(torch.tensor([1.0, 0.0, 0.0, 0.0]))
        shuffle([parameter], random)
        counts += parameter.detach()
    assert counts.min() > 70  # of 400 in 4 places; 30 is 3.5 standard deviations


def start_of(picture):
    """Where a reconstruction begins, in NumPy from the docstring; the noise is torch's."""
    noise = torch.randn(picture.shape, generator=seeded(0)).double().numpy()
    return picture.double().mean((2, 3), keepdim=True).numpy() + 0.1 * noise


def test_all_is_reconstructed_from_an_invertible_layer(picture):
    layer = nn.Conv2d(3, 3, 1)
    nn.init.orthogonal_(layer.weight)
    assert reconstruction_error(backbone_of(nn.Sequential(layer), ["0"]), "0", picture) < 1e-7


def test_a_color_that_a_layer_does_not_see_stays_as_it_began(picture):
    layer = nn.Conv2d(3, 2, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(2, 3)[:, :, None, None])
    found = reconstruction_error(backbone_of(nn.Sequential(layer), ["0"]), "0", picture)
    unseen = start_of(picture)[:, 2].clip(0, 1) - picture[:, 2].double().numpy()
    assert found == pytest.approx(np.square(unseen).sum() / picture.numel(), rel=1e-4)


def test_what_a_mean_over_four_pixels_keeps_is_its_projection(picture):
    network = nn.Sequential(nn.Conv2d(3, 3, 1, bias=False), nn.AvgPool2d(2))
    with torch.no_grad():
        network[0].weight.copy_(torch.eye(3)[:, :, None, None])
    found = reconstruction_error(backbone_of(network, ["1"]), "1", picture, steps=60)
    missing = start_of(picture) - picture.double().numpy()
    means = missing.reshape(1, 3, SIDE // 2, 2, SIDE // 2, 2).mean((3, 5), keepdims=True)
    missing -= np.broadcast_to(means, (1, 3, SIDE // 2, 2, SIDE // 2, 2)).reshape(missing.shape)
    reached = (picture.double().numpy() + missing).clip(0, 1) - picture.double().numpy()
    assert found == pytest.approx(np.square(reached).mean(), rel=1e-3)


def test_more_steps_reconstruct_better(picture):
    backbone = create("swag/resnet", weights="random")
    few, many = (
        reconstruction_error(backbone, "stage1", picture, steps=steps) for steps in (3, 15)
    )
    assert many < 0.7 * few


@pytest.mark.parametrize("value", [math.inf, math.nan, 1e30])
def test_a_reconstruction_that_is_not_finite_is_no_candidate(value, picture):
    layer = nn.Conv2d(3, 3, 1)
    nn.init.constant_(layer.weight, value)
    assert reconstruction_error(backbone_of(nn.Sequential(layer), ["0"]), "0", picture) == math.inf


@pytest.mark.parametrize("flat", ["layer", "picture"])
def test_a_dead_layer_and_a_black_picture_have_an_error(flat, network, picture):
    if flat == "layer":
        nn.init.constant_(network[0].bias, -100)
    backbone = backbone_of(network)
    found = choose(backbone, draws=2, pictures=picture * (flat == "layer"))
    assert list(found) == LAYERS
    assert torch.isfinite(weights_of(backbone)).all()


def test_a_network_in_which_nothing_is_finite_keeps_its_first_draw(picture):
    layer = nn.Conv2d(3, 3, 1)
    nn.init.constant_(layer.weight, math.nan)
    backbone = backbone_of(nn.Sequential(layer), ["0"])
    assert choose(backbone, draws=3, pictures=picture) == {"0": [math.inf] * 3}


def test_each_group_is_the_best_of_its_draws_given_those_before(network, picture):
    """An exhaustive copy of the algorithm, on networks of its own."""
    chosen = backbone_of(network)
    errors = choose(chosen, draws=4, seed=7, pictures=picture)
    random = seeded(7)
    current = copy.deepcopy(network)
    for layer, convolution in (("1", 0), ("3", 2)):
        trials, scores = [], []
        for draw in range(4):
            trial = copy.deepcopy(trials[-1] if trials else current)
            if draw:
                for parameter in trial[convolution].parameters():
                    order = torch.randperm(parameter.numel(), generator=random)
                    parameter.data = parameter.data.flatten()[order].view_as(parameter)
            trials.append(trial)
            scores.append(reconstruction_error(backbone_of(trial), layer, picture))
        assert errors[layer] == pytest.approx(scores, rel=1e-5)
        assert len(set(scores)) == 4
        current = trials[int(np.argmin(scores))]
    assert torch.equal(weights_of(chosen), weights_of(backbone_of(current)))


def test_the_choice_is_better_than_the_constructors_draw(network, picture):
    """Three filters that are all alike see one number of three; any new order of them sees more."""
    with torch.no_grad():
        network[0].weight.copy_(network[0].weight[:1].clone().expand(3, -1, -1, -1))
    plain, chosen = backbone_of(network), backbone_of(network)
    errors = choose(chosen, draws=6, pictures=picture)
    before, after = (reconstruction_error(b, "1", picture) for b in (plain, chosen))
    assert errors["1"][0] == pytest.approx(before, rel=1e-6)
    assert min(errors["1"]) == pytest.approx(after, rel=1e-6)
    assert after < 0.9 * before


def test_one_draw_changes_nothing(network, picture):
    backbone = backbone_of(network)
    choose(backbone, draws=1, pictures=picture)
    assert torch.equal(weights_of(backbone), weights_of(backbone_of(network)))


def test_a_seed_gives_the_same_choice_another_seed_another_and_the_stream_goes_on(network):
    first, same, other = (backbone_of(network) for _ in range(3))
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    for backbone, seed in ((first, 0), (same, 0), (other, 1)):
        with torch.no_grad():  # as a caller may have it
            choose(backbone, draws=3, seed=seed)
    assert torch.equal(torch.rand(2), expected)
    assert torch.equal(weights_of(first), weights_of(same))
    assert not torch.equal(weights_of(first), weights_of(other))
    assert not any(p.requires_grad or p.grad is not None for p in first.module.parameters())


def test_what_runs_after_the_deepest_layer_stays(network, quick):
    backbone = backbone_of(network)
    choose(backbone, draws=5)
    assert torch.equal(backbone.module[4].weight, network[4].weight)


def test_an_unknown_layer_is_refused_before_anything_is_changed(network):
    backbone = backbone_of(network)
    backbone.style_layer_weights = {"1": 1.0, "30": 1.0}
    with pytest.raises(BackboneError, match="no layer '30'"):
        choose(backbone, draws=3)
    assert torch.equal(weights_of(backbone), weights_of(backbone_of(network)))


def seen_by(monkeypatch, network, **options):
    """The pictures that are reconstructed when a network is chosen."""
    seen = []

    def error(_backbone, _layer, picture):
        seen.append(picture)
        return 1.0

    monkeypatch.setattr(greedy, "reconstruction_error", error)
    choose(backbone_of(network), draws=1, **options)
    return seen


def test_the_first_picture_is_reconstructed_made_small(network, monkeypatch):
    pictures = torch.rand(3, 3, 200, 140, generator=seeded(0))
    (seen, again) = seen_by(monkeypatch, network, pictures=pictures)
    assert torch.equal(seen, resize(pictures[:1], (SIDE, SIDE)).clamp(0, 1))
    assert seen is again


def test_without_pictures_it_is_a_synthetic_one_of_the_seed(network, monkeypatch):
    (seen, _) = seen_by(monkeypatch, network, seed=4)
    assert torch.equal(seen, falling_spectrum((SIDE, SIDE), 4))


def test_a_network_of_one_size_gets_its_size(network, monkeypatch):
    class Only96(nn.Module):
        def forward(self, x):
            assert x.shape[-2:] == (96, 96), "not my size"
            return x

    sized = nn.Sequential(Only96(), nn.ReLU(), nn.Conv2d(3, 4, 1), nn.ReLU())
    (seen,) = seen_by(monkeypatch, sized, pictures=torch.rand(1, 3, 20, 30))
    assert seen.shape == (1, 3, 96, 96)


def test_the_amplitudes_of_the_synthetic_picture_fall_as_one_over_frequency():
    pictures = torch.cat([falling_spectrum((128, 96), seed) for seed in range(12)]).double().numpy()
    amplitudes = np.abs(np.fft.fft2(pictures)).mean((0, 1))
    frequency = np.hypot(np.fft.fftfreq(128)[:, None], np.fft.fftfreq(96)[None])
    some = (frequency > 0.03) & (frequency < 0.3)
    slope = np.polyfit(np.log(frequency[some]), np.log(amplitudes[some]), 1)[0]
    assert slope == pytest.approx(-1, abs=0.05)


def test_the_synthetic_picture_is_like_a_muted_photograph():
    picture = falling_spectrum((64, 64), seed=0)
    assert 0 <= picture.min() < 0.2 and 0.8 < picture.max() <= 1
    assert picture.mean((2, 3)).flatten().tolist() == pytest.approx([0.5] * 3, abs=0.02)
    assert picture.std((2, 3)).flatten().tolist() == pytest.approx([0.2] * 3, abs=0.02)
    many = torch.cat([falling_spectrum((64, 64), s) for s in range(20)]).transpose(0, 1).flatten(1)
    between = torch.corrcoef(many)[~torch.eye(3, dtype=torch.bool)]
    assert between.tolist() == pytest.approx([0.8] * 6, abs=0.1)


@pytest.mark.parametrize("edits", [(), ("no-fold", "no-channels-last"), ("without-residuals",)])
def test_the_family_keeps_the_entries_it_drew_under_any_edit(edits, quick):
    plain, chosen = (create("swag/resnet", weights="random", edits=edits) for _ in range(2))
    choose(chosen, draws=3)
    pairs = zip(plain.module.parameters(), chosen.module.parameters(), strict=True)
    for before, after in pairs:
        assert torch.equal(before.flatten().sort().values, after.flatten().sort().values)
    assert not torch.equal(weights_of(plain), weights_of(chosen))


@pytest.mark.parametrize("name", ["torchvision/squeezenet1_1", "timm/test_resnet", "timm/test_vit"])
def test_networks_of_every_origin_are_chosen(name, quick):
    backbone = create(name, weights="random")
    errors = choose(backbone, draws=2)
    read = {*backbone.style_layers, *backbone.content_layers}
    assert set(errors) <= read and len(errors) > len(read) / 2
    assert all(len(of_draws) == 2 for of_draws in errors.values())
    # Equal where a constructor leaves nothing to chance, as in a block that ends with zeros.
    assert sum(len(set(of_draws)) == 2 for of_draws in errors.values()) > len(errors) / 2


def test_it_is_reached_by_its_name_with_pictures_and_seed(monkeypatch):
    calls = []
    monkeypatch.setattr(
        swag.backbones.registry, "choose", lambda backbone, **given: calls.append((backbone, given))
    )
    pictures = torch.rand(2, 3, 40, 40)
    chosen = create("swag/resnet", weights="random:greedy:draws=5", seed=2, calibrate_on=pictures)
    create("swag/resnet", weights="random:greedy:draws=1")
    ((backbone, given),) = calls
    assert backbone is chosen and chosen.weights == "random:greedy:draws=5, seed 2"
    assert given["draws"] == 5 and given["seed"] == 2 and given["pictures"] is pictures


def test_by_its_name_it_chooses(network):
    chosen = create(
        network, weights="random:greedy:draws=3", seed=4, style_layers=["1"], content_layers=["3"]
    )
    expected = backbone_of(network, weights="random", seed=4)
    choose(expected, draws=3, seed=4)
    assert torch.equal(weights_of(chosen), weights_of(expected))


def test_the_command_line_reaches_it(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        swag.backbones.registry, "choose", lambda _backbone, **given: asked.append(given)
    )
    write(tmp_path / "photo.png", torch.rand(3, 40, 48))
    words = ["reconstruct", str(tmp_path / "photo.png"), "-o", str(tmp_path / "out.png")]
    options = ["--size", "32", "--steps", "1", "--quiet", "--weights"]
    done = CliRunner().invoke(app, [*words, *options, "random:greedy:draws=3"])
    assert done.exit_code == 0, done.output
    assert [(given["draws"], given["pictures"].shape) for given in asked] == [(3, (1, 3, 27, 32))]


def test_the_command_line_refuses_draws_out_of_range_in_one_line(tmp_path):
    write(tmp_path / "photo.png", torch.rand(3, 40, 48))
    words = ["reconstruct", str(tmp_path / "photo.png"), "-o", str(tmp_path / "out.png")]
    done = CliRunner().invoke(app, [*words, "--weights", "random:greedy:draws=0"])
    assert done.exit_code == 1
    (line,) = done.stderr.splitlines()
    assert "draws=0" in line and "from 1 to 64" in line
