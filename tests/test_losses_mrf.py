"""Patches of a layer against the nearest ones of the style."""

import numpy as np
import pytest
import torch

from swag.errors import SettingsError
from swag.losses.mrf import PATCHES, combine_targets, compare, describe, target_norm


def maps(rng, rows=4, columns=5, b=2, d=3):
    return torch.randn(b, d, rows, columns, generator=rng, dtype=torch.float64)


def difference(a, b, **options):
    return compare(describe(a, **options), describe(b, **options))


def patches_by_loops(features, size):
    _, rows, columns = features.shape
    return [
        features[:, y : y + size, x : x + size].numpy()
        for y in range(rows - size + 1)
        for x in range(columns - size + 1)
    ]


def by_formula(a, b, size):
    """Mean squared difference to the patch of greatest normalized cross-correlation."""
    ours, theirs = patches_by_loops(a[0], size), patches_by_loops(b[0], size)
    total = 0.0
    for p in ours:
        ncc = [(p * q).sum() / np.sqrt((p**2).sum() * (q**2).sum()) for q in theirs]
        total += ((p - theirs[int(np.argmax(ncc))]) ** 2).mean()
    return total / len(ours)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_loss_equals_its_formula(rng, size):
    a, b = maps(rng, b=1), maps(rng, 6, 4, b=1)
    expected = by_formula(a, b, size)
    assert difference(a, b, size=size).item() == pytest.approx(expected, rel=1e-9)


def test_nearest_is_by_direction_and_the_difference_by_length():
    a = torch.tensor([1.0, 0.0]).reshape(1, 2, 1, 1)
    b = torch.tensor([[9.0, 0.0], [1.0, 1.0]]).T.reshape(1, 2, 1, 2)
    assert difference(a, b, size=1).item() == pytest.approx(64 / 2)


def test_nothing_differs_from_itself(rng):
    a = maps(rng)
    assert torch.equal(difference(a, a), torch.zeros(2, dtype=torch.float64))


def test_the_gradient_is_that_of_the_function(rng):
    target = describe(maps(rng))
    a = maps(rng).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: compare(describe(x), target), (a,))


def test_pieces_of_the_style_cost_nothing_and_their_order_within_a_patch_counts(rng):
    b = maps(rng, 6, 7)
    assert torch.equal(difference(b[..., 1:5, 2:6], b), torch.zeros(2, dtype=torch.float64))
    assert (difference(b.flip(3), b) > 0.1).all()
    assert (difference(b, b[..., 1:5, 2:6]) > 0.1).all()


def test_a_region_is_the_patches_within_it(rng):
    a, b = maps(rng, 6, 7), maps(rng, 6, 7)
    mask = torch.zeros(1, 1, 6, 7, dtype=torch.float64)
    mask[..., 1:6, 2:6] = 1
    found = compare(describe(a, 2 * mask), describe(b, mask))
    torch.testing.assert_close(found, difference(a[..., 1:6, 2:6], b[..., 1:6, 2:6]))
    ones = torch.ones(1, 1, 6, 7)
    torch.testing.assert_close(compare(describe(a, ones), describe(b, ones)), difference(a, b))


def test_a_region_too_thin_for_a_patch_counts_by_what_it_has_of_one(rng):
    mask = torch.zeros(1, 1, 5, 5, dtype=torch.float64)
    mask[..., 0, 0] = 1
    _, weights = describe(maps(rng, 5, 5), mask)
    assert weights.tolist() == [[1.0] + [0.0] * 8] * 2
    mask[..., 0, 1] = 1
    _, weights = describe(maps(rng, 5, 5), mask)
    torch.testing.assert_close(weights[0, :3], torch.tensor([2 / 3, 1 / 3, 0]).double())


