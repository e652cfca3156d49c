"""Distillation: coordinates, what is shown, that it learns, and that it goes on to the bit."""

import io
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from typer.testing import CliRunner

import swag
from swag.backbones import bundled
from swag.backbones.distilled import (
    VGG16,
    DistilledArchitecture,
    DistilledNetwork,
    Tap,
    folded_student,
)
from swag.backbones.family import macs_of
from swag.cli import app
from swag.errors import ImageError, SettingsError, WeightsError
from swag_lab.training import checkpoint
from swag_lab.training.data import load_pictures
from swag_lab.training.distillation.command import (
    Teacher,
    architecture_for,
    distill_backbones,
    split,
)
from swag_lab.training.distillation.coordinates import (
    ActivationMoments,
    mean_and_covariance,
    principal_coordinates,
)
from swag_lab.training.distillation.crops import crop, crops_of
from swag_lab.training.distillation.loop import distill
from swag_lab.training.distillation.recipe import DistillationRecipe, continued_distillation
from swag_lab.training.distillation.report import as_markdown, report
from swag_lab.training.distillation.restyle import restyle_stages
from swag_lab.training.distillation.students import Distillation, load_students
from swag_lab.training.loop import Cadence

LAYERS = ("1", "4")
TINY = DistilledArchitecture(
    widths=(6, 8, 8),
    depths=(1, 2, 1),
    taps=(Tap("1", block=1, depth=1, coordinates=4), Tap("4", block=2, depth=2, coordinates=6)),
)
RECIPE = DistillationRecipe(
    steps=30,
    pixels=4 * 32**2,
    sizes=(32, 48),
    warmup=2,
    axes_batches=2,
    restyle_every=6,
    restyle_steps=8,
    pool=20,
)
OFTEN = Cadence(log=5, save=4)


def teacher(seed: int = 0) -> swag.backbones.Backbone:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = nn.Sequential(
            nn.Conv2d(3, 8, 3, 1, 1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 12, 3, 1, 1),
            nn.ReLU(),
        )
    return swag.backbones.create(module, style_layers=LAYERS, content_layers=LAYERS[1:])


def noise(count: int, seed: int) -> list[Tensor]:
    """Colored noise of several coarsenesses."""
    generator = torch.Generator().manual_seed(seed)
    pictures = []
    for i in range(count):
        coarse = torch.rand(1, 3, 8 + i, 9 + i, generator=generator)
        fine = nn.functional.interpolate(coarse, (64, 70), mode="bilinear")[0]
        pictures.append((fine * 255).byte())
    return pictures


SOURCES = {"photos": noise(6, 1), "paintings": noise(4, 2)}


def distilled(out: Path, recipe: DistillationRecipe = RECIPE, students=None) -> list:
    students = students or {"plain": TINY, "twin": replace(TINY, shortcuts=True)}
    return list(distill(teacher(), students, recipe, SOURCES, out=out, cadence=OFTEN))


def moments_of(*maps: Tensor) -> ActivationMoments:
    moments = ActivationMoments()
    for each in maps:
        moments.add(each)
    return moments


# Principal coordinates


def test_principal_coordinates_are_those_of_numpy():
    maps = [torch.randn(2, 5, 6, 7), torch.randn(3, 5, 4, 4) * 2 + 1]
    found = principal_coordinates(moments_of(*maps), 3)
    rows = np.concatenate([m.double().numpy().transpose(0, 2, 3, 1).reshape(-1, 5) for m in maps])
    mean = rows.mean(0)
    _, singular, axes = np.linalg.svd(rows - mean, full_matrices=False)
    share = singular**2 / (singular**2).sum()
    np.testing.assert_allclose(found.mean, mean, rtol=1e-5)
    np.testing.assert_allclose(found.explained, share[:3], rtol=1e-5)
    np.testing.assert_allclose(found.total, rows.var(0).sum(), rtol=1e-5)
    expected = (maps[0].numpy().transpose(0, 2, 3, 1) - mean) @ axes[:3].T
    expected = expected.transpose(0, 3, 1, 2) / np.sqrt(rows.var(0).sum())
    signs = np.sign((expected * found.of(maps[0]).numpy()).sum((0, 2, 3)))
    np.testing.assert_allclose(found.of(maps[0]), expected * signs[:, None, None], atol=1e-5)


