"""Runs that were interrupted go on, to the bit, or say why they cannot."""

import functools
import itertools
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import swag
from swag import checkpoint as tensor_file
from swag.errors import CheckpointError, SettingsError
from swag.optimize import Adam, Evaluation, Lbfgs, TorchLbfgs
from swag.run import checkpoint, plan, precision, with_checkpoints

NETWORK = swag.backbones.create("swag/resnet", weights="random", edits=("reflect",))

SMALL = {"weights": "random", "size": 64, "scales": 2, "steps": 5, "device": "cpu"}
"""Two scales of 3 and 2 steps."""

RUNS = {
    "lbfgs": {},
    "smoothed": {"smoothing": "softmax:temperature=auto", "style_loss": "sliced"},
    "adam": {"optimizer": "adam"},
    "averaged": {"optimizer": "adam", "average": 0.9},
    "jittered": {"optimizer": "adam", "jitter": 3, "jitter_scale": 0.1},
    "torch-lbfgs": {"optimizer": "torch-lbfgs"},
    "fourier": {"optimizer": "adam", "parametrization": "fourier-bounded"},
    "laplacian": {"parametrization": "laplacian", "start": "noise"},
    "initial": {"normalization": "initial", "start": "noise"},
    "colors": {"colors": "content"},
    "tiled": {"tile": 32},
    "tiled adam": {"tile": 32, "optimizer": "adam"},
    "matched": {"smoothing": "power", "matched": "gradient"},
    "bfloat16": {"precision": "bfloat16"},
    "bfloat16 adam": {"precision": "bfloat16", "optimizer": "adam", "jitter": 3},
    "bfloat16 tiled": {"precision": "bfloat16", "tile": 32},
    "bfloat16 noise": {"precision": "bfloat16", "normalization": "initial"},
}


def noise(*size: int) -> torch.Tensor:
    return torch.rand(3, *size, generator=torch.Generator().manual_seed(sum(size)))


PHOTO, PAINTING = noise(36, 48), noise(40, 44)


def begun(path: Path, stop: int, **overrides) -> None:
    """A run that is killed right after its checkpoint at step `stop`."""
    path.write_bytes(_checkpoint(stop, **overrides))


@functools.cache
def _checkpoint(stop: int, **overrides) -> bytes:
    """The same run leaves the same bytes: it is made once."""
    with tempfile.TemporaryDirectory() as folder:
        for update in swag.iterate(PHOTO, PAINTING, **{**SMALL, **overrides}):
            if update.index == stop:
                update.save_checkpoint(Path(folder) / "a.ckpt")
                return (Path(folder) / "a.ckpt").read_bytes()
    raise AssertionError("the run ended before it was to be killed")


