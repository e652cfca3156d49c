"""The sliced Wasserstein loss against loops over directions, and what its directions are."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from swag.errors import SettingsError
from swag.losses import histogram, sliced
from swag.losses.loss import loss_of
from swag.losses.sliced import describe_along, random_directions

LOSS = loss_of(sliced, "summary", "reference", role="style")


def difference(a, b, mask=None, **options):
    return sliced.compare(sliced.describe(a, mask, **options), sliced.describe(b, **options))


def by_loops(a, b, directions):
    """The paper's: positions of one picture and of the other, seen along each, sorted, compared."""
    total = 0.0
    for v in directions.numpy():
        seen = [sorted(float(v @ position) for position in x.flatten(1).T.numpy()) for x in (a, b)]
        total += sum((x - y) ** 2 for x, y in zip(*seen, strict=True)) / len(seen[0])
    return total / len(directions)


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 6), st.integers(1, 5))
def test_the_loss_is_the_papers(seed, d, m, count):
    a, b = torch.randn(2, 1, d, m, 1, generator=torch.Generator().manual_seed(seed)).double()
    expected = by_loops(a[0], b[0], random_directions(d, count, seed))
    found = difference(a, b, directions=count, seed=seed)
    assert found.item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_of_one_channel_it_is_the_distance_on_the_line(rng):
    a, b = torch.randn(2, 1, 1, 4, 5, generator=rng, dtype=torch.float64)
    expected = (a.flatten().sort().values - b.flatten().sort().values).square().mean()
    torch.testing.assert_close(difference(a, b)[0], expected)


def test_a_picture_moved_by_a_vector_differs_by_its_length_along_each_direction(pair):
    vector = torch.tensor([3.0, -1.0, 2.0], dtype=torch.float64)
    moved = pair[0] + vector[:, None, None]
    expected = (random_directions(3, 3) @ vector).square().mean()
    torch.testing.assert_close(difference(moved, pair[0]), expected.expand(2))


def test_along_the_axes_it_is_the_histogram_loss(pair):
    axes = torch.eye(3, dtype=torch.float64)
    along = sliced.compare(*(describe_along(x, axes) for x in pair))
    expected = histogram.compare(*(histogram.describe(x) for x in pair))
    torch.testing.assert_close(3 * along, expected)


def test_directions_have_length_one_and_prefer_none():
    directions = random_directions(5, 20_000, seed=3)
    assert directions.shape == (20_000, 5) and directions.dtype == torch.float64
    torch.testing.assert_close(directions.norm(dim=1), torch.ones(20_000).double())
    second = directions.T @ directions / len(directions)
    torch.testing.assert_close(second, torch.eye(5).double() / 5, atol=0.01, rtol=0)
    assert directions.mean(0).abs().max() < 0.02


def test_directions_are_those_of_the_seed_and_disturb_no_other_numbers():
    before = torch.random.get_rng_state()
    assert torch.equal(random_directions(4, 6, seed=1), random_directions(4, 6, seed=1))
    assert not torch.equal(random_directions(4, 6, seed=1), random_directions(4, 6, seed=2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert random_directions(4, 6, seed=2**70).isfinite().all()


def test_there_are_as_many_directions_as_channels_unless_told(rng):
    features = torch.randn(1, 7, 2, 2, generator=rng)
    assert sliced.describe(features)[0].shape == (1, 7, 4)
    assert sliced.describe(features, directions=3)[0].shape == (1, 3, 4)
    described = LOSS.with_options({"directions": "2", "seed": "5"}).describe(features)
    assert torch.equal(described[0], sliced.describe(features, directions=2, seed=5)[0])


def test_too_few_directions_are_refused(rng):
    with pytest.raises(SettingsError, match="-3 directions in 7 dimensions: both must"):
        sliced.describe(torch.randn(1, 7, 2, 2, generator=rng), directions=-3)


def test_where_things_are_makes_no_difference(pair, rng):
    moved = pair[0].flatten(2)[..., torch.randperm(20, generator=rng)].reshape(2, 3, 5, 4)
    torch.testing.assert_close(difference(moved, pair[1]), difference(*pair))


def test_unlike_a_gram_matrix_it_sees_more_than_second_moments():
    """Positions at 1 and -1, or three in four at 0: the same mean and mean square."""
    a = torch.tensor([1.0, -1, 1, -1, 1, -1, 1, -1]).reshape(1, 1, 2, 4)
    b = 2 * torch.tensor([1.0, -1, 0, 0, 0, 0, 0, 0]).reshape(1, 1, 2, 4)
    assert difference(a, b).item() == pytest.approx((2 * 1 + 6 * 1) / 8)


@pytest.mark.parametrize("weight", [1.0, 0.25])
def test_weights_that_are_all_alike_change_nothing(pair, weight):
    mask = torch.full((1, 1, 4, 5), weight)
    torch.testing.assert_close(difference(*pair, mask), difference(*pair))


def test_a_mask_leaves_the_chosen_positions_alone(pair):
    mask = torch.zeros(1, 1, 4, 5)
    mask[..., 1:3, :3] = 2.0
    chosen = pair[0][..., 1:3, :3]
    torch.testing.assert_close(difference(*pair, mask), difference(chosen, pair[1]))


def test_the_gradient_is_that_of_the_function(pair):
    target = sliced.describe(pair[1][..., :3])
    a = pair[0].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: sliced.compare(sliced.describe(x), target), (a,))


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (1, 3, 4, 4)])
@pytest.mark.parametrize("value", [0.0, 0.5])
@pytest.mark.parametrize("target", [0.0, 0.5, 1.0])
def test_nothing_to_see_gives_a_number_and_a_gradient(shape, value, target):
    flat = torch.full(shape, value, requires_grad=True)
    error = difference(flat, torch.full((1, 3, 2, 3), target))
    lengths = random_directions(3, 3).sum(1).square().mean()
    assert error.item() == pytest.approx((value - target) ** 2 * lengths.item(), rel=1e-5, abs=1e-9)
    error.sum().backward()
    assert flat.grad.isfinite().all()


def test_the_size_is_the_error_of_an_empty_picture(pair):
    described = sliced.describe(pair[1])
    torch.testing.assert_close(
        sliced.target_norm(described), difference(torch.zeros_like(pair[1]), pair[1])
    )
    assert sliced.target_norm(sliced.describe(torch.zeros(2, 3, 4, 5))).tolist() == [1, 1]


def test_several_pictures_count_as_one_with_all_their_positions(pair):
    together = torch.cat([pair[0], pair[1]], dim=3)
    merged = LOSS.combine_targets([sliced.describe(pair[0]), sliced.describe(pair[1])])
    found = sliced.compare(merged, sliced.describe(together))
    assert found.abs().max() < 1e-12
    assert difference(pair[0], together).min() > 1e-3


def test_descent_leads_to_the_distribution_of_the_target(rng):
    a, b = torch.randn(2, 1, 2, 6, 6, generator=rng, dtype=torch.float64)
    b = 2 * b + 1
    target, start = sliced.describe(b, directions=8), difference(a, b, directions=8)
    for _ in range(100):
        a = a.detach().requires_grad_()
        error = sliced.compare(sliced.describe(a, directions=8), target)
        (gradient,) = torch.autograd.grad(error.sum(), a)
        a = a - 36 * gradient
    assert error.item() < 0.02 * start.item()
    np.testing.assert_allclose(a.detach().mean((2, 3)), b.mean((2, 3)), atol=0.05)