def test_all_coordinates_keep_distances_covariances_and_the_activations_themselves():
    maps = torch.randn(2, 5, 6, 7)
    found = principal_coordinates(moments_of(maps), 5)
    coordinates = found.of(maps)
    torch.testing.assert_close(found.activations(coordinates), maps, atol=1e-5, rtol=1e-5)
    apart = (maps[0] - maps[1]).square().sum() / found.total
    torch.testing.assert_close((coordinates[0] - coordinates[1]).square().sum(), apart)
    _, covariance = mean_and_covariance(maps)
    _, theirs = mean_and_covariance(coordinates)
    norms = covariance.flatten(1).norm(dim=1) / found.total
    torch.testing.assert_close(theirs.flatten(1).norm(dim=1), norms)


@pytest.mark.parametrize(("share", "count"), [(0.5, 1), (0.8, 2), (0.95, 3), (1.0, 3)])
def test_a_share_keeps_as_few_axes_as_explain_it(share, count):
    axes = torch.diag(torch.tensor([7.0, 2.0, 1.0]).sqrt())
    maps = torch.cat([axes, -axes]).T[None, :, None]  # variances 7 : 2 : 1
    assert len(principal_coordinates(moments_of(maps), share).axes) == count


def test_mean_and_covariance_are_those_of_numpy():
    maps = torch.randn(2, 4, 5, 6, dtype=torch.float64)
    mean, covariance = mean_and_covariance(maps)
    for i in range(2):
        rows = maps[i].flatten(1).numpy()
        np.testing.assert_allclose(mean[i], rows.mean(1))
        np.testing.assert_allclose(covariance[i], np.cov(rows, bias=True))


# What is shown


def test_what_a_step_is_shown_depends_on_seed_and_step_alone():
    forward = [crops_of(RECIPE, SOURCES, (), step) for step in range(6)]
    torch.manual_seed(7)
    for step in reversed(range(6)):
        assert torch.equal(crops_of(RECIPE, SOURCES, (), step), forward[step])
    assert not torch.equal(crops_of(replace(RECIPE, seed=1), SOURCES, (), 0), forward[0])
    assert [tuple(batch.shape) for batch in forward[:2]] == [(4, 3, 32, 32), (1, 3, 48, 48)]
    assert all(0 <= batch.min() and batch.max() <= 1 for batch in forward)


def test_stylized_pictures_get_their_share():
    white = [torch.full((3, 48, 48), 255, dtype=torch.uint8)]
    black = {"black": [torch.zeros(3, 64, 64, dtype=torch.uint8)]}
    recipe = replace(RECIPE, pixels=400 * 32**2, sizes=(32,), stylized=0.25)
    shares = [
        float((crops_of(recipe, black, white, step).mean((1, 2, 3)) > 0.5).float().mean())
        for step in range(8)
    ]
    assert 0.1 < sum(shares) / 8 < 0.4
    assert crops_of(recipe, black, (), 3).mean() < 0.2


@pytest.mark.parametrize("scale", [0.25, 1.0, 3.0])
def test_a_crop_has_its_size_at_any_scale(scale):
    picture = noise(1, 5)[0]
    generator = torch.Generator().manual_seed(0)
    assert crop(picture, 32, scale, generator).shape == (3, 32, 32)
    assert crop(picture[:, :9, :11], 32, scale, generator).shape == (3, 32, 32)


def test_a_crop_at_full_scale_is_a_part_of_the_picture():
    picture = noise(1, 6)[0]
    found = crop(picture, 32, 1.0, torch.Generator().manual_seed(1)).mul(255).round().byte()
    places = [
        (y, x)
        for y in range(33)
        for x in range(39)
        if torch.equal(picture[:, y : y + 32, x : x + 32], found)
    ]
    assert len(places) == 1


