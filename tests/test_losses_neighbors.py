"""Nearest neighbors between hypercolumns, joint and layer by layer."""

import numpy as np
import pytest
import torch

from swag.losses import neighbors
from swag.losses.neighbors import combine_targets, compare, describe, matched, nearest, target_norm


def layers(rng, sizes=((3, 4, 5), (4, 2, 3)), b=2):
    return tuple(torch.randn(b, *size, generator=rng, dtype=torch.float64) for size in sizes)


def difference(a, b, **options):
    return compare(describe(a, **options), describe(b, **options))


def vectors(maps):
    return np.concatenate([m[0].numpy() for m in maps]).reshape(sum(len(m[0]) for m in maps), -1).T


def by_formula(a, b):
    """Mean over positions of the least centered cosine distance."""
    a, b = a - a.mean(0), b - b.mean(0)
    total = 0.0
    for u in a:
        total += min(1 - u @ v / (np.linalg.norm(u) * np.linalg.norm(v)) for v in b)
    return total / len(a)


SAME = ((3, 3, 4), (2, 3, 4))


def test_the_joint_form_equals_its_formula(rng):
    a, b = layers(rng, SAME, 1), layers(rng, ((3, 2, 5), (2, 2, 5)), 1)
    assert difference(a, b).item() == pytest.approx(by_formula(vectors(a), vectors(b)), abs=1e-7)


def test_the_split_form_is_the_mean_of_the_layers(rng):
    a, b = layers(rng, b=1), layers(rng, b=1)
    expected = np.mean(
        [by_formula(vectors((x,)), vectors((y,))) for x, y in zip(a, b, strict=True)]
    )
    assert difference(a, b, split=True).item() == pytest.approx(expected, abs=1e-7)
    assert difference(a, b, split=True).item() != pytest.approx(difference(a, b).item(), rel=0.01)


def test_only_what_the_picture_has_is_asked_of_the_style(rng):
    b = layers(rng, SAME)
    part = tuple(m[..., :2, :] for m in b)
    center = tuple(m - m.mean((2, 3), keepdim=True) for m in part)
    whole = tuple(torch.cat([m, -m], 2) for m in center)  # mean 0 as well
    assert difference(center, whole).max() < 1e-12
    assert difference(whole, center).min() > 0.01


def test_a_closed_form():
    a = torch.tensor([[1.0, 0.0], [-1.0, 0.0]]).T.reshape(1, 2, 1, 2)
    b = torch.tensor([[1.0, 1.0], [-1.0, -1.0]]).T.reshape(1, 2, 1, 2)
    assert difference((a,), (b,)).item() == pytest.approx(1 - 0.5**0.5, abs=1e-6)


@pytest.mark.parametrize("split", [False, True])
def test_nothing_differs_from_itself(rng, split):
    a = layers(rng)
    assert torch.equal(difference(a, a, split=split), torch.zeros(2, dtype=torch.float64))


@pytest.mark.parametrize("split", [False, True])
def test_the_gradient_is_that_of_the_function(rng, split):
    target = describe(layers(rng), split=split)
    a = [m.requires_grad_() for m in layers(rng)]
    assert torch.autograd.gradcheck(lambda *x: compare(describe(x, split=split), target), a)


def test_scale_and_mean_of_a_picture_change_nothing(rng):
    a, b = layers(rng), layers(rng)
    changed = tuple(5 * (m + torch.arange(m.shape[1])[:, None, None]) for m in a)
    torch.testing.assert_close(difference(changed, b), difference(a, b), rtol=0, atol=1e-6)


def test_where_things_are_does_not_count(rng):
    a, b = layers(rng, SAME), layers(rng, SAME)
    order = torch.randperm(12, generator=rng)
    moved = tuple(m.flatten(2)[..., order].reshape(2, -1, 4, 3) for m in a)
    torch.testing.assert_close(difference(moved, b), difference(a, b))
    torch.testing.assert_close(difference(b, moved), difference(b, a))


def test_a_region_is_the_positions_in_it_alone(rng):
    a, b = layers(rng, SAME), layers(rng, SAME)
    mask = torch.zeros(1, 1, 3, 4, dtype=torch.float64)
    mask[..., :2, 1:] = 1
    alone = tuple(m[..., :2, 1:] for m in a), tuple(m[..., :2, 1:] for m in b)
    found = compare(describe(a, 3 * mask), describe(b, mask))
    torch.testing.assert_close(found, difference(*alone))
    ones = torch.ones(1, 1, 3, 4)
    torch.testing.assert_close(compare(describe(a, ones), describe(b, ones)), difference(a, b))