@pytest.mark.parametrize("name", RUNS)
def test_a_resumed_run_equals_one_that_never_stopped(name, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(precision, "SMALLEST", 16)  # pictures as small as these count, too
    whole = []
    for update in swag.iterate(PHOTO, PAINTING, backbone=NETWORK, **{**SMALL, **RUNS[name]}):
        update.save_checkpoint(tmp_path / f"{update.index}.ckpt")
        whole.append(update)
    for stop in (1, 2, 3):  # within the first scale, at its end, within the second
        rest = list(
            swag.iterate(PHOTO, PAINTING, resume=tmp_path / f"{stop}.ckpt", backbone=NETWORK)
        )
        assert [update.index for update in rest] == list(range(stop, 5))
        for mine, its in zip(rest, whole[stop:], strict=True):
            assert torch.equal(mine.image.pixels, its.image.pixels), mine.index
            assert mine.losses == its.losses
        assert rest[-1].seconds >= rest[0].seconds > 0


def test_steps_remembered_in_half_precision_go_on_too(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(plan, "LARGE", 0)
    path, whole = tmp_path / "a.ckpt", None
    for whole in swag.iterate(PHOTO, PAINTING, backbone=NETWORK, **SMALL):
        if whole.index == 1:
            whole.save_checkpoint(path)
    assert whole is not None and whole.state.memory["steps"].dtype == torch.bfloat16
    rest = list(swag.iterate(PHOTO, PAINTING, resume=path, backbone=NETWORK))
    assert torch.equal(rest[-1].pixels, whole.pixels)


@pytest.mark.parametrize("task", ["texture", "reconstruct"])
def test_other_tasks_go_on_too(task, tmp_path: Path):
    path = tmp_path / "a.ckpt"
    pictures = (None, PAINTING) if task == "texture" else (PHOTO, None)
    whole = None
    for whole in swag.iterate(*pictures, task=task, **SMALL):
        if whole.index == 3:
            whole.save_checkpoint(path)
    rest = list(swag.iterate(*pictures, task=task, resume=path))
    assert torch.equal(rest[-1].pixels, whole.pixels)
    with pytest.raises(CheckpointError, match=f"was made by `swag {task}`"):
        swag.iterate(PHOTO, PAINTING, resume=path)


def test_a_run_stopped_and_resumed_at_every_step_is_the_same(tmp_path: Path):
    path = tmp_path / "a.ckpt"
    begun(path, 0)
    for _ in range(4):
        updates = swag.iterate(PHOTO, PAINTING, resume=path)
        next(updates)
        next(updates).save_checkpoint(path)
    (last,) = swag.iterate(PHOTO, PAINTING, resume=path)
    assert torch.equal(last.pixels, list(swag.iterate(PHOTO, PAINTING, **SMALL))[-1].pixels)


def test_masks_and_maps_are_part_of_a_run(tmp_path: Path):
    path, gray = tmp_path / "a.ckpt", PHOTO.mean(0, keepdim=True).round()
    begun(path, 2, content_mask=gray)
    with pytest.raises(CheckpointError, match="other pictures: content_mask"):
        swag.iterate(PHOTO, PAINTING, resume=path)
    assert len(list(swag.iterate(PHOTO, PAINTING, resume=path, content_mask=gray))) == 3


def test_another_picture_is_refused(tmp_path: Path):
    begun(tmp_path / "a.ckpt", 1)
    with pytest.raises(CheckpointError, match="other pictures: style "):
        swag.iterate(PHOTO, PHOTO, resume=tmp_path / "a.ckpt")


def test_other_settings_are_refused_and_the_same_are_not(tmp_path: Path):
    begun(tmp_path / "a.ckpt", 1)
    with pytest.raises(CheckpointError, match="with size = 64; resume"):
        swag.iterate(PHOTO, PAINTING, resume=tmp_path / "a.ckpt", size=128)
    assert swag.iterate(PHOTO, PAINTING, resume=tmp_path / "a.ckpt", size=64)


def test_other_weights_are_refused(tmp_path: Path):
    network = swag.backbones.create("swag/resnet", weights="random")
    begun(tmp_path / "a.ckpt", 1, backbone=network)
    next(network.module.parameters()).data[0] += 1e-6
    with pytest.raises(CheckpointError, match="other weights of swag/resnet"):
        swag.iterate(PHOTO, PAINTING, resume=tmp_path / "a.ckpt", backbone=network)


def test_a_network_that_is_read_at_other_layers_is_refused(tmp_path: Path):
    named = functools.partial(swag.backbones.create, "swag/resnet", weights="random")
    swag.stylize(PHOTO, PAINTING, **SMALL, backbone=named()).save(tmp_path / "a.png")
    other, said = named(style_layers=["stem"]), "or other layers (are|were) read"
    with pytest.raises(SettingsError, match=said):
        swag.iterate(PHOTO, PAINTING, like=tmp_path / "a.png", backbone=other)
    begun(tmp_path / "a.ckpt", 1, backbone=named())
    with pytest.raises(CheckpointError, match=said):
        swag.iterate(PHOTO, PAINTING, resume=tmp_path / "a.ckpt", backbone=other)


@pytest.mark.parametrize("what", ["swag", "torch"])
def test_another_version_is_refused(what, tmp_path: Path, monkeypatch):
    begun(tmp_path / "a.ckpt", 1)
    now = {**checkpoint.versions(), what: "99.0"}
    monkeypatch.setattr(checkpoint, "versions", lambda: now)
    with pytest.raises(CheckpointError, match=rf"made with .*{what} 99.0.*; resume with the same"):
        swag.iterate(PHOTO, PAINTING, resume=tmp_path / "a.ckpt")


def changed(path: Path, tensors=None, **values) -> None:
    """A forged checkpoint: well formed, with a digest of its own."""
    its, known = tensor_file.load_tensors(path)
    new = {k: v for k, v in {**its, **(tensors or {})}.items() if v is not None}
    tensor_file.save_tensors(path, new, {**known, **values})


@pytest.mark.parametrize(
    "forged",
    [
        {"tensors": {"image": torch.zeros(1, 3, 9, 9)}},
        {"tensors": {"image": torch.zeros(1, 3, 24, 32, dtype=torch.float64)}},
        {"tensors": {"image": None, "best": None}},
        {"tensors": {"best": torch.full((1, 3, 24, 32), float("nan"))}},
        {"tensors": {"ema": torch.zeros(3)}},
        {"tensors": {"memory.steps": torch.zeros(2, 3)}},
        {"tensors": {"memory.steps": None}},
        {"tensors": {"memory.more": torch.zeros(3)}},
        {"tensors": {"loss_scale": torch.ones(2, 3)}},
        {"tensors": {"loss_scale": torch.ones((), dtype=torch.int64)}},
        {"tensors": {"start": torch.zeros(1, 3, 9, 9)}},
        {"tensors": {"ema": torch.zeros(1, 3, 24, 32)}},
        {"tensors": {"memory.pairs": torch.tensor(-1)}},
        {"tensors": {"memory.curvatures": torch.ones(10, dtype=torch.int64)}},
        {"fallbacks": ["words"] * 65},
        {"fallbacks": ["words" * 100]},
        {"index": 10**6},
        {"scale": 7},
        {"scale": -1},
        {"losses": {"style": "much"}},
        {"settings": {"size": 10**9}},
        {"settings": {"smoothing": "sofmax"}},
        {"state": {}},
        {"unknown": 1},
        {"inputs": {"content": "../../etc"}},
    ],
)
def test_a_forged_checkpoint_is_refused(forged, tmp_path: Path):
    path = tmp_path / "a.ckpt"
    begun(path, 1)
    changed(path, **forged)
    with pytest.raises(CheckpointError) as caught:
        swag.iterate(PHOTO, PAINTING, resume=path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("device", ["meta", "hpu", "privateuseone", "xla", "x" * 200])
def test_a_device_that_cannot_compute_is_one_line_that_names_those_that_can(device, tmp_path):
    path = tmp_path / "a.ckpt"
    begun(path, 1)
    changed(path, settings={**SMALL, "device": device})
    with pytest.raises(SettingsError, match=r"device '.*' is not there; use auto, cpu") as caught:
        swag.iterate(PHOTO, PAINTING, resume=path)
    assert "\n" not in str(caught.value)
    assert ("mps" in str(caught.value)) == torch.backends.mps.is_available()


NUMBERS = {
    "adam": ("mean", "square", "count"),
    "torch-lbfgs": ("d", "prev_flat_grad", "H_diag", "old_dirs.0", "old_dirs.1", "ro.0"),
}


@pytest.mark.parametrize(
    ("optimizer", "name"), [(key, name) for key, names in NUMBERS.items() for name in names]
)
@pytest.mark.parametrize("forge", ["type", "shape", "gone"])
def test_a_forged_memory_is_refused(forge, optimizer, name, tmp_path: Path):
    path, name = tmp_path / "a.ckpt", f"memory.{name}"
    begun(path, 2, optimizer=optimizer)
    tensor = tensor_file.load_tensors(path)[0][name]
    forged = {"type": tensor.half(), "shape": tensor.reshape(1, *tensor.shape), "gone": None}
    changed(path, {name: forged[forge]})
    with pytest.raises(CheckpointError, match="does not fit its own settings"):
        swag.iterate(PHOTO, PAINTING, resume=path)


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path):
    tensor_file.save_tensors(tmp_path / "a.ckpt", {"x": torch.zeros(3)}, {"training": True})
    with pytest.raises(CheckpointError, match="no checkpoint that this version"):
        swag.iterate(PHOTO, PAINTING, resume=tmp_path / "a.ckpt")


@pytest.mark.parametrize("method", [Adam(), Lbfgs(), TorchLbfgs()])
def test_what_every_method_remembers_is_known(method):
    slopes = torch.linspace(0.1, 0.9, 5)

    def square(image):
        value = slopes.mul(image.square()).sum().double()
        one = torch.tensor(1.0, dtype=torch.float64)
        return Evaluation(image, value, slopes * image, {"x": value}, one)

    point, memory = square(torch.rand(1, 3, 4, 5)), {}
    for _ in range(3):
        point, memory = method.step(square, point, memory, 1.0)
        assert method.state_fits(memory, point.image)
    assert not method.state_fits(memory, torch.zeros(1, 3, 9, 9))


def test_steps_of_another_number_or_precision_are_not_those_of_the_method():
    image = torch.zeros(1, 3, 4, 5)
    memory = Lbfgs(history=6, remembered=torch.bfloat16)._empty(image)
    assert Lbfgs(history=6, remembered=torch.bfloat16).state_fits(memory, image)
    assert not Lbfgs(history=6).state_fits(memory, image)
    assert not Lbfgs(remembered=torch.bfloat16).state_fits(memory, image)


def test_the_best_picture_is_kept_where_the_latest_is_worse():
    last = list(swag.iterate(PHOTO, PAINTING, **SMALL, optimizer="adam", rate=0.3))[-1]
    assert not torch.equal(last.state.best, last.state.image)
    assert torch.equal(last.best.pixels, last.state.best[0].clamp(0, 1))
    assert torch.equal(last.image.pixels, last.pixels[0].clamp(0, 1))


def test_an_average_is_kept_as_it_is():
    last = list(swag.iterate(PHOTO, PAINTING, **SMALL, optimizer="adam", average=0.9))[-1]
    assert torch.equal(last.best.pixels, last.image.pixels)


@pytest.mark.parametrize(("cost", "expected"), [(0.0, [29, 59, 89]), (3.0, [29, 89])])
def test_checkpoints_take_at_most_a_twentieth_of_the_time(cost, expected, monkeypatch):
    clock = [0.0]
    saved = []
    (real,) = itertools.islice(swag.iterate(PHOTO, PAINTING, **SMALL), 1)

    def save(update, path):
        saved.append(update.index)
        clock[0] += cost

    def updates():
        for index in range(100):
            clock[0] += 1.0  # seconds
            yield replace(real, index=index, steps=100)

    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(type(real), "save_checkpoint", save)
    assert len(list(with_checkpoints(updates(), "x.ckpt", every=30))) == 100
    assert saved == expected


def test_none_is_written_after_the_last_step(monkeypatch):
    saved = []
    (real,) = itertools.islice(swag.iterate(PHOTO, PAINTING, **SMALL), 1)
    monkeypatch.setattr(type(real), "save_checkpoint", lambda update, path: saved.append(update))
    last = replace(real, index=4)
    assert list(with_checkpoints(iter([last]), "x.ckpt", every=0)) == [last]
    assert saved == []
