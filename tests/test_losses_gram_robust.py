"""Gram matrices compared by slower errors than squares: against SciPy's, and their limits."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import huber, pseudo_huber

from swag.errors import SettingsError
from swag.losses import gram, gram_robust
from swag.losses.gram_robust import ERRORS
from swag.losses.loss import loss_of

LOSS = loss_of(gram_robust, "summary", "reference", role="style")

ORACLES = {
    "l1": lambda c, r: np.abs(r),
    "huber": huber,
    "charbonnier": lambda c, r: pseudo_huber(c, r) / c,
}


@pytest.fixture(params=list(ERRORS))
def penalty(request):
    return request.param


def difference(a, b, mask=None, **options):
    described = gram_robust.describe(a, mask), gram_robust.describe(b)
    return gram_robust.compare(*described, **options)


@given(
    st.sampled_from(list(ORACLES)),
    st.integers(0, 2**32 - 1),
    st.floats(1e-3, 1e3),
    st.floats(1e-2, 1e2),
)
def test_the_error_is_that_of_the_penalty(penalty, seed, scale, corner):
    a, b = scale * np.random.default_rng(seed).normal(size=(2, 3, 3))
    c = corner * np.sqrt(np.mean(b**2))
    expected = ORACLES[penalty](c, a - b).sum()
    a, b = torch.from_numpy(np.stack([a, b]))[:, None]
    found = gram_robust.compare(a, b, penalty=penalty, corner=corner)
    assert found.item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("penalty", "expected"),
    [
        ("l1", 0.5 + 4),
        ("huber", 0.5**2 / 2 + 2 * (4 - 1)),
        ("charbonnier", 4.25**0.5 - 2 + 20**0.5 - 2),
    ],
)
def test_a_hand_made_pair(penalty, expected):
    """A target of root mean square 2, differences of 1/2 and 4, a corner at 2."""
    b = torch.full((1, 2, 2), 2.0)
    a = b + torch.tensor([[0.5, 0.0], [0.0, -4.0]])
    found = gram_robust.compare(a, b, penalty=penalty, corner=1.0)
    assert found.item() == pytest.approx(expected)


def test_the_matrices_are_those_of_gatys(pair):
    mask = torch.rand(1, 1, 4, 5, generator=torch.Generator().manual_seed(1))
    assert torch.equal(gram_robust.describe(pair[0]), gram.describe(pair[0]))
    assert torch.equal(gram_robust.describe(pair[0], mask), gram.describe(pair[0], mask))


def test_with_a_far_corner_huber_is_half_the_square(pair):
    expected = gram.compare(gram.describe(pair[0]), gram.describe(pair[1])) / 2
    torch.testing.assert_close(difference(*pair, penalty="huber", corner=1e6), expected)


@pytest.mark.parametrize("penalty", ["huber", "charbonnier"])
def test_with_a_near_corner_all_are_l1(pair, penalty):
    expected = difference(*pair, penalty="l1")
    found = difference(*pair, penalty=penalty, corner=1e-6)
    if penalty == "huber":
        found = found / (1e-6 * gram.describe(pair[1]).square().mean((1, 2)).sqrt())
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=0)


def test_relative_errors_are_the_same_at_any_scale(pair, penalty):
    def relative(scale):
        target = gram_robust.describe(scale * pair[1])
        size = gram_robust.target_norm(target, penalty=penalty, corner=0.3)
        return difference(*(scale * pair), penalty=penalty, corner=0.3) / size

    torch.testing.assert_close(relative(1e-2), relative(1.0))
    torch.testing.assert_close(relative(1e3), relative(1.0))


def test_one_large_entry_counts_for_less_than_by_squares(penalty):
    b = torch.ones(1, 4, 4)
    a = b + 0.1
    a[0, 0, 0] += 10
    share = 1 - 15 * gram_robust.compare(b + 0.1, b, penalty=penalty) / (
        16 * gram_robust.compare(a, b, penalty=penalty)
    )
    of_squares = 1 - 15 * gram.compare(b + 0.1, b) / (16 * gram.compare(a, b))
    assert share.item() < 0.95 < 0.99 < of_squares.item()


def test_the_gradient_is_that_of_the_function(pair, penalty):
    a, b = pair[0].clone().requires_grad_(), pair[1].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x, y: difference(x, y, penalty=penalty), (a, b))


def test_equal_pictures_differ_by_nothing_and_stay_as_they_are(pair, penalty):
    a = pair[0].clone().requires_grad_()
    error = difference(a, pair[0], penalty=penalty)
    assert error.tolist() == [0, 0]
    (gradient,) = torch.autograd.grad(error.sum(), a)
    assert torch.equal(gradient, torch.zeros_like(a))


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (1, 3, 4, 4)])
@pytest.mark.parametrize("value", [0.0, 0.5])
@pytest.mark.parametrize("target", [0.0, 0.5, 1.0])
def test_nothing_to_see_gives_a_number_and_a_gradient(shape, value, target, penalty):
    flat = torch.full(shape, value, requires_grad=True)
    error = difference(flat, torch.full((1, 3, 2, 3), target), penalty=penalty)
    entry = value**2 - target**2
    c = 0.1 * (target**2 or 1)
    assert error.item() == pytest.approx(9 * ORACLES[penalty](c, entry), rel=1e-5, abs=1e-9)
    error.sum().backward()
    assert flat.grad.isfinite().all()


def test_the_size_is_the_error_of_an_empty_picture(pair, penalty):
    options = {"penalty": penalty, "corner": 0.7}
    size = gram_robust.target_norm(gram_robust.describe(pair[1]), **options)
    expected = difference(torch.zeros_like(pair[1]), pair[1], **options)
    torch.testing.assert_close(size, expected)


def test_of_nothing_it_is_that_of_ones(penalty):
    size = gram_robust.target_norm(torch.zeros(2, 3, 3), penalty=penalty)
    assert size.tolist() == pytest.approx([9 * ORACLES[penalty](0.1, 1)] * 2)


@pytest.mark.parametrize("weight", [1.0, 0.25])
def test_weights_that_are_all_alike_change_nothing(pair, weight):
    mask = torch.full((1, 1, 4, 5), weight)
    torch.testing.assert_close(difference(*pair, mask), difference(*pair))


def test_a_mask_leaves_the_chosen_positions_alone(pair):
    mask = torch.zeros(1, 1, 4, 5)
    mask[..., 1:3, :3] = 2.0
    chosen = pair[0][..., 1:3, :3]
    torch.testing.assert_close(difference(*pair, mask), difference(chosen, pair[1]))


def test_options_reach_the_error_and_the_size(pair):
    loss = LOSS.with_options({"penalty": "charbonnier", "corner": "0.25"})
    a, b = (loss.describe(x) for x in pair)
    options = {"penalty": "charbonnier", "corner": 0.25}
    assert torch.equal(loss.compare(a, b), gram_robust.compare(a, b, **options))
    assert torch.equal(loss.target_norm(b), gram_robust.target_norm(b, **options))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"penalty": "l2"}, "no penalty is called 'l2'; choose l1, huber, charbonnier"),
        ({"corner": 0.0}, "corner=0.0: expected a number above 0"),
        ({"corner": float("nan")}, "corner=nan: expected a number above 0"),
        ({"corner": float("inf")}, "corner=inf: expected a number above 0"),
    ],
)
def test_other_options_are_refused(pair, options, said):
    with pytest.raises(SettingsError, match=said):
        difference(*pair, **options)
