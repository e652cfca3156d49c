"""Measurements against loops in NumPy and against blocks whose fate is known."""

import numpy as np
import pytest
import torch
from torch import nn

from swag import backbones
from swag.backbones import create
from swag.backbones.family import ResidualBlock
from swag.backbones.fingerprint import fingerprint
from swag.errors import SettingsError, WeightsError
from swag.image import write
from swag_lab.evaluation.networks import Network, Rescaled, pretrained_there, random
from swag_lab.experiments import measures
from swag_lab.experiments.job_runner import in_deviations
from swag_lab.experiments.painted import paint
from swag_lab.experiments.samples import Sample, painted_samples, samples_in

THIN = {"widths": (4, 8, 8, 8), "depths": (1, 2, 1, 1)}


@pytest.fixture(scope="module")
def style():
    return paint("tiles", 32)


@pytest.fixture(scope="module")
def photo():
    return paint("house", 32)


def thin(**switches):
    return random("swag/resnet", "thin", **{**THIN, **switches})


def test_peakiness_is_that_of_the_activations(style):
    network = thin().create(0)
    rows = {row["layer"]: row for row in measures.peakiness(network, style)}
    with torch.no_grad():
        features = network.extract(style, ["stage2"])["stage2"][0].double().numpy()
    flat = features.ravel()
    shares = flat[flat > 0] / flat[flat > 0].sum()
    assert rows["stage2"]["max F"] == pytest.approx(flat.max())
    assert rows["stage2"]["entropy F (sum)"] == pytest.approx(
        -(shares * np.log(shares)).sum() / np.log(flat.size)
    )
    positions = features.reshape(8, -1)
    gram = positions @ positions.T / positions.shape[1]
    assert rows["stage2"]["max G"] == pytest.approx(gram.max(), rel=1e-5)


def with_branch(network, make):
    """The network with the last branch of stage 2 replaced."""
    for name, block in network.module.named_modules():
        if isinstance(block, ResidualBlock) and name == "stage2.block2":
            block.branch = make()
    return network


class Damping(nn.Module):
    """A branch that takes a share of its input away."""

    def __init__(self, share):
        super().__init__()
        self.share = share

    def forward(self, x):
        return -self.share * x


def test_a_branch_of_zero_keeps_the_largest(style):
    rows = measures.suppression(with_branch(thin().create(1), lambda: Damping(0.0)), style)
    (row,) = [row for row in rows if row["block"] == "stage2.block2"]
    assert row["kept"] == pytest.approx(1)
    assert row["still largest"] == pytest.approx(1)
    assert (row["lowered"], row["found of needed"]) == (0, 0)


def test_a_branch_that_takes_half_lowers_all_and_is_found_so(style):
    network = with_branch(thin().create(2), lambda: Damping(0.5))
    (row,) = [r for r in measures.suppression(network, style) if r["block"] == "stage2.block2"]
    assert row["lowered"] == 1
    assert row["kept"] == pytest.approx(1)  # relative to the mean, which is halved too
    assert 0.5 < row["found of needed"] < 1


def test_a_plain_block_has_no_branch_and_a_torchvision_one_has_its_last_norm(style):
    plain = measures.suppression(thin(shortcuts=False).create(0), style)
    assert plain and all(row["lowered"] is None for row in plain)
    edits = ("no-fold",)
    residual = backbones.create("torchvision/resnet18", weights="random", edits=edits)
    rows = measures.suppression(residual, style)
    assert next(row["block"] for row in rows) == "layer1.0"
    assert all(0 <= row["lowered"] <= 1 for row in rows)


def test_shares_of_outliers_are_those_of_the_difference(photo, style):
    network = thin().create(0)
    rows = measures.outliers(network, photo, style)
    (row,) = [r for r in rows if (r["layer"], r["smoothing"]) == ("stage2", "none")]
    with torch.no_grad():
        maps = [network.extract(p, ["stage2"])["stage2"][0].flatten(1).double().numpy()
                for p in (photo, style)]  # fmt: skip
    a, b = (m @ m.T / m.shape[1] for m in maps)
    difference = a - b
    squares = np.sort((difference**2).ravel())[::-1]
    assert row["loss 1%"] == pytest.approx(squares[:1].sum() / squares.sum(), rel=1e-4)
    assert row["loss 10%"] == pytest.approx(squares[:7].sum() / squares.sum(), rel=1e-4)
    sizes = np.maximum(abs(a), abs(b))
    through = np.where(sizes >= np.sort(sizes.ravel())[-7], difference, 0)
    assert row["gram 10%"] == pytest.approx((through**2).sum() / squares.sum(), rel=1e-4)
    gradients = through @ maps[0], difference @ maps[0]
    expected = (gradients[0] * gradients[1]).sum() / (gradients[1] ** 2).sum()
    assert row["gradient 10%"] == pytest.approx(expected, rel=1e-4)


