"""Relaxed earth mover's distance between hypercolumns, with moments."""

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from swag.errors import SettingsError
from swag.losses.remd import combine_targets, compare, describe, target_norm

DIFFERENT = ((3, 4, 5), (4, 2, 3))
SAME = ((3, 3, 4), (2, 3, 4))


def layers(rng, sizes=DIFFERENT, b=2):
    return tuple(torch.randn(b, *size, generator=rng, dtype=torch.float64) for size in sizes)


def difference(a, b, **options):
    return compare(describe(a), describe(b), **options)


def vectors(maps):
    return np.concatenate([m[0].numpy() for m in maps]).reshape(sum(len(m[0]) for m in maps), -1).T


def costs(a, b):
    return np.array([[1 - u @ v / np.sqrt((u @ u) * (v @ v)) for v in b] for u in a])


def relaxed_by_formula(a, b):
    c = costs(a, b)
    return max(sum(min(row) for row in c) / len(a), sum(min(column) for column in c.T) / len(b))


def moments_by_formula(a, b):
    d = a.shape[1]
    mean = np.abs(a.mean(0) - b.mean(0)).sum() / d
    return mean + np.abs(np.cov(a.T, bias=True) - np.cov(b.T, bias=True)).sum() / d**2


def test_the_loss_equals_the_papers_formulas(rng):
    a, b = layers(rng, SAME, 1), layers(rng, ((3, 2, 5), (2, 2, 5)), 1)
    x, y = vectors(a), vectors(b)
    relaxed, moments = relaxed_by_formula(x, y), moments_by_formula(x, y)
    assert difference(a, b, moments=0.0).item() == pytest.approx(relaxed, abs=1e-7)
    assert difference(a, b).item() == pytest.approx(relaxed + moments, abs=1e-7)
    assert difference(a, b, moments=0.5).item() == pytest.approx(relaxed + moments / 2, abs=1e-7)


@pytest.mark.parametrize("fewer", ["picture", "style"])
def test_both_directions_are_asked(fewer):
    one = torch.tensor([[1.0, 0.0]]).T.reshape(1, 2, 1, 1)
    two = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).T.reshape(1, 2, 1, 2)
    pair = ((one,), (two,)) if fewer == "picture" else ((two,), (one,))
    assert difference(*pair, moments=0.0).item() == pytest.approx(0.5)


def test_the_relaxation_is_no_more_than_the_earth_movers_distance(rng):
    a, b = layers(rng, SAME, 1), layers(rng, SAME, 1)
    c = costs(vectors(a), vectors(b))
    exact = c[linear_sum_assignment(c)].mean()
    assert 0.05 < difference(a, b, moments=0.0).item() < exact


def test_nothing_differs_from_itself(rng):
    a = layers(rng)
    assert torch.equal(difference(a, a), torch.zeros(2, dtype=torch.float64))


def test_pictures_differ_alike_in_both_directions(rng):
    a, b = layers(rng), layers(rng)
    assert (difference(a, b) > 0.1).all()
    torch.testing.assert_close(difference(a, b), difference(b, a))


def test_the_gradient_is_that_of_the_function(rng):
    target = describe(layers(rng))
    a = [m.requires_grad_() for m in layers(rng)]
    assert torch.autograd.gradcheck(lambda *x: compare(describe(x), target), a)


def test_the_length_of_hypercolumns_is_left_to_the_moments(rng):
    a, b = layers(rng, SAME), layers(rng, SAME)
    lengths = 2 + torch.rand(2, 1, 3, 4, generator=rng, dtype=torch.float64)
    scaled = tuple(lengths * m for m in a)
    without = difference(scaled, b, moments=0.0)
    torch.testing.assert_close(without, difference(a, b, moments=0.0), rtol=0, atol=1e-6)
    assert ((difference(scaled, b) - difference(a, b)).abs() > 0.01).all()


def test_where_things_are_does_not_count(rng):
    a, b = layers(rng, SAME), layers(rng, SAME)
    order = torch.randperm(12, generator=rng)
    moved = tuple(m.flatten(2)[..., order].reshape(2, -1, 4, 3) for m in a)
    torch.testing.assert_close(difference(moved, b), difference(a, b))


def test_a_region_is_the_positions_in_it_alone(rng):
    a, b = layers(rng, SAME), layers(rng, SAME)
    mask = torch.zeros(1, 1, 3, 4, dtype=torch.float64)
    mask[..., :2, 1:] = 1
    alone = tuple(m[..., :2, 1:] for m in a), tuple(m[..., :2, 1:] for m in b)
    found = compare(describe(a, 3 * mask), describe(b, mask))
    torch.testing.assert_close(found, difference(*alone))
    torch.testing.assert_close(compare(describe(a, mask), describe(b)), difference(alone[0], b))
    ones = torch.ones(1, 1, 3, 4)
    torch.testing.assert_close(compare(describe(a, ones), describe(b, ones)), difference(a, b))


def test_a_weight_counts_as_many_positions(rng):
    a, b = layers(rng, ((3, 1, 3),)), layers(rng, ((3, 1, 3),))
    twice = (torch.cat([a[0], a[0][..., :1]], 3),)
    weighted = describe(a, torch.tensor([2.0, 1, 1]).reshape(1, 1, 1, 3))
    torch.testing.assert_close(compare(weighted, describe(b)), difference(twice, b))
    torch.testing.assert_close(compare(describe(b), weighted), difference(b, twice))


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
    assert 0 < error.item() < 10
    assert flat.grad.isfinite().all() and flat.grad.any()
    picture = other.clone().requires_grad_()
    difference((picture, picture), (flat.detach(), flat.detach())).sum().backward()
    assert picture.grad.isfinite().all() and picture.grad.any()
    assert difference((flat, flat), (flat, flat)).item() == 0


def test_a_step_down_the_gradient_comes_closer(rng):
    a, b = layers(rng), layers(rng)
    for m in a:
        m.requires_grad_()
    before = difference(a, b)
    gradients = torch.autograd.grad(before.sum(), a)
    closer = tuple(m - 1e-3 * g for m, g in zip(a, gradients, strict=True))
    assert (difference(closer, b) < before).all()


def test_several_styles_are_one_with_all_their_positions(rng):
    a, one, other = layers(rng, SAME), layers(rng, SAME), layers(rng, SAME)
    both = combine_targets([describe(one), describe(other)])
    stacked = tuple(torch.cat([m, n], 2) for m, n in zip(one, other, strict=True))
    torch.testing.assert_close(compare(describe(a), both), difference(a, stacked))
    assert torch.equal(target_norm(both), torch.ones(2, dtype=torch.float64))


def test_half_precision_is_computed_in_float32(rng):
    a, b = (tuple(300 * m.float() for m in layers(rng)) for _ in range(2))
    halves = tuple(m.half() for m in a), tuple(m.half() for m in b)
    found = difference(*halves)
    assert found.dtype == torch.float32
    assert torch.equal(found, difference(*(tuple(m.float() for m in x) for x in halves)))


def test_the_grid_is_bounded(rng):
    large = (torch.rand(1, 2, 60, 60, generator=rng),)
    assert describe(large)[0].shape == (1, 2025, 2)
    assert describe(large, positions=100)[0].shape == (1, 100, 2)
    with pytest.raises(SettingsError, match="at least 1 position"):
        describe(large, positions=0)


def test_a_weight_below_zero_is_refused(rng):
    a = layers(rng)
    with pytest.raises(SettingsError, match="moments=-1: expected a weight of 0 or more"):
        difference(a, a, moments=-1)
