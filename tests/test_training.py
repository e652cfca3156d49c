"""Training: what is shown when, from which files, and that it goes on as if it had not stopped."""

import io
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from swag.backbones import bundled
from swag.backbones.family import Architecture, ThinNetwork, folded
from swag.errors import BackboneError, ImageError, SettingsError, WeightsError
from swag_lab.training import checkpoint
from swag_lab.training.batches import batch_of, batches
from swag_lab.training.command import find, train_backbone
from swag_lab.training.data import (
    PictureSource,
    as_images,
    center,
    load_pictures,
    load_source,
    random_crop,
)
from swag_lab.training.export import export, main
from swag_lab.training.loop import Cadence, Classifier, accuracy, train
from swag_lab.training.recipe import RECIPES, Recipe, continued, indices
from swag_lab.training.start import unfold

TINY = Architecture(widths=(4, 8), depths=(1, 1), stem=3)
RECIPE = Recipe(
    epochs=4, batch=8, peak_rate=0.05, smallest=16, largest=24, detail_size=24, detail_batch=4
)
OFTEN = Cadence(log=2, measure=4, save=3)


def noise(count: int, classes: int, seed: int = 0, side: int = 20) -> PictureSource:
    """Colored noise: the mean color tells the class."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % classes
    pictures = [
        (torch.rand(3, side, side + 2, generator=generator) * 120 + 120 * label / classes).byte()
        for label in labels
    ]
    return PictureSource(pictures, labels, classes)


SOURCES = {"main": noise(24, 3), "detail": noise(6, 2, seed=1), "more": noise(5, 5, seed=2)}


def trained(out: Path, recipe: Recipe = RECIPE, **options) -> list:
    options = {"cadence": OFTEN} | options
    return list(train(TINY, recipe, SOURCES, out=out, **options))


def test_a_training_that_stopped_ends_as_one_that_never_did(tmp_path):
    whole, parts = tmp_path / "whole.pt", tmp_path / "parts.pt"
    trained(whole)
    for progress in train(TINY, RECIPE, SOURCES, out=parts, cadence=OFTEN):
        if progress.step >= 8:  # a checkpoint was written at step 6
            break
    assert checkpoint.load_training(parts)["step"] == 6
    torch.rand(5)  # the caller's random numbers have no part in it
    trained(parts)
    expected, found = checkpoint.load_training(whole), checkpoint.load_training(parts)
    assert found["step"] == expected["step"] == RECIPE.steps(24)
    for name, value in expected["model"].items():
        assert torch.equal(found["model"][name], value), name
    momenta = [each["optimizer"]["state"] for each in (expected, found)]
    for key, value in momenta[0].items():
        assert torch.equal(momenta[1][key]["momentum_buffer"], value["momentum_buffer"])


def test_a_finished_training_has_nothing_left_to_do(tmp_path):
    trained(tmp_path / "a.pt")
    before = (tmp_path / "a.pt").read_bytes()
    assert trained(tmp_path / "a.pt") == []
    assert (tmp_path / "a.pt").read_bytes() == before


def test_a_training_learns_and_logs_it(tmp_path):
    recipe = replace(RECIPE, epochs=20, label_smoothing=0.0, detail_from=1.0)
    steps = trained(tmp_path / "a.pt", recipe, validation=noise(12, 3, seed=9))
    assert steps[-1].loss < 0.6 * steps[0].loss
    assert steps[-1].top1 is not None and steps[-1].top1 > 0.6
    log = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log] == [step.step for step in steps]
    assert [line["top1"] is not None for line in log] == [
        line["step"] % 4 == 0 or line["step"] == line["steps"] for line in log
    ]


def test_what_a_step_is_shown_depends_on_seed_and_step_alone():
    steps = RECIPE.steps(24)
    forward = [batch_of(RECIPE, SOURCES, step, steps) for step in range(steps)]
    torch.manual_seed(99)
    for step in reversed(range(steps)):
        again = batch_of(RECIPE, SOURCES, step, steps)
        assert torch.equal(again[0], forward[step][0])
        assert torch.equal(again[1], forward[step][1])
        assert again[2] == forward[step][2]
    other = batch_of(replace(RECIPE, seed=1), SOURCES, 0, steps)
    assert not torch.equal(other[0], forward[0][0])
    assert not torch.equal(forward[0][0], forward[1][0])


def test_batches_made_ahead_are_the_same_in_the_same_order():
    steps = RECIPE.steps(24)
    plain = list(batches(RECIPE, SOURCES, 3, steps))
    ahead = list(batches(RECIPE, SOURCES, 3, steps, workers=2))
    assert len(plain) == len(ahead) == steps - 3
    for a, b in zip(plain, ahead, strict=True):
        assert torch.equal(a[0], b[0]) and torch.equal(a[1], b[1]) and a[2] == b[2]


def test_late_steps_take_turns_among_the_detail_sources():
    recipe = replace(RECIPE, detail_from=0.5, detail_every=2)
    names = [batch_of(recipe, SOURCES, step, 16)[2] for step in range(16)]
    assert names[:8] == ["main"] * 8
    assert names[8:] == ["detail", "main", "more", "main"] * 2
    assert {batch_of(recipe, {"main": SOURCES["main"]}, s, 16)[2] for s in range(16)} == {"main"}


def test_the_rate_rises_in_a_line_and_falls_as_half_a_cosine():
    recipe = Recipe(peak_rate=0.2, warmup=0.25)
    assert recipe.rate(10, 100) == pytest.approx(0.2 * 10 / 25)
    assert recipe.rate(25, 100) == pytest.approx(0.2)
    middle = 25 + 75 // 3
    assert recipe.rate(middle, 100) == pytest.approx(0.1 * (1 + math.cos(math.pi / 3)))
    assert 0 < recipe.rate(0, 100) < recipe.rate(2, 100)
    assert 0 < recipe.rate(99, 100) < 1e-3


def test_crops_grow_in_equal_stretches_by_eight_pixels():
    recipe = Recipe(smallest=32, largest=64)
    sizes = [recipe.size(step, 100) for step in range(100)]
    assert {size: sizes.count(size) for size in sizes} == dict.fromkeys((32, 40, 48, 56, 64), 20)
    assert sizes == sorted(sizes)


def test_a_pass_shows_every_picture_once():
    shown = torch.cat([indices(12, 4, step, seed=5) for step in range(3)])
    following = torch.cat([indices(12, 4, step, seed=5) for step in range(3, 6)])
    assert sorted(shown.tolist()) == sorted(following.tolist()) == list(range(12))
    assert shown.tolist() != following.tolist()


def test_epochs_are_passes_over_the_main_pictures():
    assert Recipe(epochs=3, batch=10).steps(100) == 30
    cpu, gpu = RECIPES["cpu"], RECIPES["gpu"]
    assert gpu.peak_rate / gpu.batch == pytest.approx(cpu.peak_rate / cpu.batch)
    assert continued(cpu).peak_rate < cpu.peak_rate


@pytest.mark.parametrize(
    "wrong",
    [*({"epochs": e} for e in (0.0, math.nan, math.inf)), {"batch": 0}, {"smallest": 80}],
)
def test_a_recipe_out_of_range_is_refused(wrong):
    with pytest.raises(SettingsError):
        Recipe(**wrong)


def test_the_random_numbers_of_the_largest_seed_and_of_steps_before_the_first():
    largest = Recipe(seed=2**63 - 1).generator(5)
    assert torch.rand(1, generator=largest) < 1 and len(indices(10, 4, 3, 2**63 - 1)) == 4
    before = torch.rand(3, generator=Recipe().generator(-1))
    assert torch.equal(before, torch.rand(3, generator=torch.Generator().manual_seed(-1)))


def test_a_crop_is_a_mirrored_or_straight_part_of_the_picture():
    ramp = torch.arange(64).byte().expand(3, 32, 64) * 4
    kinds = set()
    for seed in range(12):
        crop = random_crop(ramp, 16, 0.3, torch.Generator().manual_seed(seed)).float()
        assert crop.shape == (3, 16, 16)
        difference = crop[0].diff(dim=1)
        assert bool((difference > 0).all()) or bool((difference < 0).all())
        kinds.add(bool((difference > 0).all()))
    assert kinds == {True, False}


def test_the_center_is_the_largest_square_in_the_middle():
    picture = torch.arange(3 * 4 * 8).reshape(3, 4, 8).byte()
    assert torch.equal(center(picture, 4), picture[:, :, 2:6])
    assert as_images([center(picture, 4)]).max() <= 1


def png(picture: Tensor) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture.permute(1, 2, 0).numpy()).save(file, "PNG")
    return file.getvalue()


def pack(path: Path, source: PictureSource) -> None:
    files = [png(picture) for picture in source.pictures]
    np.savez(
        path,
        data=np.frombuffer(b"".join(files), np.uint8),
        offsets=np.cumsum([0, *map(len, files)]).astype(np.int64),
        labels=source.labels.numpy().astype(np.int16),
    )


def spread(folder: Path, source: PictureSource) -> None:
    for i, (picture, label) in enumerate(zip(source.pictures, source.labels, strict=True)):
        (folder / f"class{label}").mkdir(parents=True, exist_ok=True)
        (folder / f"class{label}" / f"{i:03}.png").write_bytes(png(picture))


def test_packed_files_come_back_as_they_were(tmp_path):
    pack(tmp_path / "a.npz", SOURCES["main"])
    pack(tmp_path / "b.npz", SOURCES["more"])
    found = load_source(tmp_path / "a.npz", tmp_path / "b.npz")
    expected = [*SOURCES["main"].pictures, *SOURCES["more"].pictures]
    assert all(torch.equal(a, b) for a, b in zip(found.pictures, expected, strict=True))
    assert found.labels.tolist() == [*SOURCES["main"].labels, *SOURCES["more"].labels]
    assert found.classes == 5


def test_a_folder_of_class_folders_is_read_in_order(tmp_path):
    source = noise(6, 2)
    spread(tmp_path, source)
    (tmp_path / "class0" / "notes.txt").write_text("not a picture")
    found = load_source(tmp_path)
    assert found.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert torch.equal(found.pictures[3], source.pictures[1])


def test_files_that_hold_no_pictures_are_refused(tmp_path):
    with pytest.raises(ImageError, match="no pictures found"):
        load_source(tmp_path)
    broken = tmp_path / "broken.npz"
    for data in (b"PK\x03\x04 damaged", b"text", b""):
        broken.write_bytes(data)
        with pytest.raises(ImageError, match=r"folder for each class, or a packed \.npz"):
            load_source(broken)
        with pytest.raises(ImageError, match=r"of pictures, or a packed .* offsets$"):
            load_pictures(broken)
    np.savez(broken, data=np.zeros(3, np.uint8), offsets=np.array([0, 3]), labels=np.zeros(5))
    with pytest.raises(ImageError, match="5 labels for 1 pictures"):
        load_source(broken)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("labels", np.array([0, -1])),
        ("labels", np.array([0, 2**40])),
        ("labels", np.array([0.0, np.nan])),
        ("labels", np.array(["cat", "dog"])),
        ("labels", np.array([[0], [1]])),
        ("offsets", np.array([0.0, 1.0, 2.0])),
        ("offsets", np.array(2)),
        ("offsets", np.array([0])),
    ],
)
def test_packed_arrays_that_no_training_can_use_are_refused(tmp_path, name, wrong):
    arrays = {"offsets": np.array([0, 1, 2]), "labels": np.array([0, 1])} | {name: wrong}
    np.savez(tmp_path / "a.npz", data=np.zeros(2, np.uint8), **arrays)
    with pytest.raises(ImageError, match=rf"packed \.npz file .*ValueError: {name} are not whole"):
        load_source(tmp_path / "a.npz")


def test_a_folder_of_packed_files_is_sorted_by_name(tmp_path):
    for name in ("tiny_imagenet_train_0", "tiny_imagenet_train_1"):
        pack(tmp_path / f"{name}.npz", SOURCES["main"])
    pack(tmp_path / "tiny_imagenet_val_0.npz", noise(3, 3))
    pack(tmp_path / "other.npz", SOURCES["detail"])
    sources, validation = find(tmp_path)
    assert {name: len(source) for name, source in sources.items()} == {"main": 48, "other": 6}
    assert validation is not None and len(validation) == 3
    pack(tmp_path / "tiny_imagenet_val_0.npz", noise(8, 8))
    with pytest.raises(ImageError, match="8 classes to measure with, but 3"):
        find(tmp_path)


def test_folders_train_and_val_are_both_found(tmp_path):
    spread(tmp_path / "train", noise(6, 2))
    spread(tmp_path / "val", noise(4, 2))
    sources, validation = find(tmp_path)
    assert len(sources["main"]) == 6
    assert validation is not None and len(validation) == 4


def test_folders_train_and_val_have_the_same_classes(tmp_path):
    spread(tmp_path / "train", noise(6, 3))
    spread(tmp_path / "val", noise(6, 3))
    for file in (tmp_path / "val" / "class1").iterdir():
        file.unlink()
    (tmp_path / "val" / "class1").rmdir()  # its class2 would be taken for class1
    with pytest.raises(ImageError, match="differ: only one of them has the classes class1"):
        find(tmp_path)


def test_a_folder_without_the_main_pictures_says_what_it_has(tmp_path):
    pack(tmp_path / "other.npz", SOURCES["detail"])
    with pytest.raises(ImageError, match=r"tiny_imagenet_train_\*.npz, found other\.npz"):
        find(tmp_path)
    with pytest.raises(ImageError, match="not a folder"):
        find(tmp_path / "absent")


def test_the_command_refuses_what_it_does_not_know_before_reading_pictures(tmp_path):
    absent, out = tmp_path / "absent", tmp_path / "out.pt"
    with pytest.raises(BackboneError, match="did you mean swag/vgg"):
        train_backbone("vggg", absent, out)
    with pytest.raises(SettingsError, match="did you mean gpu"):
        train_backbone("vgg", absent, out, recipe="gpus")
    for device in ("nonsense", "meta"):
        with pytest.raises(SettingsError, match="cannot be used"):
            train_backbone("vgg", absent, out, device=device)
    for ending in (".jsonl", ".safetensors"):
        with pytest.raises(SettingsError, match=rf"cannot end in \{ending}.*out\.pt"):
            train_backbone("vgg", absent, out.with_suffix(ending))


@pytest.fixture
def tiny(monkeypatch, tmp_path) -> Path:
    """A tiny network under the name of one of the package, and a folder of pictures."""
    monkeypatch.setitem(bundled.ARCHITECTURES, "resnet", TINY)
    spread(tmp_path / "pictures", SOURCES["main"])
    return tmp_path / "pictures"


def test_the_command_trains_exports_and_goes_on_from_the_export(tiny, tmp_path):
    out, folder = tmp_path / "new" / "a.pt", tmp_path / "weights"
    steps = list(train_backbone("resnet", tiny, out, epochs=6.0))
    assert steps[-1].step == steps[-1].steps == 1
    assert main([str(out), "resnet", str(folder)]) == 0
    card = bundled.card("resnet", folder)
    assert card.finished and card.epochs == 6
    assert [each["recipe"]["epochs"] for each in card.trainings] == [6.0]
    assert card.data[0]["name"] == "main, 3 classes"
    assert bundled.network("resnet", folder=folder).architecture == replace(TINY, norm=False)
    shipped = folder / card.file
    more = list(train_backbone("resnet", tiny, tmp_path / "b.pt", epochs=6.0, start=shipped))
    assert math.isfinite(more[-1].loss)
    goes_on = export(tmp_path / "b.pt", "resnet", tmp_path / "again")
    assert [each["recipe"]["seed"] for each in goes_on.trainings] == [0, 0]
    assert goes_on.epochs == 12 and goes_on.trainings[0] == card.trainings[0]


def test_weights_without_a_card_of_their_own_have_no_known_trainings(tiny, tmp_path):
    out, folder = tmp_path / "a.pt", tmp_path / "weights"
    list(train_backbone("resnet", tiny, out, epochs=6.0))
    shipped = folder / export(out, "resnet", folder).file
    assert len(bundled.recorded_trainings(shipped)) == 1
    twin = shipped.rename(folder / "other.safetensors")
    assert bundled.recorded_trainings(twin) == []
    shipped.write_bytes(twin.read_bytes() + b" ")
    assert bundled.recorded_trainings(shipped) == []


def test_a_training_started_with_anothers_weights_remembers_it(tiny, tmp_path):
    first, second = tmp_path / "a.pt", tmp_path / "b.pt"
    list(train_backbone("resnet", tiny, first, epochs=6.0))
    list(train_backbone("resnet", tiny, second, epochs=12.0, start=first))
    card = export(second, "resnet", tmp_path / "weights")
    assert [each["recipe"]["epochs"] for each in card.trainings] == [6.0, 12.0]
    assert card.epochs == 18


def test_an_export_of_an_unfinished_training_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(bundled.ARCHITECTURES, "resnet", TINY)
    out = tmp_path / "a.pt"
    for progress in train(TINY, RECIPE, SOURCES, out=out, cadence=OFTEN):
        if progress.step >= 6:
            break
    card = export(out, "resnet", tmp_path / "weights")
    assert not card.finished and card.top1 is None
    assert card.epochs == pytest.approx(RECIPE.epochs * 6 / 12)


def test_the_epochs_of_a_training_that_was_stopped_and_continued_are_those_made(
    tmp_path, monkeypatch
):
    monkeypatch.setitem(bundled.ARCHITECTURES, "resnet", TINY)
    first, second = tmp_path / "a.pt", tmp_path / "b.pt"
    for progress in train(TINY, RECIPE, SOURCES, out=first, cadence=OFTEN):
        if progress.step >= 6:
            break
    trained(second, start=first)
    card = export(second, "resnet", tmp_path / "weights")
    assert card.finished
    assert card.epochs == pytest.approx(RECIPE.epochs * (6 / 12 + 1))
    assert [(each["steps"], each["planned"]) for each in card.trainings] == [(6, 12), (12, 12)]


def test_a_checkpoint_of_an_older_version_has_its_planned_steps_from_the_log(tmp_path, monkeypatch):
    monkeypatch.setitem(bundled.ARCHITECTURES, "resnet", TINY)
    out = tmp_path / "a.pt"
    for progress in train(TINY, RECIPE, SOURCES, out=out, cadence=OFTEN):
        if progress.step >= 6:
            break
    state = checkpoint.load_training(out)
    del state["planned"]
    torch.save(state, out)
    card = export(out, "resnet", tmp_path / "weights")
    assert not card.finished and card.epochs == pytest.approx(RECIPE.epochs * 6 / 12)


def test_exported_weights_answer_as_the_trained_ones_to_half_precision(tmp_path, monkeypatch):
    monkeypatch.setitem(bundled.ARCHITECTURES, "resnet", TINY)
    trained(tmp_path / "a.pt")
    export(tmp_path / "a.pt", "resnet", tmp_path / "weights")
    model = Classifier(TINY, {name: source.classes for name, source in SOURCES.items()})
    model.load_state_dict(checkpoint.load_training(tmp_path / "a.pt")["model"])
    x = torch.randn(1, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    expected = model.network.eval()(x)
    found = bundled.network("resnet", folder=tmp_path / "weights")(x)
    assert 0 < (found - expected).abs().max() < 5e-3 * expected.abs().max()


def test_unfolding_keeps_the_function_and_measures_the_pictures():
    torch.manual_seed(0)
    source = ThinNetwork(TINY).double().eval()
    x = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        source.train()(x)  # statistics of its own
        state = folded(source.eval()).state_dict()
        state = {name: value + 0.1 for name, value in state.items()}
        target = ThinNetwork(TINY).double()
        unfold(target, state, x)
        reference = ThinNetwork(replace(TINY, norm=False)).double()
        reference.load_state_dict(state)
        torch.testing.assert_close(target.eval()(x), reference(x), rtol=0, atol=1e-10)
        torch.testing.assert_close(target.train()(x), reference(x), rtol=0, atol=1e-10)


def test_checkpoints_of_something_else_are_refused(tmp_path):
    out = tmp_path / "a.pt"
    trained(out)
    with pytest.raises(WeightsError, match=r"another recipe \(different: epochs"):
        trained(out, replace(RECIPE, epochs=5))
    with pytest.raises(WeightsError, match="another network or with other classes"):
        list(train(replace(TINY, shortcuts=False), RECIPE, SOURCES, out=out))
    with pytest.raises(WeightsError, match="not a checkpoint of resnet"):
        export(out, "resnet", tmp_path)
    wide = replace(TINY, widths=(4, 12))
    with pytest.raises(WeightsError, match="weights of another network"):
        list(train(wide, RECIPE, SOURCES, out=tmp_path / "b.pt", start=out))


def test_damaged_checkpoints_are_refused(tmp_path, capsys):
    out = tmp_path / "a.pt"
    trained(out)
    for data in (out.read_bytes()[:3000], b"text", b""):
        out.write_bytes(data)
        with pytest.raises(WeightsError, match=r"a\.pt: cannot be read as a checkpoint"):
            checkpoint.load_training(out)
    torch.save({"weights": 1}, out)
    with pytest.raises(WeightsError, match="not a checkpoint of a training"):
        trained(out)
    assert main([str(out), "resnet", str(tmp_path)]) == 1
    assert "not a checkpoint" in capsys.readouterr().err
    assert main([]) == 2


def test_weights_too_large_for_half_precision_are_not_exported(tmp_path, monkeypatch):
    monkeypatch.setitem(bundled.ARCHITECTURES, "resnet", TINY)
    out = tmp_path / "a.pt"
    trained(out)
    state = checkpoint.load_training(out)
    state["model"]["network.stem.norm.bias"] += 1e6
    torch.save(state, out)
    with pytest.raises(WeightsError, match=r"stem\.conv\.bias cannot be held"):
        export(out, "resnet", tmp_path / "weights")
    assert not (tmp_path / "weights").exists()


def test_accuracy_is_the_share_of_pictures_that_are_named_rightly():
    source = noise(10, 2)
    model = Classifier(TINY, {"main": 2})
    with torch.no_grad():
        model.heads["main"].weight.zero_()
        model.heads["main"].bias.copy_(torch.tensor([0.0, 1.0]))
    assert accuracy(model, source, size=16, batch=4) == 0.5