def test_the_pictures_of_a_batch_do_not_mix(rng):
    a, b = maps(rng, b=3), maps(rng, b=3)
    alone = [difference(x[None], y[None]) for x, y in zip(a, b, strict=True)]
    torch.testing.assert_close(difference(a, b), torch.cat(alone))


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (2, 3), (3, 2)])
def test_a_map_smaller_than_a_patch_is_continued_by_its_edge(rng, size):
    small = maps(rng, *size)
    rows = [min(max(y - (3 - size[0]) // 2, 0), size[0] - 1) for y in range(max(3, size[0]))]
    columns = [min(max(x - (3 - size[1]) // 2, 0), size[1] - 1) for x in range(max(3, size[1]))]
    if size[1] > 3:
        columns = list(range(size[1]))
    continued = small[:, :, rows][..., columns]
    torch.testing.assert_close(describe(small)[0], describe(continued)[0])
    assert (difference(small, maps(rng)) > 0).all()


@pytest.mark.parametrize("value", [0.0, 0.5])
@pytest.mark.parametrize("size", [(1, 1), (4, 4)])
def test_flat_and_tiny_pictures_give_a_result(rng, value, size):
    flat = torch.full((1, 3, *size), value, requires_grad=True)
    other = torch.randn(1, 3, 5, 4, generator=rng)
    for target in (other, flat.detach(), torch.zeros(1, 3, 2, 2)):
        error = difference(flat, target)
        (gradient,) = torch.autograd.grad(error.sum(), flat)
        assert error.isfinite().all() and gradient.isfinite().all()
    assert difference(flat, flat).item() == 0
    assert difference(flat, other).item() > 0.1
    assert difference(other, flat).item() > 0.1


def test_patches_of_nothing_are_like_patches_of_nothing(rng):
    b = maps(rng, 5, 9, b=1)
    b[..., 4:] = 0
    empty = torch.zeros(1, 3, 3, 3, dtype=torch.float64)
    assert difference(empty, b).item() == 0


def test_a_step_down_the_gradient_comes_closer(rng):
    a, b = maps(rng).requires_grad_(), maps(rng)
    before = difference(a, b)
    (gradient,) = torch.autograd.grad(before.sum(), a)
    assert (difference(a - 1e-3 * gradient, b) < before).all()


def test_the_magnitude_is_the_mean_square_of_the_patches(rng):
    b = maps(rng, b=1)
    expected = np.mean([(p**2).mean() for p in patches_by_loops(b[0], 3)])
    assert target_norm(describe(b)).item() == pytest.approx(expected)
    assert target_norm(describe(torch.zeros(2, 3, 4, 4))).tolist() == [1, 1]


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_the_number_of_patches_is_bounded_and_every_position_counts(rng, size):
    large = torch.rand(1, 2, 40, 33, generator=rng).requires_grad_()
    vectors, weights = describe(large, size=size, patches=100)
    assert 50 < vectors.shape[1] <= 100
    assert weights.shape == vectors.shape[:2]
    vectors.square().sum().backward()
    assert (large.grad != 0).float().mean() > 0.9


def test_large_maps_keep_the_bound_and_differ_by_nothing_from_themselves(rng):
    large = torch.rand(1, 2, 128, 128, generator=rng)
    vectors, weights = describe(large, torch.ones(1, 1, 128, 128))
    assert 1000 < vectors.shape[1] <= PATCHES
    assert difference(large, large).item() == 0
    assert weights.sum().item() == pytest.approx(1, rel=1e-4)


def test_several_styles_are_one_with_all_their_patches(rng):
    a, one, other = maps(rng), maps(rng), maps(rng)
    both = combine_targets([describe(one), describe(other)])
    expected = [describe(one)[0], describe(other)[0]]
    assert torch.equal(both[0], torch.cat(expected, 1))
    assert compare(describe(one), both).max() == 0
    assert compare(describe(other), both).max() == 0
    assert compare(describe(a), both).min() > 0


@pytest.mark.parametrize("options", [{"size": 0}, {"patches": 0}])
def test_patches_of_nothing_are_refused(rng, options):
    with pytest.raises(SettingsError, match=r"size=\d+, patches=\d+: expected 1 or more of both"):
        describe(maps(rng), **options)
