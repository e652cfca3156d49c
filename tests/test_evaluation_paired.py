"""Paired differences against SciPy, and fronts against cases with known answers."""

import math

import numpy as np
import pytest
from scipy import stats

from swag_lab.evaluation.equal_content import gap, height_above
from swag_lab.evaluation.paired import compare
from swag_lab.experiments.fronts import mean_front

DIFFERENCES = np.random.default_rng(0).normal(0.3, 0.5, 9)


def test_p_is_that_of_an_exact_permutation_test():
    expected = stats.permutation_test(
        (DIFFERENCES,), np.mean, permutation_type="samples", n_resamples=np.inf
    ).pvalue
    assert compare(DIFFERENCES.tolist()).p == pytest.approx(expected)


def test_many_pairs_are_flipped_at_random_to_nearly_the_same_p():
    values = np.random.default_rng(1).normal(0.12, 0.5, 40)
    t = stats.ttest_1samp(values, 0).pvalue
    assert compare(values.tolist()).p == pytest.approx(t, abs=0.02)


def test_the_interval_is_close_to_that_of_students_t():
    values = np.random.default_rng(2).normal(0, 1, 60)
    found = compare(values.tolist())
    low, high = stats.t.interval(0.95, 59, values.mean(), stats.sem(values))
    assert (found.low, found.high) == (pytest.approx(low, abs=0.05), pytest.approx(high, abs=0.05))


def test_equal_sides_differ_by_nothing_and_one_pair_shows_nothing():
    assert compare([0.0, 0.0, 0.0]).p == 1
    one = compare([-0.5, math.nan])
    assert (one.count, one.p, one.below) == (1, 1, 1)
    assert "one pair" in one.certainty
    assert compare([math.nan]) is None


def test_certainty_follows_p():
    assert compare([-1.0] * 8).certainty == "shown"
    assert compare([-1.0] * 6).certainty == "likely"
    assert compare([-1.0] * 4).certainty == "not shown"


def test_the_gap_of_a_front_to_itself_moved_up_is_how_far_it_was_moved():
    front = [(0.2, 0.9), (0.4, 0.5), (0.8, 0.3)]
    moved = [(x, y + 0.1) for x, y in front]
    assert gap(moved, front) == pytest.approx(0.1)


def test_only_content_errors_that_both_reach_count():
    flat, low = [(0.0, 1.0), (0.5, 1.0)], [(0.4, 0.0), (2.0, 0.0)]
    assert gap(flat, low) == pytest.approx(1)
    assert math.isnan(gap([(0.0, 1.0), (0.3, 0.5)], low))
    assert math.isnan(gap([(0.5, 1.0)], low))


def test_a_point_stands_above_a_front_at_its_own_content_error():
    front = [(0.2, 0.9), (0.4, 0.5), (0.8, 0.3)]
    assert height_above((0.3, 0.9), front) == pytest.approx(0.2)
    assert height_above((0.8, 0.1), front) == pytest.approx(-0.2)
    assert math.isnan(height_above((0.1, 0.5), front))
    assert math.isnan(height_above((0.9, 0.5), front))


def test_the_mean_front_averages_the_points_of_complete_units():
    points = {("a", "s", 0): [(0.0, 1.0), (1.0, 0.0)], ("b", "s", 0): [(0.2, 0.8), (0.6, 0.4)],
              ("c", "s", 0): [(9.0, 9.0)]}  # fmt: skip
    assert np.allclose(mean_front(points), [(0.1, 0.9), (0.8, 0.2)])
    assert mean_front({}) == []