def test_pictures_come_from_packed_files_and_from_folders(tmp_path):
    encoded = []
    for i, picture in enumerate(noise(3, 3)):
        image = Image.fromarray(picture.permute(1, 2, 0).numpy())
        file = io.BytesIO()
        image.save(file, "PNG")
        encoded.append(file.getvalue())
        (tmp_path / "deep" / "er").mkdir(parents=True, exist_ok=True)
        image.save(tmp_path / "deep" / "er" / f"{i}.png")
    offsets = np.cumsum([0, *map(len, encoded)])
    data = np.frombuffer(b"".join(encoded), np.uint8)
    np.savez(tmp_path / "packed.npz", data=data, offsets=offsets)
    found = load_pictures(tmp_path)
    assert set(found) == {"packed", tmp_path.name}
    for source in found.values():
        for picture, expected in zip(source, noise(3, 3), strict=True):
            assert torch.equal(picture, expected)
    assert list(load_pictures(tmp_path / "packed.npz")) == ["packed"]
    with pytest.raises(ImageError, match="no such file or folder"):
        load_pictures(tmp_path / "nothing")
    with pytest.raises(ImageError, match="no pictures"):
        (tmp_path / "empty").mkdir()
        load_pictures(tmp_path / "empty")


def test_held_out_pictures_are_not_shown():
    sources = {"many": noise(45, 1), "one": noise(1, 2)}
    shown, held_out = split(sources)
    assert (len(shown["many"]), len(held_out["many"])) == (42, 3)
    assert not {id(p) for p in shown["many"]} & {id(p) for p in held_out["many"]}
    assert len(shown["one"]) == len(held_out["one"]) == 1


@pytest.mark.parametrize(
    "wrong",
    [{"steps": 0}, {"peak_rate": 0.0}, {"sizes": ()}, {"sizes": (512,)}, {"smallest_scale": 2.0}],
)
def test_a_recipe_that_cannot_be_is_refused(wrong):
    with pytest.raises(SettingsError):
        DistillationRecipe(**wrong)


def test_the_rate_rises_and_falls_to_zero():
    recipe = DistillationRecipe(steps=1000, warmup=100, peak_rate=1.0)
    rates = [recipe.rate(step) for step in range(1000)]
    assert rates[0] == pytest.approx(0.01)
    assert rates.index(max(rates)) in range(90, 110)
    assert rates[-1] < 1e-4


# Training


def test_a_distillation_that_stopped_ends_as_one_that_never_did(tmp_path):
    whole, parts = tmp_path / "whole.pt", tmp_path / "parts.pt"
    distilled(whole)
    students = {"plain": TINY, "twin": replace(TINY, shortcuts=True)}
    for line in distill(teacher(), students, RECIPE, SOURCES, out=parts, cadence=OFTEN):
        if line.step >= 15:  # a checkpoint was written at step 12; step 12 also restyles
            break
    assert checkpoint.load_training(parts)["step"] == 12
    torch.rand(5)  # the caller's random numbers have no part in it
    distilled(parts)
    expected, found = checkpoint.load_training(whole), checkpoint.load_training(parts)
    assert found["step"] == expected["step"] == RECIPE.steps
    assert int(expected["model"]["filled"]) > 0
    for name, value in expected["model"].items():
        assert torch.equal(found["model"][name], value), name


def test_a_student_learns_and_logs_it(tmp_path):
    lines = distilled(tmp_path / "a.pt", replace(RECIPE, steps=150, peak_rate=1e-2))
    first, last = lines[0].unexplained, lines[-1].unexplained
    for student in ("plain", "twin"):
        for layer in LAYERS:
            assert last[student][layer] < 0.6 * first[student][layer]
    log = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log] == [line.step for line in lines]
    assert "unexplained 0." in lines[-1].summary


def test_a_heavier_tap_is_learned_better_at_the_cost_of_the_other(tmp_path):
    heavier = replace(TINY, taps=(TINY.taps[0], replace(TINY.taps[1], weight=20.0)))
    recipe = replace(RECIPE, steps=100, peak_rate=1e-2)
    lines = distilled(tmp_path / "a.pt", recipe, {"equal": TINY, "heavier": heavier})
    found = lines[-1].unexplained
    assert found["heavier"]["4"] < 0.97 * found["equal"]["4"]
    assert found["heavier"]["1"] > 1.03 * found["equal"]["1"]