def test_a_weight_counts_as_many_positions(rng):
    a, b = layers(rng, ((3, 1, 3),)), layers(rng, ((3, 1, 3),))
    twice = (torch.cat([a[0], a[0][..., :1]], 3),)
    weighted = describe(a, torch.tensor([2.0, 1, 1]).reshape(1, 1, 1, 3))
    torch.testing.assert_close(compare(weighted, describe(b)), difference(twice, b))


def test_the_pictures_of_a_batch_do_not_mix(rng):
    a, b = layers(rng, b=3), layers(rng, b=3)
    alone = [
        difference(tuple(m[i : i + 1] for m in a), tuple(m[i : i + 1] for m in b)) for i in range(3)
    ]
    torch.testing.assert_close(difference(a, b), torch.cat(alone))


@pytest.mark.parametrize("value", [0.0, 0.5])
@pytest.mark.parametrize("size", [(1, 1), (4, 4)])
@pytest.mark.parametrize("split", [False, True])
def test_flat_and_tiny_pictures_give_a_result(rng, value, size, split):
    flat = torch.full((1, 3, *size), value, requires_grad=True)
    other = torch.randn(1, 3, 4, 4, generator=rng)
    error = difference((flat, flat), (other, other), split=split)
    torch.testing.assert_close(error, torch.tensor([0.5]))  # no direction: half away from any
    error.sum().backward()
    assert flat.grad.isfinite().all()
    to_flat = difference((other, other), (flat.detach(), flat.detach()), split=split)
    torch.testing.assert_close(to_flat, torch.tensor([0.5]))


def test_a_step_down_the_gradient_comes_closer(rng):
    a, b = layers(rng), layers(rng)
    for m in a:
        m.requires_grad_()
    before = difference(a, b)
    gradients = torch.autograd.grad(before.sum(), a)
    closer = tuple(m - 1e-3 * g for m, g in zip(a, gradients, strict=True))
    assert (difference(closer, b) < before).all()


def test_few_distances_are_held_at_a_time_and_nothing_changes(rng, monkeypatch):
    a, b = layers(rng), layers(rng)
    expected = difference(a, b)
    sizes = []
    product = torch.baddbmm
    monkeypatch.setattr(neighbors, "ENTRIES", 90)
    monkeypatch.setattr(
        torch, "baddbmm", lambda *x, **y: sizes.append(product(*x, **y)) or sizes[-1]
    )
    assert torch.equal(difference(a, b), expected)
    assert len(sizes) > 1 and max(part.numel() for part in sizes) <= 90


def test_the_nearest_is_the_nearest(rng):
    a = torch.randn(2, 7, 3, generator=rng)
    b = torch.randn(2, 9, 3, generator=rng)
    weights = torch.ones(2, 9)
    weights[0, :5] = 0
    distances = torch.cdist(a, b)
    distances[0, :, :5] = torch.inf
    assert torch.equal(nearest(a, b, weights), distances.argmin(2))
    index = nearest(a, b, weights)
    for i in range(2):
        assert torch.equal(matched(b, index)[i], b[i][index[i]])


def test_the_nearest_is_found_far_from_the_origin(rng):
    b = torch.rand(1, 50, 3, generator=rng) + 1000
    assert torch.equal(nearest(b, b, torch.ones(1, 50)), torch.arange(50)[None])


def test_several_styles_are_one_with_all_their_positions(rng):
    a, one, other = layers(rng, SAME), layers(rng, SAME), layers(rng, SAME)
    both = combine_targets([describe(one), describe(other)])
    apart = torch.stack([difference(a, one), difference(a, other)])
    assert (compare(describe(a), both) < apart.min(0).values).all()
    assert torch.equal(target_norm(both), torch.ones(2, dtype=torch.float64))


def test_the_grid_is_bounded(rng):
    large = (torch.rand(1, 2, 60, 60, generator=rng),)
    assert [part.shape[1] for part in describe(large)] == [2025, 2025]
    assert describe(large, positions=100)[0].shape == (1, 100, 2)
