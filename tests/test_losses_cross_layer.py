"""Gram matrices between adjacent layers."""

import numpy as np
import pytest
import torch

from swag.errors import SettingsError
from swag.losses.cross_layer import compare, describe
from swag.losses.loss import sum_of_squares

HALVED = ((2, 8, 12), (3, 4, 6), (4, 2, 3))
SAME = ((3, 3, 4), (2, 3, 4), (4, 3, 4))


def layers(rng, sizes=HALVED, b=2):
    return tuple(torch.randn(b, *size, generator=rng, dtype=torch.float64) for size in sizes)


def difference(a, b):
    return compare(describe(a), describe(b))


def by_formula(shallow, deep):
    """The paper's: the deep map enlarged to the shallow one, each value to a cell of its own."""
    factor = shallow.shape[1] // deep.shape[1]
    enlarged = np.kron(deep.numpy(), np.ones((1, factor, factor)))
    matrix = np.zeros((shallow.shape[0], deep.shape[0]))
    for i in range(shallow.shape[0]):
        for j in range(deep.shape[0]):
            matrix[i, j] = (shallow.numpy()[i] * enlarged[j]).sum() / shallow[0].numel()
    return matrix


def test_the_matrices_equal_the_papers_with_the_deep_map_enlarged(rng):
    a = layers(rng, b=1)
    first, second = describe(a)
    np.testing.assert_allclose(first[0].numpy(), by_formula(a[0][0], a[1][0]), rtol=1e-9)
    np.testing.assert_allclose(second[0].numpy(), by_formula(a[1][0], a[2][0]), rtol=1e-9)


def test_the_loss_is_the_sum_of_squared_differences_of_all(rng):
    a, b = layers(rng, b=1), layers(rng, b=1)
    expected = sum(
        ((by_formula(a[i][0], a[i + 1][0]) - by_formula(b[i][0], b[i + 1][0])) ** 2).sum()
        for i in range(2)
    )
    assert difference(a, b).item() == pytest.approx(expected, rel=1e-9)


def test_a_layer_and_itself_give_its_gram_matrix(rng):
    (a,) = layers(rng, SAME[:1], 1)
    f = a[0].numpy().reshape(3, -1)
    np.testing.assert_allclose(describe((a, a))[0][0].numpy(), f @ f.T / 12, rtol=1e-12)


def test_nothing_differs_from_itself_and_others_do_alike(rng):
    a, b = layers(rng), layers(rng)
    assert torch.equal(difference(a, a), torch.zeros(2, dtype=torch.float64))
    assert (difference(a, b) > 0.01).all()
    torch.testing.assert_close(difference(a, b), difference(b, a))


def test_the_gradient_is_that_of_the_function(rng):
    sizes = ((2, 4, 5), (3, 2, 2))
    target = describe(layers(rng, sizes))
    a = [m.requires_grad_() for m in layers(rng, sizes)]
    assert torch.autograd.gradcheck(lambda *x: compare(describe(x), target), a)


def test_where_things_are_does_not_count_but_what_is_in_one_place_does(rng):
    a, b = layers(rng, SAME), layers(rng, SAME)
    order = torch.randperm(12, generator=rng)
    moved = tuple(m.flatten(2)[..., order].reshape(2, -1, 4, 3) for m in a)
    torch.testing.assert_close(difference(moved, b), difference(a, b))
    torn = (a[0].flatten(2)[..., order].reshape(2, -1, 3, 4), *a[1:])
    assert (difference(torn, a) > 0.01).all()


def test_pictures_of_different_sizes_can_be_compared(rng):
    a, b = layers(rng, SAME), layers(rng, ((3, 5, 2), (2, 5, 2), (4, 5, 2)))
    tiled = tuple(m.repeat(1, 1, 2, 3) for m in a)
    torch.testing.assert_close(difference(tiled, b), difference(a, b))


def test_a_region_is_the_positions_in_it_alone(rng):
    a, b = layers(rng), layers(rng)
    mask = torch.zeros(1, 1, 8, 12, dtype=torch.float64)
    mask[..., 4:, 4:] = 1
    crop = [(slice(4 // s, None),) * 2 for s in (1, 2, 4)]
    alone = [tuple(m[:, :, y, x] for m, (y, x) in zip(x_, crop, strict=True)) for x_ in (a, b)]
    found = compare(describe(a, 3 * mask), describe(b, mask))
    torch.testing.assert_close(found, difference(*alone))
    ones = torch.ones(1, 1, 8, 12)
    torch.testing.assert_close(compare(describe(a, ones), describe(b, ones)), difference(a, b))


def test_the_pictures_of_a_batch_do_not_mix(rng):
    a, b = layers(rng, b=3), layers(rng, b=3)
    alone = [
        difference(tuple(m[i : i + 1] for m in a), tuple(m[i : i + 1] for m in b)) for i in range(3)
    ]
    torch.testing.assert_close(difference(a, b), torch.cat(alone))


@pytest.mark.parametrize("value", [0.0, 0.5])
@pytest.mark.parametrize("size", [(1, 1), (4, 4)])
def test_flat_and_tiny_pictures_give_a_result(rng, value, size):
    flat = torch.full((1, 3, *size), value, requires_grad=True)
    other = torch.randn(1, 3, 4, 4, generator=rng)
    error = difference((flat, flat), (other, other))
    error.sum().backward()
    assert error.item() > 0 and flat.grad.isfinite().all()
    assert difference((flat, flat), (flat, flat)).item() == 0
    assert sum_of_squares(describe((flat, flat))).item() > 0


def test_a_step_down_the_gradient_comes_closer(rng):
    a, b = layers(rng), layers(rng)
    for m in a:
        m.requires_grad_()
    before = difference(a, b)
    gradients = torch.autograd.grad(before.sum(), a)
    closer = tuple(m - 1e-3 * g for m, g in zip(a, gradients, strict=True))
    assert (difference(closer, b) < before).all()


def test_a_single_layer_is_refused(rng):
    with pytest.raises(SettingsError, match="ties adjacent layers, but 1 was given; give 2"):
        describe(layers(rng)[:1])
