"""Shares and rankings of answers, against SciPy and against studies with known strengths."""

import math
import random

import pytest
from scipy.stats import binomtest

from swag.web.ranking import PairAnswer, bradley_terry, shares, wilson

TRUE = {"a": 1.0, "b": 0.3, "c": -0.3, "d": -1.0}


def answers(count: int, *, seed: int, undecided: float = 0.0) -> list[PairAnswer]:
    """What people would say for whom the methods have the strengths of `TRUE`."""
    rng = random.Random(seed)
    found = []
    for _ in range(count):
        first, second = rng.sample(sorted(TRUE), 2)
        chance = 1 / (1 + math.exp(TRUE[second] - TRUE[first]))
        outcome = "first" if rng.random() < chance else "second"
        found.append(PairAnswer(first, second, "neither" if rng.random() < undecided else outcome))
    return found


@pytest.mark.parametrize(("won", "trials"), [(0, 1), (1, 1), (0, 10), (7, 10), (50, 100), (3, 900)])
def test_wilson_is_that_of_scipy(won: int, trials: int):
    expected = binomtest(won, trials).proportion_ci(0.95, method="wilson")
    assert wilson(won, trials) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_without_trials_any_share_is_possible():
    assert wilson(0, 0) == (0, 1)


def test_shares_count_what_was_decided():
    first, second = shares(
        [PairAnswer("x", "y", "first")] * 3
        + [PairAnswer("y", "x", "first"), PairAnswer("x", "y", "neither")]
    )
    assert (first.method, first.won, first.lost, first.undecided) == ("x", 3, 1, 1)
    assert (second.method, second.won, second.lost, second.share) == ("y", 1, 3, 0.25)
    assert first.low < 0.75 < first.high


def test_strengths_are_found_again():
    found = {row.method: row for row in bradley_terry(answers(20_000, seed=1))}
    assert list(found) == ["a", "b", "c", "d"]
    for name, true in TRUE.items():
        assert found[name].strength == pytest.approx(true, abs=0.06)


def test_two_methods_have_the_odds_of_their_wins():
    rows = bradley_terry(
        [PairAnswer("x", "y", "first")] * 300 + [PairAnswer("x", "y", "second")] * 100
    )
    assert rows[0].strength - rows[1].strength == pytest.approx(math.log(3), abs=5e-3)


def test_intervals_hold_the_truth_as_often_as_they_say():
    studies = [bradley_terry(answers(200, seed=seed)) for seed in range(200)]
    rows = [row for study in studies for row in study]
    held = sum(row.low <= TRUE[row.method] <= row.high for row in rows) / len(rows)
    assert 0.93 < held < 0.98


def test_a_method_that_never_lost_has_a_finite_strength():
    rows = bradley_terry([PairAnswer("x", "y", "first")] * 20)
    assert rows[0].method == "x"
    assert 1 < rows[0].strength < 10
    assert math.isfinite(rows[0].high)


def test_cannot_say_brings_methods_together():
    sure = bradley_terry(answers(4000, seed=2))
    unsure = bradley_terry(answers(4000, seed=2, undecided=0.5))
    assert 0 < unsure[0].strength < 0.7 * sure[0].strength


def test_nobody_who_could_say_makes_methods_equal():
    for row in bradley_terry([PairAnswer("x", "y", "neither")] * 9):
        assert row.strength == pytest.approx(0, abs=1e-9)


def test_without_answers_there_is_no_ranking():
    assert shares([]) == [] == bradley_terry([])