def test_a_checkpoint_goes_on_with_the_same_students_teacher_and_recipe_alone(tmp_path):
    out = tmp_path / "a.pt"
    distilled(out)
    with pytest.raises(WeightsError, match="steps"):
        distilled(out, replace(RECIPE, steps=31))
    with pytest.raises(WeightsError, match="students"):
        distilled(out, students={"plain": TINY})
    with pytest.raises(WeightsError, match="fingerprint"):
        list(distill(teacher(1), {"plain": TINY}, RECIPE, SOURCES, out=out))


def test_a_finished_distillation_is_what_another_begins_with(tmp_path):
    first, second, parts = (tmp_path / f"{name}.pt" for name in ("first", "second", "parts"))
    distilled(first)
    students = {"plain": TINY, "twin": replace(TINY, shortcuts=True)}
    more = continued_distillation(replace(RECIPE, seed=1))
    before, after = (
        list(distill(teacher(), students, more, SOURCES, out=out, start=start, cadence=OFTEN))
        for out, start in ((tmp_path / "fresh.pt", None), (second, first))
    )
    assert after[0].unexplained["plain"]["1"] < before[0].unexplained["plain"]["1"]
    begun, ended = checkpoint.load_training(first), checkpoint.load_training(second)
    for part in ("mean", "axes", "total"):
        name = f"{part}_of_1"
        assert torch.equal(begun["model"][name], ended["model"][name])
    assert [one["steps"] for one in checkpoint.trainings(ended)] == [30, 30]
    # It goes on from its own checkpoint, whatever it began with.
    for line in distill(teacher(), students, more, SOURCES, out=parts, start=first, cadence=OFTEN):
        if line.step >= 15:
            break
    list(distill(teacher(), students, more, SOURCES, out=parts, cadence=OFTEN))
    for name, value in ended["model"].items():
        assert torch.equal(checkpoint.load_training(parts)["model"][name], value), name
    with pytest.raises(WeightsError, match="the same teacher"):
        list(distill(teacher(1), students, more, SOURCES, out=tmp_path / "x.pt", start=first))


def test_students_of_one_training_predict_the_same(tmp_path):
    other = replace(TINY, taps=TINY.taps[:1])
    with pytest.raises(SettingsError, match="the same layers"):
        distilled(tmp_path / "a.pt", students={"plain": TINY, "other": other})


def test_pictures_are_moved_towards_the_statistics_of_the_next(tmp_path):
    distilled(tmp_path / "a.pt", replace(RECIPE, steps=60, peak_rate=1e-2, stylized=0.0))
    model, _ = load_students(tmp_path / "a.pt")
    student, prepare = model.student("plain"), teacher().prepare
    pictures = crops_of(replace(RECIPE, sizes=(32,)), SOURCES, (), 0)
    stages = restyle_stages(student, prepare, pictures, steps=16)

    def apart(images: Tensor) -> float:
        total = 0.0
        for tap, target in zip(
            student(prepare(images)), student(prepare(pictures.roll(1, 0))), strict=True
        ):
            _, covariance = mean_and_covariance(tap)
            _, wanted = mean_and_covariance(target)
            total += float((covariance - wanted).norm() / wanted.norm())
        return total

    assert len(stages) == 4
    assert all(0 <= stage.min() and stage.max() <= 1 for stage in stages)
    with torch.no_grad():
        assert apart(stages[-1]) < 0.7 * apart(pictures)


SMALL_POOL = {"pool": 3, "sizes": (4,), "seed": 0}


def test_the_pool_forgets_the_oldest():
    axes = principal_coordinates(moments_of(torch.randn(1, 8, 9, 9)), 4)
    model = Distillation({"a": TINY}, {"1": axes, "4": axes}, SMALL_POOL)
    for i in range(5):
        model.add_to_pool(torch.full((1, 3, 4, 4), i / 255))
    assert sorted(int(picture.max()) for picture in model.stylized) == [2, 3, 4]


