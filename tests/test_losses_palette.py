"""The colors of a picture against those of another."""

import numpy as np
import pytest
import torch

from swag.losses.palette import combine_targets, compare, describe, target_norm, yuv


def pictures(rng, rows=4, columns=5, b=2):
    return torch.rand(b, 3, rows, columns, generator=rng, dtype=torch.float64)


def difference(a, b):
    return compare(describe(a), describe(b))


BT601 = np.array([[0.299, 0.587, 0.114], [-0.14713, -0.28886, 0.436], [0.615, -0.51499, -0.10001]])
"""The matrix as it is printed, to five digits."""


def by_formula(a, b):
    a, b = (picture[0].numpy().reshape(3, -1).T @ BT601.T for picture in (a, b))
    distances = np.array([[np.linalg.norm(x - y) for y in b] for x in a])
    return max(distances.min(1).mean(), distances.min(0).mean())


def test_the_loss_equals_its_formula(rng):
    a, b = pictures(rng, b=1), pictures(rng, 3, 2, b=1)
    assert difference(a, b).item() == pytest.approx(by_formula(a, b), abs=1.1e-3)  # rounded by e
    far = 100 * b
    assert difference(a, far).item() == pytest.approx(by_formula(a, far), rel=1e-4)


def test_the_color_space_is_that_of_its_standard():
    corners = torch.eye(3, dtype=torch.float64)[None]
    np.testing.assert_allclose(yuv(corners)[0].numpy(), BT601.T, atol=1e-5)
    gray = torch.full((1, 1, 3), 0.7, dtype=torch.float64)
    torch.testing.assert_close(yuv(gray), torch.tensor([[[0.7, 0, 0]]]).double())


@pytest.mark.parametrize("swapped", [False, True])
def test_both_directions_are_asked(swapped):
    black, both = torch.zeros(1, 3, 1, 1), torch.tensor([0.0, 1.0]).repeat(1, 3, 1, 1)
    pair = (both, black) if swapped else (black, both)
    assert difference(*pair).item() == pytest.approx(0.5, abs=1e-3)


def test_nothing_differs_from_itself_and_others_do_alike(rng):
    a, b = pictures(rng), pictures(rng)
    assert torch.equal(difference(a, a), torch.zeros(2, dtype=torch.float64))
    assert (difference(a, b) > 0.05).all()
    torch.testing.assert_close(difference(a, b), difference(b, a))


def test_the_gradient_is_that_of_the_function(rng):
    target = describe(pictures(rng))
    a = pictures(rng).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: compare(describe(x), target), (a,))


def test_where_colors_are_does_not_count(rng):
    a, b = pictures(rng), pictures(rng)
    moved = a.flatten(2)[..., torch.randperm(20, generator=rng)].reshape(2, 3, 5, 4)
    torch.testing.assert_close(difference(moved, b), difference(a, b))
    torch.testing.assert_close(difference(a.repeat(1, 1, 2, 3), b), difference(a, b))


def test_a_region_is_the_pixels_in_it_alone(rng):
    a, b = pictures(rng), pictures(rng)
    mask = torch.zeros(1, 1, 4, 5, dtype=torch.float64)
    mask[..., 1:3, 2:] = 1
    found = compare(describe(a, 2 * mask), describe(b, mask))
    torch.testing.assert_close(found, difference(a[..., 1:3, 2:], b[..., 1:3, 2:]))
    ones = torch.ones(1, 1, 4, 5)
    torch.testing.assert_close(compare(describe(a, ones), describe(b, ones)), difference(a, b))


def test_the_pictures_of_a_batch_do_not_mix(rng):
    a, b = pictures(rng, b=3), pictures(rng, b=3)
    alone = [difference(x[None], y[None]) for x, y in zip(a, b, strict=True)]
    torch.testing.assert_close(difference(a, b), torch.cat(alone))


@pytest.mark.parametrize("value", [0.0, 0.5])
@pytest.mark.parametrize("size", [(1, 1), (4, 4)])
def test_flat_and_tiny_pictures_give_a_result(rng, value, size):
    flat = torch.full((1, 3, *size), value, requires_grad=True)
    other = torch.rand(1, 3, 4, 4, generator=rng)
    for target in (other, flat.detach(), torch.zeros(1, 3, 2, 2)):
        (gradient,) = torch.autograd.grad(difference(flat, target).sum(), flat)
        assert gradient.isfinite().all()
    assert difference(flat, flat).item() == 0
    assert difference(other, flat).item() > 0.1
    assert target_norm(describe(flat)).item() == pytest.approx(value or 1.0, abs=1e-3)


def test_the_magnitude_is_the_error_of_a_black_picture(rng):
    a = pictures(rng)
    torch.testing.assert_close(target_norm(describe(a)), difference(torch.zeros_like(a), a))


def test_a_step_down_the_gradient_comes_closer(rng):
    a, b = pictures(rng).requires_grad_(), pictures(rng)
    before = difference(a, b)
    (gradient,) = torch.autograd.grad(before.sum(), a)
    assert (difference(a - 1e-3 * gradient, b) < before).all()


def test_several_styles_are_one_with_all_their_colors(rng):
    a, one, other = pictures(rng), pictures(rng), pictures(rng)
    both = combine_targets([describe(one), describe(other)])
    stacked = torch.cat([one, other], 2)
    torch.testing.assert_close(compare(describe(a), both), difference(a, stacked))


def test_the_colors_of_large_pictures_are_averages_of_cells(rng):
    large = pictures(rng, 128, 128, 1)
    cells = large.reshape(1, 3, 64, 2, 64, 2).mean((3, 5))
    torch.testing.assert_close(describe(large)[0], describe(cells)[0])
    assert describe(large, positions=16)[0].shape == (1, 16, 3)
    assert difference(large, large).item() == 0
