"""The Bures loss against matrix square roots by SciPy, and where covariances have no inverse."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from scipy.stats import ortho_group

from swag.losses import bures
from swag.losses.bures import RIDGE
from swag.losses.loss import loss_of

LOSS = loss_of(bures, "summary", "reference", role="style")


def difference(a, b, mask=None):
    return bures.compare(bures.describe(a, mask), bures.describe(b))


def normal(positions):
    """Mean and covariance of positions in the columns."""
    return positions.mean(1), np.cov(positions, bias=True).reshape(len(positions), -1)


def by_roots(a, b, ridge=0.0):
    """|mu_a - mu_b|^2 + tr(A + B - 2 (B^1/2 A B^1/2)^1/2) of covariances with this ridge."""
    (mu_a, a), (mu_b, b) = normal(a), normal(b)
    on_diagonal = ridge * (np.trace(a) + np.trace(b)) / 2 * np.eye(len(a))
    a, b = a + on_diagonal, b + on_diagonal
    root = sqrtm(b)
    return ((mu_a - mu_b) ** 2).sum() + np.trace(a + b - 2 * sqrtm(root @ a @ root)).real


def columns(features):
    return features[0].flatten(1).numpy()


@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_the_loss_is_the_formula(seed, d):
    source = torch.Generator().manual_seed(seed)
    a, b = (torch.randn(1, d, 3, 5, generator=source, dtype=torch.float64) for _ in range(2))
    expected = by_roots(columns(a), columns(b), RIDGE)
    assert difference(a, b).item() == pytest.approx(expected, rel=1e-9)
    assert difference(b, a).item() == pytest.approx(expected, rel=1e-9)
    assert expected == pytest.approx(by_roots(columns(a), columns(b)), rel=1e-2)


@pytest.mark.parametrize("positions", [1, 2, 4, 40])
def test_the_ridge_changes_the_distance_by_no_more_than_is_said(positions, rng):
    """Of six channels: with fewer positions the covariance has no inverse."""
    a = torch.randn(1, 6, 1, positions, generator=rng, dtype=torch.float64)
    b = torch.randn(1, 6, 1, 3, generator=rng, dtype=torch.float64)
    (_, covariance_a), (_, covariance_b) = (normal(columns(x)) for x in (a, b))
    ridge = RIDGE * (np.trace(covariance_a) + np.trace(covariance_b)) / 2
    mean = ((columns(a).mean(1) - columns(b).mean(1)) ** 2).sum()
    eigenvalues = np.linalg.eigvals(covariance_a @ covariance_b).real.clip(0)
    plain = np.trace(covariance_a + covariance_b) - 2 * np.sqrt(eigenvalues).sum()
    found = difference(a, b).item() - mean
    assert abs(np.sqrt(found) - np.sqrt(plain)) < 2 * np.sqrt(6 * ridge)


def test_of_covariances_that_commute_it_is_between_their_roots():
    a, b = torch.tensor([[4.0, 9.0, 0.0], [1.0, 1.0, 16.0]], dtype=torch.float64)
    described = [(torch.zeros(1, 3).double(), x.diag()[None]) for x in (a, b)]
    ridge = RIDGE * 15.5
    expected = ((a + ridge).sqrt() - (b + ridge).sqrt()).square().sum()
    torch.testing.assert_close(bures.compare(*described)[0], expected)
    assert expected.item() == pytest.approx(1 + 4 + 16, rel=2e-3)


def test_a_picture_moved_by_a_vector_differs_by_its_length(pair):
    moved = pair[0] + torch.tensor([3.0, -1.0, 2.0])[:, None, None]
    torch.testing.assert_close(difference(moved, pair[0]), torch.full((2,), 14.0).double())


def test_a_picture_stretched_about_its_mean_differs_by_the_stretch(pair):
    mean = pair[0].mean((2, 3), keepdim=True)
    expected = 4 * pair[0].var((2, 3), correction=0).sum(1)
    torch.testing.assert_close(
        difference(mean + 3 * (pair[0] - mean), pair[0]), expected, rtol=1e-5, atol=0
    )


def test_turning_the_channels_of_both_changes_nothing(pair):
    turn = torch.from_numpy(ortho_group.rvs(3, random_state=0))
    turned = torch.einsum("ij,nbjhw->nbihw", turn, pair)
    torch.testing.assert_close(difference(*turned), difference(*pair))


def test_the_description_is_mean_and_covariance(pair):
    mean, covariance = bures.describe(pair[0])
    expected_mean, expected_covariance = normal(columns(pair[0]))
    np.testing.assert_allclose(mean[0], expected_mean, rtol=1e-12)
    np.testing.assert_allclose(covariance[0], expected_covariance, rtol=1e-12)


@pytest.mark.parametrize("positions", [1, 2, 30])
def test_equal_pictures_differ_by_nothing_and_stay_as_they_are(positions, rng):
    a = torch.randn(1, 8, 1, positions, generator=rng).relu().requires_grad_()
    error = difference(a, a.detach().clone())
    assert error.item() == 0
    (gradient,) = torch.autograd.grad(error.sum(), a)
    assert gradient.abs().max() < 1e-5


@pytest.mark.parametrize("sizes", [(8, 8), (2, 8), (8, 2), (3, 2)])
def test_the_gradient_is_that_of_the_function(sizes, rng):
    """Of four channels: with fewer positions the covariance has no inverse."""
    a, b = (torch.randn(1, 4, 1, m, generator=rng, dtype=torch.float64) for m in sizes)
    inputs = a.requires_grad_(), b.requires_grad_()
    assert torch.autograd.gradcheck(difference, inputs, eps=1e-7, atol=1e-4)


@pytest.mark.parametrize("wanted", [(True, False), (False, True), (True, True)])
@pytest.mark.parametrize("d", [1, 3, 6])
def test_the_trace_of_the_root_has_the_gradient_of_autograd(d, wanted, rng):
    """The closed form against a root whose steps autograd goes back through, for two pictures."""
    parts = torch.randn(2, 2, d, 2 * d, generator=rng, dtype=torch.float64)
    a, b = (x @ x.mT / (2 * d) for x in parts)
    ridge = torch.tensor([0.1, 0.3], dtype=torch.float64)
    upstream = torch.tensor([1.0, -2.0], dtype=torch.float64)

    def by_autograd(a, b, ridge):
        on_diagonal = ridge[:, None, None] * torch.eye(d, dtype=torch.float64)
        lower = torch.linalg.cholesky(b + on_diagonal)
        product = lower.mT @ (a + on_diagonal) @ lower
        return torch.linalg.eigvalsh(product).sqrt().sum(1)

    found = []
    for function in (bures._TraceOfRoot.apply, by_autograd):
        given = [x.clone().requires_grad_(want) for x, want in zip((a, b), wanted, strict=True)]
        given.append(ridge.clone().requires_grad_())
        value = function(*given)
        inputs = [x for x in given if x.requires_grad]
        found.append((value, *torch.autograd.grad(value, inputs, upstream)))
    for ours, expected in zip(*found, strict=True):
        # Autograd gives half of a symmetric gradient to each side, or all to one: the sum counts.
        ours, expected = (x + x.mT if x.ndim == 3 else x for x in (ours, expected))
        torch.testing.assert_close(ours, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e4])
@pytest.mark.parametrize("positions", [1, 2, 5, 100])
def test_the_gradient_is_bounded_by_how_far_positions_are_spread(scale, positions, rng):
    """2 / sqrt(M) (|A|^1/2 + |B|^1/2), with the norms the traces; 1.1 for the ridge."""
    a = scale * torch.randn(1, 16, 1, positions, generator=rng)
    b = torch.randn(1, 16, 3, 3, generator=rng).relu()
    a, b = (x - x.mean((2, 3), keepdim=True) for x in (a, b))
    a.requires_grad_()
    (gradient,) = torch.autograd.grad(difference(a, b).sum(), a)
    deviations = [x.square().sum(1).mean().sqrt().item() for x in (a, b)]
    assert gradient.norm().item() <= 1.1 * 2 / positions**0.5 * sum(deviations)


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (1, 3, 4, 4)])
@pytest.mark.parametrize("value", [0.0, 0.5])
@pytest.mark.parametrize("target", [0.0, 0.5, 1.0])
def test_nothing_to_see_gives_a_number_and_a_gradient(shape, value, target):
    flat = torch.full(shape, value, requires_grad=True)
    error = difference(flat, torch.full((1, 3, 2, 3), target))
    assert error.item() == pytest.approx(3 * (value - target) ** 2, rel=1e-5, abs=1e-9)
    error.sum().backward()
    assert flat.grad.isfinite().all()


def test_a_gray_picture_against_a_textured_one_has_a_finite_gradient(pair):
    gray = torch.full((2, 1, 4, 5), 0.5).expand(2, 3, 4, 5).clone().requires_grad_()
    for a, b in ((gray, pair[0]), (pair[0], gray), (pair[0].mean(1, keepdim=True) + gray, pair[1])):
        (gradient,) = torch.autograd.grad(difference(a, b).sum(), gray)
        assert gradient.isfinite().all()


def test_float32_bears_channels_that_are_all_alike(rng):
    """A covariance of rank one, with the rounding of many positions."""
    one = torch.randn(1, 1, 128, 128, generator=rng) + 3
    a, b = one.repeat(1, 64, 1, 1), (2 * one).repeat(1, 64, 1, 1)
    found, exact = difference(a, b).item(), difference(a.double(), b.double()).item()
    assert found == pytest.approx(exact, rel=1e-4)


def test_what_is_not_a_number_stays_in_sight(pair):
    for bad in (float("nan"), float("inf")):
        a = pair[0].clone()
        a[0, 0, 0, 0] = bad
        assert difference(a, pair[1]).isfinite().tolist() == [False, True]


@pytest.mark.parametrize("weight", [1.0, 0.25])
def test_weights_that_are_all_alike_change_nothing(pair, weight):
    mask = torch.full((1, 1, 4, 5), weight)
    torch.testing.assert_close(difference(*pair, mask), difference(*pair))


def test_a_mask_leaves_the_chosen_positions_alone(pair):
    mask = torch.zeros(1, 1, 4, 5)
    mask[..., 1:3, :3] = 2.0
    chosen = pair[0][..., 1:3, :3]
    torch.testing.assert_close(difference(*pair, mask), difference(chosen, pair[1]))


def test_where_things_are_makes_no_difference(pair):
    moved = pair[0].flip(2, 3).mT
    torch.testing.assert_close(difference(moved, pair[1]), difference(*pair))


def test_the_size_is_the_error_of_an_empty_picture(pair):
    mean, covariance = bures.describe(pair[1])
    size = bures.target_norm((mean, covariance))
    torch.testing.assert_close(size, difference(torch.zeros_like(pair[1]), pair[1]))
    plain = mean.square().sum(1) + torch.einsum("bii->b", covariance)
    torch.testing.assert_close(size, plain, rtol=1e-2, atol=0)
    assert bures.target_norm(bures.describe(torch.zeros(2, 3, 4, 5))).tolist() == [3, 3]


def test_several_pictures_count_as_one_with_all_their_positions(pair):
    merged = LOSS.combine_targets([bures.describe(x + i) for i, x in enumerate(pair)])
    together = bures.describe(torch.cat([pair[0], pair[1] + 1], dim=3))
    for found, expected in zip(merged, together, strict=True):
        torch.testing.assert_close(found, expected)


def test_of_many_channels_as_many_orthogonal_directions_are_seen_as_are_allowed():
    along = bures.fixed_directions(600)
    torch.testing.assert_close(along @ along.mT, torch.eye(bures.WIDEST, dtype=torch.float64))
    assert torch.equal(along, bures.fixed_directions(600))


@pytest.mark.parametrize("d", [bures.WIDEST, bures.WIDEST + 88])
def test_many_channels_that_vary_alike_differ_as_few_do(d):
    """Between s^2 I and I along any directions: d (s - 1)^2, but for the ridge."""
    mean, eye = torch.zeros(1, d, dtype=torch.float64), torch.eye(d, dtype=torch.float64)[None]
    found = bures.compare((mean, 9 * eye), (mean, eye))
    torch.testing.assert_close(
        found, torch.tensor([4.0 * d], dtype=torch.float64), rtol=2e-3, atol=0
    )


def test_a_channel_among_many_has_a_gradient(rng):
    d = bures.WIDEST + 8
    maps = torch.rand(1, d, 4, 4, generator=rng).requires_grad_()
    target = bures.describe(torch.rand(1, d, 4, 4, generator=rng))
    (gradient,) = torch.autograd.grad(bures.compare(bures.describe(maps), target).sum(), maps)
    assert torch.isfinite(gradient).all()
    assert (gradient.abs().amax((0, 2, 3)) > 0).all()
