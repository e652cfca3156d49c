"""Random shifts and scales: what they do, that they repeat, and that a run goes on."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from swag.errors import SettingsError
from swag.jitter import Jittered, jittered
from swag.optimize import Adam, State, optimize


def smooth_picture(height, width):
    """A picture that changes slowly, so that interpolation is nearly exact: x, y and a bump."""
    y, x = torch.meshgrid(
        torch.linspace(0, 1, height, dtype=torch.float64),
        torch.linspace(0, 1, width, dtype=torch.float64),
        indexing="ij",
    )
    return torch.stack([x, y, torch.exp(-8 * ((x - 0.4) ** 2 + (y - 0.6) ** 2))])[None]


def shown(monkeypatch, image, *, down=0, across=0, factor=1.0):
    """The picture under one known draw."""

    class Drawn:
        def __init__(self, word):
            self.whole = iter([down, across])
            self.real = iter([factor - 1])

        def randint(self, low, high):
            return next(self.whole)

        def uniform(self, low, high):
            return next(self.real)

    monkeypatch.setattr("swag.jitter.random.Random", Drawn)
    return jittered(image, seed=0, step=0, shift=99, scale=0.9)


@pytest.mark.parametrize("size", [(1, 1), (5, 8), (16, 16)])
def test_without_ranges_the_picture_is_the_same_one(size, rng):
    image = torch.rand(1, 3, *size, generator=rng)
    assert jittered(image, seed=3, step=5) is image


@pytest.mark.parametrize(("down", "across"), [(0, 0), (2, 0), (0, -3), (-4, 5), (9, 0)])
def test_a_shift_moves_the_picture_by_whole_pixels_mirrored_at_its_edges(
    down, across, rng, monkeypatch
):
    image = torch.rand(2, 3, 7, 6, generator=rng, dtype=torch.float64)
    mirrored = np.pad(image.numpy(), ((0, 0), (0, 0), (14, 14), (12, 12)), mode="symmetric")
    expected = mirrored[:, :, 14 + down : 21 + down, 12 + across : 18 + across]
    found = shown(monkeypatch, image, down=down, across=across)
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize(
    ("factor", "down", "across"), [(1.1, 0, 0), (0.8, 2, -1), (1.0, 0, 3), (1.2, 1, 1)]
)
def test_sizes_are_about_the_middle(factor, down, across, monkeypatch):
    image = smooth_picture(21, 33)
    height, width = image.shape[2:]
    y, x = np.mgrid[:height, :width]
    y, x = y - (height - 1) / 2, x - (width - 1) / 2
    from_y = y / factor + (height - 1) / 2 + down
    from_x = x / factor + (width - 1) / 2 + across
    expected = np.stack(
        [map_coordinates(c, [from_y, from_x], order=1, mode="reflect") for c in image[0].numpy()]
    )
    found = shown(monkeypatch, image, down=down, across=across, factor=factor)
    np.testing.assert_allclose(found[0], expected, atol=1e-12)


def test_a_factor_above_one_enlarges(monkeypatch):
    image = smooth_picture(40, 40)
    slope = image[0, 0, 0].diff()[20]
    enlarged = shown(monkeypatch, image, factor=1.25)
    assert enlarged[0, 0, 20].diff()[20].item() == pytest.approx(slope.item() / 1.25)


def test_every_draw_lies_in_its_range_and_all_of_the_range_is_drawn():
    row = torch.arange(64, dtype=torch.float64).expand(1, 3, 64, 64)
    middles = [
        jittered(row, seed=1, step=step, shift=2)[0, 0, 30, 30].item() - 30 for step in range(200)
    ]
    assert {round(middle) for middle in middles} == {-2, -1, 0, 1, 2}
    np.testing.assert_allclose(middles, np.round(middles), atol=1e-9)
    slopes = [
        1 / jittered(row, seed=1, step=step, scale=0.1)[0, 0, 30].diff()[30].item()
        for step in range(200)
    ]
    assert 0.9 <= min(slopes) < 0.905 and 1.095 < max(slopes) <= 1.1
    assert np.mean(slopes) == pytest.approx(1, abs=0.01)


def test_the_draw_depends_on_seed_and_step_alone(rng):
    image = torch.rand(1, 3, 16, 16, generator=rng)

    def look(seed, step):
        return jittered(image, seed=seed, step=step, shift=8, scale=0.2)

    first = look(0, 7)
    torch.rand(5)
    assert torch.equal(first, look(0, 7))
    for seed, step in [(0, 8), (1, 7), (7, 0), (0, 70)]:
        assert not torch.equal(first, look(seed, step))


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 2), (16, 24)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_any_size_keeps_its_size_type_and_range(size, dtype, rng):
    image = torch.rand(2, 3, *size, generator=rng, dtype=dtype)
    for step in range(5):
        found = jittered(image, seed=0, step=step, shift=40, scale=0.3)
        assert found.shape == image.shape
        assert found.dtype == dtype
        assert image.min() - 1e-6 <= found.min() and found.max() <= image.max() + 1e-6


def test_the_gradient_is_that_of_the_function(rng):
    image = torch.rand(1, 3, 5, 6, generator=rng, dtype=torch.float64, requires_grad=True)
    options = {"seed": 0, "step": 1, "shift": 2, "scale": 0.2}
    assert torch.autograd.gradcheck(lambda x: jittered(x, **options), (image,))


@pytest.mark.parametrize(
    "ranges",
    [{"shift": -1}, {"scale": 1.0}, {"scale": -0.1}, {"scale": math.nan}],
)
def test_a_range_that_means_nothing_is_refused(ranges):
    with pytest.raises(SettingsError, match=r"jitter has shift .*; give pixels of at least 0") as e:
        jittered(torch.zeros(1, 3, 4, 4), seed=0, step=0, **ranges)
    assert "\n" not in str(e.value)
    with pytest.raises(SettingsError, match="jitter has shift"):
        Jittered(lambda x: {}, 0, **ranges)


def test_each_step_is_another_draw(rng):
    image = torch.rand(1, 3, 12, 12, generator=rng)
    seen = []
    loss = Jittered(lambda x: seen.append(x) or {"sum": x.sum()}, seed=4, shift=3, scale=0.1)
    for step in range(3):
        assert set(loss.at(step)(image)) == {"sum"}
    for step, picture in enumerate(seen):
        assert torch.equal(picture, jittered(image, seed=4, step=step, shift=3, scale=0.1))


def test_a_resumed_run_equals_one_that_never_stopped(rng):
    image, target = torch.rand(2, 1, 3, 8, 8, generator=rng)

    def distance(x):
        return {"distance": (x - target).square().mean()}

    def run(state, loss, steps):
        for step in optimize(state, loss, Adam(), steps=steps):
            state = step.state
        return state

    straight = run(State(image), Jittered(distance, seed=2, shift=3, scale=0.1), 9)
    half = run(State(image), Jittered(distance, seed=2, shift=3, scale=0.1), 4)
    resumed = run(half, Jittered(distance, seed=2, shift=3, scale=0.1), 9)
    assert torch.equal(resumed.image, straight.image)
