"""Quantile functions against optimal transport by linear programming, and how they are sorted."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linprog

from swag.losses import quantiles
from swag.losses.quantiles import ascending, mean_magnitude, pool_quantiles, squared_distances

NUMBERS = st.floats(-10, 10, allow_subnormal=False)
SEEDS = st.integers(0, 2**32 - 1)


def transport(x, y, p, q):
    """The least cost of moving masses p at x to masses q at y, at |x - y|^2 each."""
    cost = (x[:, None] - y[None]) ** 2
    rows = np.kron(np.eye(len(x)), np.ones(len(y)))
    columns = np.kron(np.ones(len(x)), np.eye(len(y)))
    masses = np.concatenate([p, q])
    return linprog(cost.ravel(), A_eq=np.vstack([rows, columns]), b_eq=masses).fun


def of(values, shares=None):
    """The quantile function of one set of numbers."""
    weights = None if shares is None else torch.from_numpy(shares)[None, None]
    return quantiles.quantiles(torch.from_numpy(values)[None, None], weights)


def random_sets(seed, weighted):
    """Two sets of one to seven numbers, some alike, and their shares, some zero."""
    random = np.random.default_rng(seed)
    sets = [random.normal(size=random.integers(1, 8)).round(1) for _ in range(2)]
    shares = [np.full(len(x), 1 / len(x)) for x in sets]
    if weighted:
        shares = [random.uniform(size=len(x)) * (random.uniform(size=len(x)) < 0.8) for x in sets]
        shares = [s / s.sum() if s.sum() else np.full(len(s), 1 / len(s)) for s in shares]
    return *sets, *shares


@given(SEEDS, st.booleans())
def test_the_distance_is_that_of_the_best_transport(seed, weighted):
    x, y, p, q = random_sets(seed, weighted)
    pair = (of(x, p), of(y, q)) if weighted else (of(x), of(y))
    found = squared_distances(*pair).item()
    assert found == pytest.approx(transport(x, y, p, q), abs=1e-9)
    assert squared_distances(*reversed(pair)).item() == pytest.approx(found, abs=1e-12)


def test_of_one_size_it_is_the_mean_square_between_sorted_numbers(rng):
    x, y = torch.randn(2, 2, 3, 50, generator=rng, dtype=torch.float64).numpy()
    expected = ((np.sort(x) - np.sort(y)) ** 2).mean(-1)
    pair = [quantiles.quantiles(torch.from_numpy(values)) for values in (x, y)]
    np.testing.assert_allclose(squared_distances(*pair), expected, rtol=1e-12)


def test_a_hand_made_pair_of_different_sizes():
    """Levels to 1/3: 0 and 1; to 1/2: 3 and 1; to 2/3: 3 and 4; to 1: 6 and 4."""
    found = squared_distances(of(np.array([6.0, 0.0, 3.0])), of(np.array([4.0, 1.0])))
    assert found.item() == pytest.approx(1 / 3 + 4 / 6 + 1 / 6 + 4 / 3)


def test_the_quantile_function_steps_where_the_shares_end():
    values, ends = of(np.array([3.0, 1.0, 2.0]), np.array([0.5, 0.25, 0.25]))
    assert values.tolist() == [[[1.0, 2.0, 3.0]]]
    assert ends.tolist() == [[[0.25, 0.5, 1.0]]]
    assert of(np.array([3.0, 1.0]))[1].tolist() == [[[0.5, 1.0]]]


@given(arrays(np.float32, (2, 3, 9), elements=st.floats(width=32, allow_nan=False)))
def test_floats_are_sorted_by_their_bits(numbers):
    values = torch.from_numpy(numbers)
    order = ascending(values)
    assert torch.equal(values.gather(-1, order), values.sort(-1).values)
    assert torch.equal(order.sort(-1).values, torch.arange(9).expand(2, 3, 9))


def test_long_rows_are_sorted_too(rng):
    values = torch.randn(1, 2, 70_000, generator=rng) * 1e3
    assert torch.equal(values.gather(-1, ascending(values)), values.sort(-1).values)


def test_what_is_not_a_number_stays_in_sight():
    values = torch.tensor([[[1.0, float("nan"), -1.0]]])
    pair = quantiles.quantiles(values), quantiles.quantiles(torch.zeros(1, 1, 3))
    assert squared_distances(*pair).isnan().all()


@pytest.mark.parametrize("sizes", [(8, 8), (8, 5), (4, 8)])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_gradient_is_that_of_the_function(sizes, weighted, rng):
    x, y = (torch.randn(2, 3, m, generator=rng, dtype=torch.float64) for m in sizes)
    share = torch.rand(2, 1, sizes[0], generator=rng, dtype=torch.float64) if weighted else None

    def distances(x, y):
        pair = quantiles.quantiles(x, share), quantiles.quantiles(y)
        return squared_distances(*pair)

    x, y = x.requires_grad_(), y.requires_grad_()
    assert torch.autograd.gradcheck(distances, (x, y))


@pytest.mark.parametrize("weighted", [False, True])
def test_a_few_sets_at_a_time_make_no_difference(weighted, rng, monkeypatch):
    x, y = (torch.randn(2, 5, m, generator=rng, dtype=torch.float64) for m in (7, 9))
    share = torch.rand(2, 1, 7, generator=rng, dtype=torch.float64) if weighted else None
    pair = quantiles.quantiles(x, share), quantiles.quantiles(y)
    expected = squared_distances(*pair)
    monkeypatch.setattr(quantiles, "BLOCK", 14)
    assert torch.equal(squared_distances(*pair), expected)


def test_float32_is_enough_for_many_positions(rng):
    x, y = (torch.randn(1, 1, m, generator=rng).relu() for m in (100_003, 90_001))
    narrow, wide = (
        squared_distances(*(quantiles.quantiles(values.to(dtype)) for values in (x, y + 0.1)))
        for dtype in (torch.float32, torch.float64)
    )
    assert narrow.item() == pytest.approx(wide.item(), rel=1e-5)


def test_pictures_thrown_together_count_alike_whatever_their_sizes():
    a, b = np.array([1.0, 5.0]), np.array([4.0, 2.0, 3.0])
    shares = np.array([0.25, 0.25, 1 / 6, 1 / 6, 1 / 6])
    together = of(np.concatenate([a, b]), shares)
    for found, expected in zip(pool_quantiles([of(a), of(b)]), together, strict=True):
        torch.testing.assert_close(found, expected)
    weighted = pool_quantiles([of(a, np.array([0.25, 0.75])), of(b)])
    assert weighted[1].tolist()[0][0] == pytest.approx([1 / 8, 7 / 24, 11 / 24, 15 / 24, 1])


def test_a_size_is_the_mean_square_but_never_nothing():
    assert mean_magnitude(of(np.array([3.0, 1.0]))).item() == pytest.approx(5)
    assert mean_magnitude(of(np.array([3.0, 1.0]), np.array([0.25, 0.75]))).item() == pytest.approx(
        3
    )
    assert mean_magnitude(of(np.zeros(3))).item() == 1
    faint = torch.tensor([[[1e-3, 1e-3], [0, 0]]])
    assert mean_magnitude(quantiles.quantiles(faint)).item() == pytest.approx(5e-7)
