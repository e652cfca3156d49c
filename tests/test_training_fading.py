"""Shortcuts that fade during the training of a network without shortcuts."""

from dataclasses import replace

import pytest
import torch

from swag.backbones import bundled
from swag.backbones.family import Architecture, ThinNetwork, from_state
from swag.errors import SettingsError, WeightsError
from swag.training import checkpoint
from swag.training.command import train_backbone
from swag.training.data import Source
from swag.training.export import export, main
from swag.training.fading import with_shortcuts, without_faded
from swag.training.loop import Cadence, Classifier, train
from swag.training.recipe import Recipe

PLAIN = Architecture(shortcuts=False, widths=(4, 8), depths=(2, 2), stem=3)
RECIPE = Recipe(epochs=4, batch=8, peak_rate=0.05, smallest=16, largest=16, fade=0.5)
OFTEN = Cadence(log=1, measure=100, save=3)


def pictures() -> Source:
    random = torch.Generator().manual_seed(0)
    labels = torch.arange(24) % 3
    return Source(
        [(torch.rand(3, 20, 20, generator=random) * 100 + 50 * n).byte() for n in labels], labels, 3
    )


def trained(out, recipe=RECIPE):
    return list(train(PLAIN, recipe, {"main": pictures()}, out=out, cadence=OFTEN))


def test_the_weight_of_the_shortcuts_falls_in_a_line_to_nothing():
    recipe = Recipe(fade=0.5)
    assert [recipe.gain(step, 100) for step in (0, 25, 50, 51, 99)] == [1, 0.5, 0, 0, 0]
    assert Recipe().gain(0, 100) == 0


@pytest.mark.parametrize("fade", [-0.1, 1.0, float("nan")])
def test_a_share_that_leaves_no_steps_without_shortcuts_is_refused(fade):
    with pytest.raises(SettingsError, match="from 0 to below 1"):
        Recipe(fade=fade)


def test_with_weight_one_it_is_the_residual_network_with_weight_zero_the_plain_one():
    torch.manual_seed(0)
    model = Classifier(PLAIN, {"main": 3}, fade=0.5).eval()
    for norm in model.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(norm.weight, 0.5, 1.5)  # the last of a branch begins with 0
    state = {k: v for k, v in model.network.state_dict().items() if ".shortcut." not in k}
    plain = from_state(PLAIN, state)
    residual = ThinNetwork(replace(PLAIN, shortcuts=True)).eval()
    residual.load_state_dict(model.network.state_dict())
    x = torch.randn(1, 3, 16, 16)
    torch.testing.assert_close(model.network(x), residual(x))
    model.gain.fill_(0.5)
    assert not torch.allclose(model.network(x), residual(x))
    model.gain.zero_()
    torch.testing.assert_close(model.network(x), plain(x))


def test_what_is_exported_is_the_plain_network(tmp_path, monkeypatch):
    monkeypatch.setitem(bundled.ARCHITECTURES, "noresnet", PLAIN)
    trained(tmp_path / "a.pt")
    card = export(tmp_path / "a.pt", "noresnet", tmp_path / "weights")
    assert card.trainings[0]["recipe"]["fade"] == 0.5
    state = checkpoint.load(tmp_path / "a.pt")
    assert any(".shortcut." in key for key in state["model"])
    model = Classifier(PLAIN, {"main": 3}, fade=0.5).eval()
    model.load_state_dict(state["model"])
    x = torch.randn(1, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    expected = model.network(x)
    found = bundled.network("noresnet", folder=tmp_path / "weights")(x)
    assert 0 < (found - expected).abs().max() < 5e-3 * expected.abs().max()


def test_an_export_before_the_shortcuts_have_faded_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(bundled.ARCHITECTURES, "noresnet", PLAIN)
    for progress in train(
        PLAIN, RECIPE, {"main": pictures()}, out=tmp_path / "a.pt", cadence=OFTEN
    ):
        if progress.step == 4:  # a checkpoint was written at step 3 of 12
            break
    assert main([str(tmp_path / "a.pt"), "noresnet", str(tmp_path / "weights")]) == 1
    assert "still have a share of 0.67; train on" in capsys.readouterr().err


def test_it_goes_on_where_it_stopped_bit_for_bit(tmp_path):
    trained(tmp_path / "whole.pt")
    for progress in train(
        PLAIN, RECIPE, {"main": pictures()}, out=tmp_path / "b.pt", cadence=OFTEN
    ):
        if progress.step == 5:
            break
    trained(tmp_path / "b.pt")
    whole, parts = (checkpoint.load(tmp_path / name)["model"] for name in ("whole.pt", "b.pt"))
    assert all(torch.equal(whole[key], parts[key]) for key in whole)
    assert parts["gain"] == 0


def test_a_training_without_shortcuts_begins_with_the_weights_of_one_in_which_they_faded(tmp_path):
    trained(tmp_path / "a.pt")
    plain = replace(RECIPE, fade=0.0, epochs=1)
    steps = train(
        PLAIN, plain, {"main": pictures()}, out=tmp_path / "b.pt", start=tmp_path / "a.pt",
        cadence=OFTEN,
    )  # fmt: skip
    assert len(list(steps)) == 3
    found = checkpoint.load(tmp_path / "b.pt")
    assert [each["recipe"]["fade"] for each in checkpoint.trainings(found)] == [0.5, 0.0]
    assert set(found["model"]) == set(without_faded(checkpoint.load(tmp_path / "a.pt")["model"]))


def test_networks_that_keep_their_shortcuts_are_refused_before_reading_pictures(tmp_path):
    assert with_shortcuts(PLAIN, 0.0) == PLAIN
    with pytest.raises(SettingsError, match="expected one without shortcuts"):
        train_backbone("resnet", tmp_path / "absent", tmp_path / "out.pt", fade=0.5)
    with pytest.raises(SettingsError, match="expected one of the two"):
        train_backbone("noresnet", tmp_path, tmp_path / "out.pt", fade=0.5, start="shipped")


def test_a_checkpoint_of_a_version_without_fading_goes_on(tmp_path):
    recipe = replace(RECIPE, fade=0.0)
    trained(tmp_path / "a.pt", recipe)
    state = checkpoint.load(tmp_path / "a.pt")
    del state["recipe"]["fade"]
    torch.save(state, tmp_path / "a.pt")
    assert trained(tmp_path / "a.pt", recipe) == []
    with pytest.raises(WeightsError, match=r"different: fade"):
        trained(tmp_path / "a.pt", RECIPE)
