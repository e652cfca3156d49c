"""Edges of a picture against those of another, place by place."""

import numpy as np
import pytest
import torch
from scipy.ndimage import laplace

from swag.errors import SettingsError
from swag.losses.laplacian import compare, describe
from swag.losses.loss import sum_of_squares


def pictures(rng, rows=8, columns=12, b=2):
    return torch.rand(b, 3, rows, columns, generator=rng, dtype=torch.float64)


def difference(a, b, **options):
    return compare(describe(a, **options), describe(b, **options))


def by_scipy(picture, pool):
    d, rows, columns = picture.shape
    cells = picture.numpy().reshape(d, rows // pool, pool, columns // pool, pool).mean((2, 4))
    return -np.stack([laplace(plane, mode="nearest") for plane in cells])


@pytest.mark.parametrize("pool", [1, 2, 4])
def test_the_laplacian_is_that_of_the_averaged_picture(rng, pool):
    picture = pictures(rng, b=1)
    found = describe(picture, pool=pool)[0].numpy()
    np.testing.assert_allclose(found, by_scipy(picture[0], pool), atol=1e-12)


def test_the_loss_is_the_sum_of_squared_differences(rng):
    a, b = pictures(rng, b=1), pictures(rng, b=1)
    expected = ((by_scipy(a[0], 4) - by_scipy(b[0], 4)) ** 2).sum()
    assert difference(a, b).item() == pytest.approx(expected, rel=1e-12)


def test_a_single_point_stands_out_fourfold():
    point = torch.zeros(1, 1, 5, 5)
    point[..., 2, 2] = 1
    assert describe(point, pool=1)[0, 0].tolist() == [
        [0, 0, 0, 0, 0],
        [0, 0, -1, 0, 0],
        [0, -1, 4, -1, 0],
        [0, 0, -1, 0, 0],
        [0, 0, 0, 0, 0],
    ]


def test_the_last_cells_may_be_smaller(rng):
    picture = pictures(rng, 5, 7)
    cells = torch.stack(
        [
            torch.stack([picture[..., y : y + 4, x : x + 4].mean((2, 3)) for x in (0, 4)], dim=-1)
            for y in (0, 4)
        ],
        dim=-2,
    )
    torch.testing.assert_close(describe(picture), describe(cells, pool=1))


def test_brightness_and_slopes_inside_do_not_count(rng):
    a = pictures(rng)
    assert torch.equal(difference(a, a), torch.zeros(2, dtype=torch.float64))
    torch.testing.assert_close(describe(a + 0.3), describe(a))
    slope = torch.linspace(0, 1, 20).expand(1, 3, 20, 20)
    assert describe(slope, pool=1)[..., 1:-1].abs().max() < 1e-6
    assert (difference(a, a.flip(3)) > 0.01).all()


def test_the_gradient_is_that_of_the_function(rng):
    target = describe(pictures(rng), pool=2)
    a = pictures(rng).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: compare(describe(x, pool=2), target), (a,))


def test_a_region_is_its_cells_alone(rng):
    a, b = pictures(rng), pictures(rng)
    mask = torch.zeros(1, 1, 8, 12, dtype=torch.float64)
    mask[..., :4, 4:] = 1
    found = compare(describe(a, mask), describe(b, mask))
    squares = (describe(a) - describe(b)).square()
    torch.testing.assert_close(found, squares[..., :1, 1:].sum((1, 2, 3)))
    half = compare(describe(a, mask / 2), describe(b, mask / 2))
    torch.testing.assert_close(half, found / 2)
    ones = torch.ones(1, 1, 8, 12)
    torch.testing.assert_close(compare(describe(a, ones), describe(b, ones)), difference(a, b))


def test_the_pictures_of_a_batch_do_not_mix(rng):
    a, b = pictures(rng, b=3), pictures(rng, b=3)
    alone = [difference(x[None], y[None]) for x, y in zip(a, b, strict=True)]
    torch.testing.assert_close(difference(a, b), torch.cat(alone))


def test_maps_of_any_channels_are_taken(rng):
    maps = torch.randn(1, 7, 9, 9, generator=rng)
    assert describe(maps).shape == (1, 7, 3, 3)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 3), (16, 16)])
def test_flat_and_tiny_pictures_give_a_result(rng, size):
    flat = torch.full((1, 3, *size), 0.5, requires_grad=True)
    other = torch.rand(1, 3, *size, generator=rng)
    error = difference(flat, other)
    error.sum().backward()
    assert error.isfinite().all() and flat.grad.isfinite().all()
    assert not describe(flat).any()
    assert sum_of_squares(describe(flat)).item() == describe(flat).numel()


def test_a_step_down_the_gradient_comes_closer(rng):
    a, b = pictures(rng).requires_grad_(), pictures(rng)
    before = difference(a, b)
    (gradient,) = torch.autograd.grad(before.sum(), a)
    assert (difference(a - 1e-3 * gradient, b) < before).all()


def test_pictures_of_different_size_are_refused(rng):
    with pytest.raises(SettingsError, match=r"\(2, 3, 2, 3\) and \(2, 3, 3, 2\); give pictures"):
        difference(pictures(rng), pictures(rng).mT)


def test_cells_of_nothing_are_refused(rng):
    with pytest.raises(SettingsError, match="pool=0: expected the side of a cell, 1 or more"):
        describe(pictures(rng), pool=0)