# Errors


def test_the_report_is_zero_for_a_student_that_knows_everything(tmp_path, monkeypatch):
    distilled(
        tmp_path / "a.pt",
        students={
            "plain": replace(
                TINY,
                taps=(
                    Tap("1", block=1, depth=1, coordinates=8),
                    Tap("4", block=2, depth=2, coordinates=12),
                ),
            )
        },
    )
    model, _ = load_students(tmp_path / "a.pt")
    network = teacher()

    def knows(inputs: Tensor) -> list[Tensor]:
        images = network.normalize.std * inputs + network.normalize.mean
        maps = network.extract(images, LAYERS)
        return [model.coordinates(layer).of(maps[layer]) for layer in LAYERS]

    monkeypatch.setattr(model.student("plain"), "forward", knows)
    for line in report(network, model, SOURCES):
        for error in (line.left_out, line.unexplained, line.mean, line.covariance, line.gram):
            assert abs(error) < 1e-3, line


def test_the_report_of_a_real_student_agrees_with_numpy(tmp_path):
    distilled(tmp_path / "a.pt", students={"plain": TINY})
    model, state = load_students(tmp_path / "a.pt")
    network, picture = teacher(), SOURCES["photos"][0]
    lines = report(network, model, {"one": [picture]})
    line = next(line for line in lines if line.layer == "4")
    image = picture[None].float() / 255
    with torch.no_grad():
        maps = network.extract(image, ["4"])["4"].double().numpy()[0].reshape(12, -1)
        tap = model.student("plain")(network.prepare(image))[1].double().numpy()[0]
    held = {k: v.double().numpy() for k, v in state["model"].items() if k.endswith("_of_4")}
    axes, mean, total = held["axes_of_4"], held["mean_of_4"][:, None], held["total_of_4"]
    tap = tap[:, : image.shape[2] // 2, : image.shape[3] // 2].reshape(6, -1)
    wanted = axes @ (maps - mean) / np.sqrt(total)
    assert line.unexplained == pytest.approx(((tap - wanted) ** 2).sum(0).mean(), rel=1e-4)
    assert line.left_out == pytest.approx(1 - held["explained_of_4"].sum(), abs=1e-6)
    stands_for = axes.T @ tap * np.sqrt(total) + mean
    for name, statistic in {
        "mean": lambda f: f.mean(1),
        "covariance": lambda f: np.cov(f, bias=True),
        "gram": lambda f: f @ f.T / f.shape[1],
    }.items():
        error = np.linalg.norm(statistic(stands_for) - statistic(maps))
        expected = error / np.linalg.norm(statistic(maps))
        assert getattr(line, name) == pytest.approx(expected, rel=1e-3), name
    assert "| plain | one | 4 |" in as_markdown(lines)


# Networks


@pytest.mark.parametrize("shortcuts", [False, True])
def test_batch_norm_moves_into_the_convolutions(shortcuts):
    network = DistilledNetwork(replace(TINY, shortcuts=shortcuts))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.normal_(module.bias)
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    x = torch.randn(1, 3, 21, 30, dtype=torch.float64)
    expected = network.double().eval()(x)
    without = folded_student(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in without.modules())
    for a, b in zip(without(x), expected, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("kind", ["max", "average", "blur"])
def test_odd_sides_are_rounded_up_so_that_every_pixel_is_read(kind):
    network = DistilledNetwork(replace(TINY, pooling=kind)).eval()
    x = torch.randn(1, 3, 21, 30, requires_grad=True)
    deepest = network(x)[1]
    assert deepest.shape[-2:] == (11, 15)
    (gradient,) = torch.autograd.grad(deepest[:, :, -1].square().sum(), x)
    assert gradient[:, :, -1].abs().sum() > 0


def test_a_constant_picture_stays_constant_under_blur_pooling():
    network = DistilledNetwork(replace(TINY, pooling="blur"))
    pool = network.get_submodule("block2.pool")
    torch.testing.assert_close(pool(torch.full((1, 2, 9, 7), 3.0)), torch.full((1, 2, 5, 4), 3.0))


def test_the_student_of_vgg16_has_an_eighth_of_its_arithmetic():
    with torch.device("meta"):
        student = macs_of(DistilledNetwork(VGG16), side=64)
        vgg = macs_of(swag_vgg16(), side=64)
    assert student <= vgg / 8


def swag_vgg16() -> nn.Module:
    """VGG-16 (Simonyan and Zisserman 2014) up to relu5_1."""
    layers: list[nn.Module] = []
    inputs = 3
    for width, depth in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 1)):
        for _ in range(depth):
            layers += [nn.Conv2d(inputs, width, 3, 1, 1), nn.ReLU()]
            inputs = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