def test_all_shares_are_of_equally_many_entries():
    features = torch.rand(1, 8, 5, 5, generator=torch.Generator().manual_seed(0)).double()
    photo_gram, style_gram = torch.diag(torch.arange(1.0, 9)).double()[None], torch.zeros(1, 8, 8)
    shares = measures._shares(features, photo_gram, style_gram)
    assert shares["loss 10%"] == pytest.approx(203 / 204)  # 6.4 of 64 entries are 7
    for fraction in measures.FRACTIONS:
        label = measures.percent(fraction)
        assert shares[f"gram {label}"] == pytest.approx(shares[f"loss {label}"])


def test_equal_pictures_have_shares_as_a_flat_difference_has(photo):
    for row in measures.outliers(thin().create(0), photo, photo):
        assert (row["loss 10%"], row["gram 10%"], row["gradient 10%"]) == (
            pytest.approx(0.1, abs=0.05), 0.1, 0.1,
        )  # fmt: skip


def test_entropy_grows_with_temperature(style):
    rows = [
        r
        for r in measures.peakiness_by_temperature(thin().create(0), style)
        if r["layer"] == "stage1"
    ]
    entropies = [row["entropy"] for row in rows]
    assert entropies == sorted(entropies) and entropies[0] < entropies[-1] <= 1
    assert rows[-1]["share of largest"] < rows[0]["share of largest"]


def test_a_network_in_deviations_has_deviation_one_on_the_style(style):
    network = in_deviations(thin().create(0), style)
    assert isinstance(network, Rescaled)
    for features in network.extract(style, network.style_layers).values():
        assert float(features.std(correction=0)) == pytest.approx(1, rel=1e-4)


def test_a_rescaled_network_has_all_of_the_network_but_the_size_of_its_activations(style):
    network = create(
        "swag/vgg16-distilled",
        style_layers={"relu1_1": 2.0, "relu3_1": 0.5},
        content_layers={"relu3_1": 2.0, "relu4_2": 1.0},
        edits=["reflect"],
    )
    rescaled = Rescaled(network, {"relu3_1": 4.0})
    weights = ("style_layer_weights", "content_layer_weights")
    for name in ("name", *weights, "style_layers", "content_layers", "edits", "weights"):
        assert getattr(rescaled, name) == getattr(network, name)
    plain, maps = network.extract(style), rescaled.extract(style)
    assert torch.equal(maps["relu1_1"], plain["relu1_1"])
    assert torch.equal(maps["relu3_1"], plain["relu3_1"] / 4)
    assert fingerprint(rescaled) == fingerprint(network)


def test_switches_change_the_network_and_seeds_its_weights(style):
    layer = "stage1"

    def features(network, seed):
        return network.create(seed).extract(style, [layer])[layer]

    base = features(thin(), 0)
    assert torch.equal(base, features(thin(), 0))
    assert not torch.equal(base, features(thin(), 1))
    assert not torch.equal(base, features(thin(shortcuts=False), 0))
    leaky = Network("leaky", "swag/resnet", "random", tuple(THIN.items()), slope=0.3)
    assert features(leaky, 0).min() < 0 <= base.min()


def test_a_trained_network_has_no_switches():
    with pytest.raises(WeightsError, match="switches"):
        Network("p", "swag/resnet", switches=(("shortcuts", False),)).create(0)


def test_networks_without_their_weights_are_left_out(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert pretrained_there(["resnet18"]) == []
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "resnet18-f37072fd.pth").touch()
    assert [network.name for network in pretrained_there(["resnet18"])] == ["p-resnet18"]


def test_samples_are_squares_spread_over_a_folder(tmp_path):
    for i in range(5):
        picture = torch.zeros(3, 20, 40)
        picture[i % 3, :, 10:30] = 1
        write(tmp_path / f"{i}.png", picture)
    (tmp_path / "notes.txt").write_text("no picture")
    assert [sample.name for sample in samples_in(tmp_path)] == list("01234")
    first, second = samples_in(tmp_path, 2)
    assert (first.name, second.name) == ("0", "2")
    square = first.at(10)
    assert square.shape == (1, 3, 10, 10)
    assert torch.allclose(square[0, 0], torch.ones(10, 10), atol=1e-3)


@pytest.mark.parametrize("kind", ["contents", "styles"])
def test_painted_samples_differ_and_lie_in_range(kind):
    pictures = [sample.at(48) for sample in painted_samples(kind)]
    assert all(p.shape == (1, 3, 48, 48) and 0 <= p.min() and p.max() <= 1 for p in pictures)
    assert not torch.equal(pictures[0], pictures[1])
    assert all(p.std() > 0.05 for p in pictures)


def test_pictures_that_differ_by_their_ending_alone_have_names_of_their_own(tmp_path):
    for i, name in enumerate(("a.png", "a.jpg", "b.png")):
        write(tmp_path / name, torch.full((3, 8, 8), i / 3))
    assert [sample.name for sample in samples_in(tmp_path)] == ["a.jpg", "a.png", "b"]


def test_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="no pictures"):
        samples_in(tmp_path)
    with pytest.raises(SettingsError, match="no folder"):
        samples_in(tmp_path / "missing")
    assert Sample("x", "d").file is None
