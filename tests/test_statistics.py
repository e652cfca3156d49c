"""Statistics of activations and Gram matrices."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from swag import statistics
from swag.errors import SettingsError

EVERY = {
    "maximum": statistics.maximum,
    "mean": statistics.mean,
    "standard_deviation": statistics.standard_deviation,
    "sparsity": statistics.sparsity,
    "entropy of sum": statistics.entropy,
    "entropy of softmax": lambda values: statistics.entropy(values, "softmax"),
    "share_of_largest": lambda values: statistics.share_of_largest(values, 0.1),
}


def by_loops(values, name):
    """One picture's statistic, written out."""
    entries = values.flatten().tolist()
    n = len(entries)
    center = sum(entries) / n
    if name.startswith("entropy"):
        kept = [max(v, 0.0) if name == "entropy of sum" else math.exp(v) for v in entries]
        shares = [v / sum(kept) for v in kept]
        return -sum(p * math.log(p) for p in shares if p > 0) / math.log(n)
    if name == "share_of_largest":
        squares = sorted((v * v for v in entries), reverse=True)
        return sum(squares[: math.ceil(0.1 * n)]) / sum(squares)
    return {
        "maximum": max(entries),
        "mean": center,
        "standard_deviation": math.sqrt(sum((v - center) ** 2 for v in entries) / n),
        "sparsity": sum(v <= 0 for v in entries) / n,
    }[name]


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("shape", [(3, 4, 5, 6), (2, 49), (2, 35)])
def test_a_statistic_equals_its_definition(name, shape, rng):
    values = torch.randn(shape, generator=rng, dtype=torch.float64)
    expected = torch.tensor([by_loops(one, name) for one in values], dtype=torch.float64)
    torch.testing.assert_close(EVERY[name](values), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("distribution", ["sum", "softmax"])
@pytest.mark.parametrize("value", [0.3, 1.0, 1e4])
def test_entries_that_are_all_equal_have_entropy_one(distribution, value):
    flat = torch.full((2, 3, 4, 5), value)
    torch.testing.assert_close(
        statistics.entropy(flat, distribution), torch.ones(2, dtype=torch.float64)
    )


def test_k_equal_entries_among_zeros_have_entropy_log_k_over_log_n():
    values = torch.zeros(1, 4, 4, 4)
    values[0, :, 0, 0] = 2.5
    assert statistics.entropy(values).item() == pytest.approx(math.log(4) / math.log(64))


@pytest.mark.parametrize("value", [0.0, -2.0])
def test_without_a_positive_entry_the_entropy_of_the_sum_is_that_of_a_flat_picture(value):
    assert statistics.entropy(torch.full((1, 3, 4, 4), value)).item() == pytest.approx(1.0)


def test_a_single_peak_has_entropy_zero():
    values = torch.zeros(1, 3, 4, 4)
    values[0, 1, 2, 3] = 1e4
    assert statistics.entropy(values).item() == 0.0
    assert statistics.entropy(values, "softmax").item() == pytest.approx(0.0, abs=1e-12)


def test_a_single_entry_has_entropy_one():
    assert statistics.entropy(torch.ones(2, 1)).tolist() == [1.0, 1.0]
    assert statistics.entropy(torch.ones(2, 1), "softmax").tolist() == [1.0, 1.0]


def test_only_the_softmax_entropy_sees_the_size_of_activations(rng):
    values = torch.rand(2, 8, 6, 6, generator=rng)
    torch.testing.assert_close(statistics.entropy(100 * values), statistics.entropy(values))
    assert (
        statistics.entropy(100 * values, "softmax") < statistics.entropy(values, "softmax") - 0.1
    ).all()


@pytest.mark.parametrize("distribution", ["sum", "softmax"])
def test_entropy_survives_the_largest_and_smallest_numbers_of_float32(distribution, rng):
    values = torch.rand(1, 8, 6, 6, generator=rng)
    for size in (1e-38, 1e38):
        entropy = statistics.entropy(values * size, distribution)
        assert entropy.isfinite().all() and 0 <= entropy.item() <= 1


def test_the_largest_entries_of_a_flat_picture_hold_their_own_share():
    for flat in (torch.ones(1, 100), torch.zeros(1, 100)):
        assert statistics.share_of_largest(flat, 0.07).item() == pytest.approx(0.07)
    assert statistics.share_of_largest(torch.ones(1, 100), 1.0).item() == 1.0
    assert statistics.share_of_largest(torch.ones(1, 10), 0.01).item() == pytest.approx(0.1)


def test_size_counts_for_the_share_and_sign_does_not(rng):
    values = torch.randn(2, 50, generator=rng)
    torch.testing.assert_close(
        statistics.share_of_largest(values), statistics.share_of_largest(values.abs())
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.floats(1e-3, 1e3), st.floats(0.01, 1.0))
def test_ranges_and_invariance_to_order(seed, size, fraction):
    rng = torch.Generator().manual_seed(seed)
    values = size * torch.randn(2, 3, 4, 4, generator=rng, dtype=torch.float64)
    moved = values.flatten(1)[:, torch.randperm(48, generator=rng)]
    for name, statistic in EVERY.items():
        torch.testing.assert_close(statistic(values), statistic(moved), msg=name)
    for distribution in statistics.DISTRIBUTIONS:
        entropy = statistics.entropy(values, distribution)
        assert ((entropy >= 0) & (entropy <= 1)).all()
    share = statistics.share_of_largest(values, fraction)
    assert ((share >= fraction - 1e-12) & (share <= 1)).all()


@pytest.mark.parametrize("name", EVERY)
def test_a_batch_gives_what_its_pictures_give(name, rng):
    values = torch.randn(3, 2, 5, 5, generator=rng)
    alone = torch.cat([EVERY[name](one[None]) for one in values])
    torch.testing.assert_close(EVERY[name](values), alone)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_any_precision_is_computed_in_float64(name, dtype, rng):
    values = torch.randn(2, 64, 32, 32, generator=rng).to(dtype)
    assert torch.equal(EVERY[name](values), EVERY[name](values.double()))


@pytest.mark.parametrize("name", EVERY)
def test_numbers_that_are_not_numbers_are_not_hidden(name):
    values = torch.ones(1, 3, 2, 2)
    values[0, 1, 1, 1] = math.nan
    if name != "sparsity":
        assert EVERY[name](values).isnan().all()


def test_numpy_agrees_on_a_layer_of_ordinary_size(rng):
    values = torch.randn(1, 64, 32, 32, generator=rng)
    shares = np.maximum(values.double().numpy(), 0).ravel()
    shares = shares[shares > 0] / shares.sum()
    expected = -(shares * np.log(shares)).sum() / np.log(values.numel())
    assert statistics.entropy(values).item() == pytest.approx(expected, rel=1e-12)


def test_mistakes_are_told():
    with pytest.raises(
        SettingsError, match="no distribution is called 'mean'; choose from sum, soft"
    ):
        statistics.entropy(torch.ones(1, 4), "mean")
    for fraction in (0.0, -0.1, 1.5, math.nan):
        with pytest.raises(SettingsError, match=f"fraction is {fraction}"):
            statistics.share_of_largest(torch.ones(1, 4), fraction)
    with pytest.raises(SettingsError, match="no entries"):
        statistics.mean(torch.ones(1, 0))