def test_a_student_for_any_layers_of_any_teacher(tmp_path):
    chosen = Teacher("tiny", layers=("0", "1", "4"), explained=0.8)
    architecture = architecture_for(teacher(), chosen, RECIPE, SOURCES)
    assert [(tap.layer, tap.block, tap.depth) for tap in architecture.taps] == [
        ("0", 1, 1),
        ("1", 1, 2),
        ("4", 2, 1),
    ]
    assert all(1 <= tap.coordinates <= 12 for tap in architecture.taps)
    lines = distilled(tmp_path / "a.pt", students={"any": architecture})
    assert set(lines[-1].unexplained["any"]) == {"0", "1", "4"}


def test_a_student_without_layers_is_refused(tmp_path):
    with pytest.raises(SettingsError, match=r"thin: not a distilled network.*--layers"):
        save_pictures(tmp_path)
        distill_backbones(("thin",), tmp_path, tmp_path / "a.pt", teacher=Teacher("swag/resnet"))


# The command


def save_pictures(folder: Path) -> None:
    for i, picture in enumerate(noise(3, 3)):
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(folder / f"{i}.png")


def test_students_without_a_name_and_shares_out_of_range_are_refused(tmp_path):
    save_pictures(tmp_path)
    taught_by = Teacher("swag/resnet", layers=("stem",))
    for names in (("",), ("a.b",)):
        with pytest.raises(SettingsError, match="expected names of students"):
            distill_backbones(names, tmp_path, tmp_path / "a.pt", teacher=taught_by)
    with pytest.raises(SettingsError, match=r"cannot end in \.jsonl"):
        distill_backbones(("a",), tmp_path, tmp_path / "a.jsonl", teacher=taught_by)
    for share in (0.0, 1.5, math.nan):
        with pytest.raises(SettingsError, match="expected a share"):
            Teacher("swag/resnet", explained=share)


def test_the_command_distills_and_ends_with_a_table(tmp_path):
    data = tmp_path / "pictures"
    data.mkdir()
    save_pictures(data)
    words = ["train-backbone", "thin", data, tmp_path / "thin.pt", "--teacher", "swag/resnet"]
    words += ["--layers", "stem,stage1", "--steps", 2, "--explained", 0.7]
    result = CliRunner().invoke(app, [*map(str, words)])
    assert result.exit_code == 0, result.output
    assert "| thin | pictures | stage1 |" in result.stdout
    assert result.stdout.splitlines()[-1] == str(tmp_path / "thin.pt")
    errors = json.loads((tmp_path / "thin.report.json").read_text())
    assert {line["layer"] for line in errors} == {"stem", "stage1"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--epochs", "2", "--teacher", "swag/resnet"], "--epochs"),
        (["--layers", "stem"], "--layers"),
        (["--steps", "5"], "--steps"),
    ],
)
def test_options_of_the_other_kind_of_training_are_refused(words, said, tmp_path):
    result = CliRunner().invoke(
        app, ["train-backbone", "resnet", str(tmp_path), str(tmp_path / "a.pt"), *words]
    )
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert said in line


def test_names_of_students_lead_to_their_layers():
    for name in bundled.STUDENTS:
        style, content = bundled.layers(name)
        taps = {tap.name for tap in bundled.STUDENTS[name].taps}
        assert {*style, *content} <= taps
