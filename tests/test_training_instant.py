"""Training of a painter: the loss is that of an optimization, it falls, and goes on to the bit."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import swag
from swag import losses
from swag.cli import app
from swag.errors import ImageError, SettingsError, WeightsError
from swag.image import Picture, write
from swag.instant import InstantNetwork, painter_from
from swag.objective import LossTerm, Objective
from swag.smoothing import Smoothing
from swag_lab.training import checkpoint
from swag_lab.training.instant import command
from swag_lab.training.instant.command import export_painter, train_on
from swag_lab.training.instant.examples import Examples, example_of, pictures
from swag_lab.training.instant.loop import initialize, painted_batch, train_painter
from swag_lab.training.instant.loss import painting_errors
from swag_lab.training.instant.recipe import PainterRecipe
from swag_lab.training.loop import Cadence
from swag_lab.training.one_pass import Averaged

RECIPE = PainterRecipe(steps=4, batch=2, size=64, photos=4, paintings=4, warmup=1)
EACH = Cadence(log=1, save=1)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def network():
    return swag.backbones.create("swag/vgg16-distilled")


@pytest.fixture(scope="module")
def sources():
    draw = torch.Generator().manual_seed(0)
    photos = [torch.randint(0, 255, (3, 70, 80), generator=draw).byte() for _ in range(3)]
    paintings = [(photo.float() * 0.5).byte().flip(0) for photo in photos]
    return photos, paintings


def weights_of(out: Path) -> dict[str, torch.Tensor]:
    return checkpoint.load_training(out)["model"]


def test_a_training_that_was_interrupted_ends_with_the_same_bits(network, sources, tmp_path):
    whole, parts = tmp_path / "whole.pt", tmp_path / "parts.pt"
    lines = list(train_painter(network, RECIPE, *sources, out=whole, cadence=EACH))
    assert [line.step for line in lines] == [1, 2, 3, 4]
    running = train_painter(network, RECIPE, *sources, out=parts, cadence=EACH)
    next(running), next(running)
    running.close()
    assert checkpoint.load_training(parts)["step"] == 2
    list(train_painter(network, RECIPE, *sources, out=parts, cadence=EACH))
    for name, tensor in weights_of(whole).items():
        assert torch.equal(tensor, weights_of(parts)[name]), name
    assert len(parts.with_suffix(".jsonl").read_text().splitlines()) == 4


def test_another_recipe_is_refused(network, sources, tmp_path):
    out = tmp_path / "painter.pt"
    list(train_painter(network, replace(RECIPE, steps=1), *sources, out=out, cadence=EACH))
    with pytest.raises(WeightsError, match=r"another recipe \(different: balance, steps\)"):
        list(train_painter(network, replace(RECIPE, balance=1.0), *sources, out=out))


@pytest.mark.slow
def test_the_errors_fall(network, sources, tmp_path):
    recipe = replace(RECIPE, steps=40, photos=1, paintings=1, photo_styles=2, warmup=20)
    recipe = replace(recipe, peak_rate=3e-4)
    lines = list(train_painter(network, recipe, *sources, out=tmp_path / "p.pt", cadence=EACH))
    assert lines[-1].style < 0.8 * lines[0].style
    assert lines[-1].reconstruction < lines[0].reconstruction


def test_the_loss_is_that_of_an_optimization(network, sources):
    """Style and content errors are those of an objective, of every pair by itself."""
    batch = Examples(RECIPE, network, *sources).batch(0)
    photos, paintings = (pictures(side, CPU) for side in (batch.photos, batch.paintings))
    made = torch.lerp(photos, paintings.flip(3), 0.4)
    found = painting_errors(network, made, batch)
    for i in range(2):
        photo, painting = photos[i : i + 1], paintings[i : i + 1]
        terms = [
            LossTerm(
                name=name,
                loss=losses.get(loss),
                layers=dict.fromkeys(layers, 1.0),
                target=target,
                smoothing=Smoothing("none"),
                unit_image=other,
            )
            for name, loss, layers, target, other in (
                ("style", "bures", network.style_layers, painting, photo),
                ("content", "content", network.content_layers, photo, painting),
            )
        ]
        objective = Objective.of(network.extract, terms, start=photo, style=painting)
        expected = objective(made[i : i + 1])
        assert float(found.style[i]) == pytest.approx(float(expected["style"]), rel=0.02)
        assert float(found.content[i]) == pytest.approx(float(expected["content"]), rel=0.02)


def test_each_photo_has_the_painting_beside_it(network, sources):
    """In a batch nothing of one pair reaches another."""
    batch = Examples(RECIPE, network, *sources).batch(0)
    painter = Averaged(InstantNetwork, initialize, seed=0).network
    photos, paintings = (pictures(side, CPU) for side in (batch.photos, batch.paintings))
    with torch.no_grad():
        both, _ = painted_batch(painter, photos, paintings, batch.strength, whole=True)
        for i in range(2):
            alone, _ = painted_batch(
                painter,
                photos[i : i + 1],
                paintings[i : i + 1],
                batch.strength[i : i + 1],
                whole=True,
            )
            torch.testing.assert_close(both[i : i + 1], alone, rtol=1e-2, atol=5e-3)


def test_examples_are_those_of_the_network(network, sources):
    pixels = sources[0][0][:, :64, :64].float() / 255
    example = example_of(network, pixels)
    maps = network.extract(pixels[None], [*network.style_layers, *network.content_layers])
    for layer in network.style_layers:
        expected = losses.get("bures").describe(maps[layer])
        torch.testing.assert_close(example.style[layer], expected)
    assert set(example.content) == set(network.content_layers)


def test_what_is_shipped_is_the_running_mean(network, sources, tmp_path):
    out, weights = tmp_path / "painter.pt", tmp_path / "painter.safetensors"
    list(train_painter(network, RECIPE, *sources, out=out, cadence=EACH))
    export_painter(out, weights)
    shipped = painter_from(weights.read_bytes()).network.state_dict()
    mean = {n[5:]: t for n, t in weights_of(out).items() if n.startswith("mean.")}
    assert set(shipped) == set(InstantNetwork().state_dict())
    for name, tensor in shipped.items():
        torch.testing.assert_close(tensor, mean[name], rtol=1e-3, atol=1e-6)
    checkpoint_of_other = tmp_path / "other.pt"
    other = torch.nn.Conv2d(1, 1, 1)
    checkpoint.save_training(
        checkpoint_of_other,
        other,
        torch.optim.Adam(other.parameters()),
        RECIPE,
        step=0,
        planned=RECIPE.steps,
        earlier=[],
    )
    with pytest.raises(SettingsError, match="not a training of a painter"):
        export_painter(checkpoint_of_other, weights)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"size": 63}, {"batch": 0}])
def test_a_recipe_that_cannot_be(wrong):
    with pytest.raises(SettingsError, match="expected at least one step"):
        replace(RECIPE, **wrong)


def folders(parent: Path) -> None:
    draw = torch.Generator().manual_seed(0)
    for kind in ("photos", "paintings"):
        (parent / kind).mkdir()
        write(parent / kind / "a.png", Picture(torch.rand(3, 70, 70, generator=draw)))


@pytest.mark.parametrize(
    ("backbone", "content"),
    [("swag/vgg16-distilled", ("relu3_1", "relu4_2")), ("swag/vgg", ("stage1", "stage2"))],
)
def test_no_crop_is_kept_at_the_largest_layer_of_a_student(
    backbone, content, tmp_path, monkeypatch
):
    folders(tmp_path)
    networks = []

    def train(network, *_, **__):
        networks.append(network)
        return iter(())

    monkeypatch.setattr(command, "train_painter", train)
    sources = (tmp_path / kind for kind in ("photos", "paintings"))
    train_on(*sources, out=tmp_path / "c.pt", recipe=RECIPE, backbone=backbone)
    assert networks[0].content_layers == content


def test_the_command_trains_and_writes_weights(tmp_path):
    folders(tmp_path)
    words = ["train-painter", *(str(tmp_path / k) for k in ("photos", "paintings", "out.pt"))]
    more = ["--steps", "1", "--size", "64"]
    ended = CliRunner().invoke(app, [*words, *more])
    assert ended.exit_code == 0, ended.output
    assert painter_from((tmp_path / "out.safetensors").read_bytes())
    small = CliRunner().invoke(app, [*words[:-1], str(tmp_path / "b.pt"), "--size", "128"])
    assert small.exit_code == 1 and "none of 1 pictures is at least 128 pixels" in small.output


def test_pictures_that_are_not_there(tmp_path):
    with pytest.raises(ImageError, match="no such file or folder"):
        train_on(tmp_path / "a", tmp_path / "b", tmp_path / "c.pt", recipe=RECIPE)
