"""What every loss, smoothing and statistic makes of batches, and of what is none."""

import math
import sys

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from swag import losses, smoothing, statistics
from swag.errors import SettingsError
from swag.losses import LOSSES, PENALTIES, quantiles
from swag.objective import LossTerm, Objective
from swag.regions import regions
from swag.smoothing import KINDS, Smoothing

STATISTICS = ("maximum", "mean", "standard_deviation", "sparsity", "entropy", "share_of_largest")


def maps(seed, count=3):
    draw = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, 8, 12, generator=draw)


def describe(loss, a, mask=None):
    return loss.describe((a, (a + 0.5).square()[:, :2]) if loss.joint else a, mask)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("masked", [False, True], ids=["all", "masked"])
def test_one_target_counts_for_every_picture_of_a_batch(name, masked):
    loss, pictures, target = losses.get(name), maps(0).requires_grad_(), maps(1, 1)
    mask = torch.linspace(0.1, 1, 96).reshape(1, 1, 8, 12) if masked else None
    one = describe(loss, target, mask)
    together = loss.compare(describe(loss, pictures, mask), one)
    alone = [loss.compare(describe(loss, p[None], mask), one) for p in pictures]
    torch.testing.assert_close(together, torch.cat(alone))
    (gradient,) = torch.autograd.grad(together.sum(), pictures)
    assert gradient.isfinite().all() and gradient.flatten(1).norm(dim=1).gt(0).all()


@pytest.mark.parametrize("name", LOSSES)
def test_one_picture_is_compared_with_every_target(name):
    loss, picture, targets = losses.get(name), maps(0, 1), maps(1)
    together = loss.compare(describe(loss, picture), describe(loss, targets))
    alone = [loss.compare(describe(loss, picture), describe(loss, t[None])) for t in targets]
    torch.testing.assert_close(together, torch.cat(alone))


@pytest.mark.parametrize("name", LOSSES)
def test_other_numbers_of_targets_are_refused_alike(name):
    loss = losses.get(name)
    words = f"{name} was given 3 pictures and 2 targets; expected one target, or one for each"
    with pytest.raises(SettingsError, match=words):
        loss.compare(describe(loss, maps(0)), describe(loss, maps(1, 2)))
    with pytest.raises(SettingsError, match=f"{name} was given 0 pictures and 1 targets"):
        empty = describe(loss, maps(0))
        empty = tuple(part[:0] for part in empty) if isinstance(empty, tuple) else empty[:0]
        loss.compare(empty, describe(loss, maps(1, 1)))


@pytest.mark.parametrize("name", LOSSES)
def test_losses_refuse_a_map_without_its_batch_and_whole_numbers(name):
    loss = losses.get(name)
    with pytest.raises(SettingsError, match=r"of shape \(3, 8, 12\); .* give maps\[None\]"):
        describe(loss, maps(0)[0]) if not loss.joint else loss.describe((maps(0)[0],) * 2)
    whole = (maps(0) * 255).byte()
    with pytest.raises(SettingsError, match=r"of type torch.uint8; expected floating point"):
        loss.describe((whole, whole) if loss.joint else whole)
    if loss.joint:
        with pytest.raises(SettingsError, match="expected a tuple of the maps"):
            loss.describe(maps(0))


@pytest.mark.parametrize("name", KINDS)
def test_smoothings_refuse_a_map_without_its_batch(name, unchecked):
    kind = Smoothing(name)
    with pytest.raises(SettingsError, match=r"give maps\[None\]"):
        Smoothing(name, None if kind.parameter is None else 0.5)(maps(0)[0])
    if kind.parameter is not None and kind.kind.parameter.fit is not None:
        with pytest.raises(SettingsError, match=r"give maps\[None\]"):
            Smoothing(name, "auto").fitted(maps(0)[0])


def test_a_softmax_refuses_a_map_without_its_batch(unchecked):
    for softmax in (smoothing.softmax, smoothing.channel_softmax, smoothing.spatial_softmax):
        with pytest.raises(SettingsError, match=r"give maps\[None\]"):
            softmax(maps(0)[0])


@pytest.mark.parametrize("name", STATISTICS)
def test_statistics_refuse_a_map_without_its_batch(name):
    measure = getattr(statistics, name)
    for one in (maps(0)[0], torch.rand(3, 8, 8)):
        with pytest.raises(SettingsError, match=r"one map is maps\[None\]"):
            measure(one)
    assert measure(maps(0)).shape == (3,)


@pytest.mark.parametrize("name", STATISTICS)
def test_statistics_take_matrices_of_channels(name):
    measure = getattr(statistics, name)
    for loss in ("gram", "covariance"):
        matrices = losses.get(loss).describe(torch.randn(2, 64, 16, 16))
        assert measure(matrices).shape == (2,)
    assert measure(torch.zeros(2, 4, 4)).shape == (2,)


@pytest.mark.parametrize("name", PENALTIES)
def test_penalties_refuse_what_is_no_batch_of_pictures(name, unchecked):
    measure = PENALTIES[name].measure
    for wrong, words in ((maps(0)[0], "maps.None."), ((maps(0) * 255).byte(), "uint8")):
        with pytest.raises(SettingsError, match=words):
            measure(wrong)


class NoFloat64(TorchDispatchMode):
    """A device that has no float64, as Metal: whatever makes one is an error."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        for one in made if isinstance(made, tuple | list) else (made,):
            if isinstance(one, torch.Tensor) and one.dtype == torch.float64:
                raise TypeError(f"{function} made float64, which this device does not have")
        return made


@pytest.fixture
def no_float64(monkeypatch):
    for name, module in list(sys.modules.items()):
        if name.startswith("swag.") and hasattr(module, "to_float64"):
            monkeypatch.setattr(module, "to_float64", torch.Tensor.float)
    quantiles._even.cache_clear()
    with NoFloat64():
        yield
    quantiles._even.cache_clear()


@pytest.mark.parametrize("matched", ["none", "loss", "gradient"])
@pytest.mark.parametrize("name", sorted(set(LOSSES) - {"sliced"}))  # its directions are the CPU's
def test_an_objective_needs_no_float64(name, matched, no_float64):
    loss = losses.get(name)
    layers = {"a": 1.0, "b": 1.0} if loss.joint else {"pixels" if loss.of_pixels else "a": 1.0}
    pictures = [maps(seed, 1) for seed in range(3)]
    term = LossTerm(
        "term",
        loss,
        layers,
        target=pictures[0],
        smoothing=Smoothing("none" if loss.of_pixels else "power"),
        unit_image=pictures[1],
        matched=matched,
    )

    def extract(image, wanted):
        found = {"a": image.square(), "b": image[:, :2] + 0.1}
        return {layer: found[layer] for layer in wanted}

    objective = Objective.of(extract, [term], start=pictures[2], style=pictures[0])
    value = objective(pictures[2])["term"].item()
    assert math.isfinite(value) and value > 0


def test_regions_need_no_float64(no_float64):
    mask = torch.zeros(1, 3, 8, 8)
    mask[:, 0, :, :4] = 1
    mask[:, 1, :, 4:] = 1
    assert len(regions(mask, mask)) == 2
