"""Training of a network of one painting: an optimization's loss, and it goes on to the bit."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import swag
from swag.config import settings
from swag.errors import SettingsError, WeightsError
from swag.image import Picture, read, write
from swag.instant import read_style
from swag.objective import Objective
from swag.run.terms import content_terms, style_regions, style_terms
from swag_lab.cli.train_style import train_style as command
from swag_lab.training import checkpoint
from swag_lab.training.style import loss
from swag_lab.training.style.command import checkpoint_of, train_style_on
from swag_lab.training.style.loop import StyleCadence
from swag_lab.training.style.loss import StyleObjective
from swag_lab.training.style.recipe import StyleRecipe

RECIPE = StyleRecipe(steps=4, batch=2, size=64, crops=3, warmup=1)
EACH = StyleCadence(log=1, seconds=0)
CHOSEN = settings("default", size=72)


@pytest.fixture
def place(tmp_path):
    draw = torch.Generator().manual_seed(0)
    (tmp_path / "photos").mkdir()
    for name in ("a", "b"):
        write(tmp_path / "photos" / f"{name}.png", Picture(torch.rand(3, 66, 70, generator=draw)))
    write(tmp_path / "painting.png", Picture(torch.rand(3, 60, 72, generator=draw).square()))
    return tmp_path


def test_a_painting_that_cannot_be_seen_is_refused(place):
    write(place / "painting.png", Picture(torch.ones(3, 60, 72), torch.zeros(1, 60, 72)))
    with pytest.raises(SettingsError, match="style is transparent everywhere"):
        training(place, "new/s.safetensors")
    assert not (place / "new").exists()
    checkpoint = place / "s.safetensors.ckpt"
    checkpoint.write_bytes(b"of an earlier training")
    with pytest.raises(SettingsError, match="style is transparent everywhere"):
        training(place, "s.safetensors", overwrite=True)
    assert checkpoint.exists()


def training(place, out, recipe=RECIPE, chosen=CHOSEN, **more):
    return train_style_on(
        place / "painting.png",
        [place / "photos"],
        place / out,
        settings=chosen,
        recipe=recipe,
        cadence=EACH,
        **more,
    )


@pytest.mark.slow
def test_a_training_that_was_stopped_ends_with_the_same_bits(place):
    lines = list(training(place, "whole.safetensors"))
    assert [line.step for line in lines] == [1, 2, 3, 4]
    stopped = list(training(place, "parts.safetensors", should_stop=lambda: True))
    assert [line.step for line in stopped] == [1]
    kept = checkpoint_of(place / "parts.safetensors")
    assert checkpoint.load_training(kept)["step"] == 1
    assert read_style(place / "parts.safetensors").card["steps"] == 1  # whole, and can be used
    assert len(list(training(place, "parts.safetensors"))) == 3
    files = [(place / f"{name}.safetensors").read_bytes() for name in ("whole", "parts")]
    assert files[0] == files[1] and not kept.exists()
    assert len((place / "parts.jsonl").read_text().splitlines()) == 4
    assert read(place / "parts.png").size[1] > 64
    with pytest.raises(SettingsError, match="--overwrite"):
        training(place, "parts.safetensors")


def test_a_style_says_what_it_is_and_no_path(place):
    chosen = CHOSEN.model_copy(update={"strength": 0.7})
    list(training(place, "s.safetensors", replace(RECIPE, steps=1), chosen))
    card = read_style(place / "s.safetensors").card
    assert card["settings"]["strength"] == 0.7 and card["recipe"]["steps"] == 1
    assert str(place) not in json.dumps(card)


def test_another_recipe_or_painting_is_refused(place):
    list(training(place, "s.safetensors", should_stop=lambda: True))
    with pytest.raises(WeightsError, match=r"different: batch\)"):
        list(training(place, "s.safetensors", replace(RECIPE, batch=1)))
    write(place / "painting.png", Picture(torch.zeros(3, 60, 72)), overwrite=True)
    with pytest.raises(WeightsError, match=r"different: painting\)"):
        list(training(place, "s.safetensors"))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"strength": 0.8, "style_loss": "gram", "smoothing": "softmax:temperature=auto"},
        {"palette": 0.3, "style_rotations": True, "laplacian": 0.2, "total_variation": 3},
        {"content_layers": {"conv3_1": 1.0}, "balance": 3},
    ],
)
def test_the_loss_is_that_of_an_optimization(changes, monkeypatch):
    monkeypatch.setattr(loss, "SMALLEST_SPAN", 1e-6)  # noise is like other noise
    draw = torch.Generator().manual_seed(1)
    chosen = settings("default", **changes)
    network = swag.backbones.create(chosen.backbone, edits=chosen.edits)
    if chosen.content_layers is not None:
        layer = network.content_layers[0]
        chosen = chosen.model_copy(update={"content_layers": {layer: 1.0}})
    painting, *photos = (torch.rand(1, 3, 64, 64, generator=draw) ** k for k in (3, 1, 0.5))
    batch = torch.cat(photos)
    painted = torch.lerp(batch, painting, 0.3).flip(3)
    objective = StyleObjective(chosen, network, Picture(painting[0]), size=64)
    found = objective(painted, objective.content_maps(batch), objective.style_spans(batch))
    for i, photo in enumerate(photos):
        regions = style_regions(chosen, 1, None, [])
        terms = style_terms(chosen, network, [painting], regions, unit_image=photo)
        terms += content_terms(chosen, network, photo, painting, mask=None)
        penalties = {n: getattr(chosen, n) for n in ("total_variation", "pixel_range")}
        expected = Objective.of(
            network.extract, terms, start=photo, style=painting, penalties=penalties
        )(painted[i : i + 1])
        style = sum(float(v) for n, v in expected.items() if n in ("style", "palette"))
        content = sum(float(v) for n, v in expected.items() if n in ("content", "laplacian"))
        assert float(found.style[i]) == pytest.approx(style, rel=1e-3)
        assert float(found.content[i]) == pytest.approx(content, rel=1e-3)
        assert float(found.total[i]) == pytest.approx(sum(map(float, expected.values())), rel=1e-3)


@pytest.mark.slow
def test_the_errors_fall(place):
    lines = list(training(place, "s.safetensors", replace(RECIPE, steps=28, crops=1)))
    assert lines[-1].style < 0.7 * lines[0].style


def test_what_cannot_be_trained_on(place):
    with pytest.raises(SettingsError, match="none of 2 pictures is at least 128"):
        training(place, "s.safetensors", replace(RECIPE, size=128))
    with pytest.raises(SettingsError, match=r"ends in \.safetensors"):
        training(place, "s.pt")
    with pytest.raises(SettingsError, match="shares of the span"):
        training(place, "s.safetensors", chosen=settings("default", normalization="target"))
    with pytest.raises(SettingsError, match="at least one step"):
        replace(RECIPE, steps=0)


def test_the_command(place, monkeypatch):
    import typer

    program = typer.Typer()
    program.command()(command)
    monkeypatch.chdir(place)
    words = ["painting.png", "photos", "-o", "s.safetensors", "--steps", "1", "--crop", "64"]
    ended = CliRunner().invoke(program, [*words, "--batch", "1", "--size", "72", "-q"])
    assert ended.exit_code == 0, ended.output
    assert swag.apply_style(Path("s.safetensors"), Path("photos/a.png")).size == (70, 66)
