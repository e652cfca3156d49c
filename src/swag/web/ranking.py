"""Statistics of answers to blind pairs: shares with intervals, and a ranking.

    shares(comparisons)      of each method, how often it was preferred, by Wilson
    bradley_terry(comparisons)   strengths that explain who was preferred to whom

The intervals assume independent answers; several answers of one person are not quite.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Preference = Literal["first", "second", "neither"]

Z = 1.959963984540054
"""Standard deviations on either side of the middle that hold 95 % of a normal distribution."""

PRIOR = 3.0
"""Deviation of log strengths, before any answer: keeps a method that never lost finite."""


@dataclass(frozen=True)
class PairAnswer:
    """Two methods that a person saw beside each other, and which was preferred."""

    first: str
    second: str
    outcome: Preference


@dataclass(frozen=True)
class PreferenceShare:
    """How often a method was preferred among the pairs that somebody decided."""

    method: str
    won: int
    lost: int
    undecided: int
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Strength:
    """A log strength, zero on average over the methods: a difference of 1 is odds of e to 1."""

    method: str
    strength: float
    low: float
    high: float


def wilson(successes: int, trials: int, z: float = Z) -> tuple[float, float]:
    """An interval for a share: Wilson's score interval, all of [0, 1] without trials.

    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927.
    """
    if trials == 0:
        return 0.0, 1.0
    share, weight = successes / trials, z * z / trials
    middle = (share + weight / 2) / (1 + weight)
    half = z * sqrt(share * (1 - share) / trials + weight / (4 * trials)) / (1 + weight)
    return max(0.0, middle - half), min(1.0, middle + half)


def methods_of(comparisons: Sequence[PairAnswer]) -> list[str]:
    """The names of the methods, sorted."""
    return sorted({name for answer in comparisons for name in (answer.first, answer.second)})


def shares(comparisons: Sequence[PairAnswer]) -> list[PreferenceShare]:
    """The share of each method, the highest first; undecided answers do not count."""
    rows = []
    for method in methods_of(comparisons):
        answers = [answer for answer in comparisons if method in (answer.first, answer.second)]
        undecided = sum(answer.outcome == "neither" for answer in answers)
        won = sum(a.outcome == ("first" if a.first == method else "second") for a in answers)
        lost = len(answers) - won - undecided
        low, high = wilson(won, won + lost)
        share = won / (won + lost) if won + lost else 0.5
        rows.append(PreferenceShare(method, won, lost, undecided, share=share, low=low, high=high))
    return sorted(rows, key=lambda row: -row.share)


def bradley_terry(comparisons: Sequence[PairAnswer], z: float = Z) -> list[Strength]:
    """The log strength of each method, the highest first: their difference is the log odds.

    Bradley and Terry, "Rank analysis of incomplete block designs", Biometrika 1952. "Cannot say"
    is half a win for either. Strengths are the mode of the posterior under a wide normal prior
    (`PRIOR`), and the intervals are those of its curvature.
    """
    names = methods_of(comparisons)
    if not names:
        return []
    wins = np.zeros((len(names), len(names)))
    index = {name: i for i, name in enumerate(names)}
    for answer in comparisons:
        i, j = index[answer.first], index[answer.second]
        score = {"first": 1.0, "second": 0.0, "neither": 0.5}[answer.outcome]
        wins[i, j] += score
        wins[j, i] += 1 - score
    strengths, covariance = _posterior_mode(wins)
    centering = np.eye(len(names)) - 1 / len(names)
    deviations = np.sqrt(np.diag(centering @ covariance @ centering))
    rows = [
        Strength(name, float(mode), float(mode - z * sd), float(mode + z * sd))
        for name, mode, sd in zip(names, strengths - strengths.mean(), deviations, strict=True)
    ]
    return sorted(rows, key=lambda row: -row.strength)


def _posterior_mode(wins: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The most probable log strengths and their covariance, by Newton's method.

    The logarithm of the posterior is concave; a step is cut to length 1 so that none overshoots.
    """
    strengths = np.zeros(len(wins))
    totals = wins + wins.T
    precision = np.eye(len(wins)) / PRIOR**2
    for _ in range(100):
        expected = 1 / (1 + np.exp(strengths[None] - strengths[:, None]))
        gradient = (wins - totals * expected).sum(1) - strengths / PRIOR**2
        curvature = totals * expected * (1 - expected)
        information = np.diag(curvature.sum(1)) - curvature + precision
        step = np.linalg.solve(information, gradient)
        strengths = strengths + step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < 1e-10:
            break
    return strengths, np.linalg.inv(information)
