"""The content loss on distances within a picture."""

import numpy as np
import pytest
import torch

from swag.errors import SettingsError
from swag.losses.self_similarity import compare, describe, target_norm

DIFFERENT = ((3, 4, 5), (4, 2, 3))
SAME = ((3, 3, 4), (2, 3, 4))


def layers(rng, sizes=DIFFERENT, b=2):
    return tuple(torch.randn(b, *size, generator=rng, dtype=torch.float64) for size in sizes)


def difference(a, b, **options):
    return compare(describe(a, **options), describe(b, **options))


def vectors(maps):
    return np.concatenate([m[0].numpy() for m in maps]).reshape(sum(len(m[0]) for m in maps), -1).T


def normalized(x):
    n = len(x)
    d = np.array([[1 - u @ v / np.sqrt((u @ u) * (v @ v)) for v in x] for u in x])
    for j in range(n):
        d[:, j] /= sum(d[i, j] for i in range(n))
    return d


def test_the_loss_equals_n_times_the_papers(rng):
    a, b = layers(rng, SAME, 1), layers(rng, SAME, 1)
    x, y = normalized(vectors(a)), normalized(vectors(b))
    paper = np.abs(x - y).sum() / len(x) ** 2
    assert difference(a, b).item() == pytest.approx(len(x) * paper, rel=1e-5)


def test_a_closed_form():
    """Three positions, two alike: (0, 0, 1) from each of them; (1/2, 1/2, 0) from the third."""
    a = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]).T.reshape(1, 2, 1, 3)
    shares = 3 * describe((a,))[0, 0]
    expected = torch.tensor([[0, 0, 1], [0, 0, 1], [0.5, 0.5, 0]])
    torch.testing.assert_close(shares, expected, rtol=0, atol=1e-5)
    assert difference((a,), (a.flip(3),)).item() == pytest.approx((1 + 1 + 2) / 3, abs=1e-5)


def test_nothing_differs_from_itself_and_others_do_alike(rng):
    a, b = layers(rng), layers(rng)
    assert torch.equal(difference(a, a), torch.zeros(2, dtype=torch.float64))
    assert (difference(a, b) > 0.05).all()
    torch.testing.assert_close(difference(a, b), difference(b, a))


def test_the_gradient_is_that_of_the_function(rng):
    target = describe(layers(rng))
    a = [m.requires_grad_() for m in layers(rng)]
    assert torch.autograd.gradcheck(lambda *x: compare(describe(x), target), a)


def test_scale_and_rotation_of_the_channels_change_nothing(rng):
    (a,), b = layers(rng, SAME[:1]), layers(rng, SAME[:1])
    lengths = 0.5 + torch.rand(2, 1, 3, 4, generator=rng, dtype=torch.float64)
    turn, _ = torch.linalg.qr(torch.randn(3, 3, generator=rng, dtype=torch.float64))
    turned = torch.einsum("ij,bjhw->bihw", turn, lengths * a)
    torch.testing.assert_close(difference((turned,), b), difference((a,), b), rtol=0, atol=1e-6)


def test_where_things_are_is_what_counts(rng):
    a = layers(rng, SAME)
    order = torch.randperm(12, generator=rng)
    moved = tuple(m.flatten(2)[..., order].reshape(2, -1, 3, 4) for m in a)
    assert (difference(moved, a) > 0.1).all()
    both = tuple(m.flatten(2)[..., order].reshape(2, -1, 3, 4) for m in a)
    b = layers(rng, SAME)
    b_moved = tuple(m.flatten(2)[..., order].reshape(2, -1, 3, 4) for m in b)
    torch.testing.assert_close(difference(both, b_moved), difference(a, b))


def test_pictures_of_different_shape_are_refused(rng):
    a = layers(rng, SAME)
    turned = tuple(m.mT for m in a)
    with pytest.raises(SettingsError, match="3 x 4 and 4 x 3 positions; give pictures of the same"):
        difference(a, turned)


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
    a, b = layers(rng, ((3, 1, 4),)), layers(rng, ((3, 1, 4),))
    mask = torch.tensor([2.0, 1, 1, 1]).reshape(1, 1, 1, 4)
    a_twice, b_twice = ((torch.cat([x[0], x[0][..., :1]], 3),) for x in (a, b))
    found = compare(describe(a, mask), describe(b, mask))
    torch.testing.assert_close(found, difference(a_twice, b_twice))


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
    other = torch.randn(1, 3, *size, generator=rng).requires_grad_()
    for a, b in [(flat, other), (other, flat), (flat, flat)]:
        error = difference((a, a), (b.detach(), b.detach()))
        (gradient,) = torch.autograd.grad(error.sum(), a)
        assert error.isfinite().all() and gradient.isfinite().all()
    if size == (4, 4):
        # Nothing of the flat one's matrix but rounding: the share of the other's that is missing.
        assert difference((other, other), (flat, flat)).item() == pytest.approx(1, abs=0.15)


def test_a_step_down_the_gradient_comes_closer(rng):
    a, b = layers(rng), layers(rng)
    for m in a:
        m.requires_grad_()
    before = difference(a, b)
    gradients = torch.autograd.grad(before.sum(), a)
    closer = tuple(m - 1e-3 * g for m, g in zip(a, gradients, strict=True))
    assert (difference(closer, b) < before).all()


def test_the_magnitude_is_the_sum_of_the_description(rng):
    description = describe(layers(rng))
    torch.testing.assert_close(
        description.sum((1, 2, 3)), target_norm(description), rtol=1e-5, atol=0
    )


def test_the_grid_is_bounded_and_float32_is_enough(rng):
    large = (torch.rand(1, 8, 60, 60, generator=rng), torch.rand(1, 8, 30, 30, generator=rng))
    other = (torch.rand(1, 8, 60, 60, generator=rng), torch.rand(1, 8, 30, 30, generator=rng))
    assert describe(large).shape == (1, 32, 32, 1024)
    assert describe(large, positions=36).shape == (1, 6, 6, 36)
    wide = tuple(m.double() for m in large), tuple(m.double() for m in other)
    assert difference(large, other).item() == pytest.approx(difference(*wide).item(), rel=1e-3)
