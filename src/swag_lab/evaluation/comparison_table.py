"""The tables of a comparison: levels by strength, and every candidate against the others.

Levels are means over the pairs, under the judges that are no candidate's network, so that all rows
have the same judges. A comparison of two candidates has the judges that are neither's network.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from statistics import fmean
from typing import Any

from swag_lab.evaluation.equal_content import Point, gap, ratio
from swag_lab.evaluation.evaluator import mean_error
from swag_lab.evaluation.networks import Network
from swag_lab.evaluation.paired import compare

MEASURE = "sliced"


@dataclass(frozen=True)
class Score:
    """The numbers that an evaluator found for a candidate's picture."""

    network: Network
    pair: str
    strength: float
    measurements: Mapping[str, Any]

    def point(self, judges: Sequence[str]) -> Point:
        """Content and style error, means over some judges."""
        scores = self.measurements["judges"]
        return mean_error(scores, "content", judges), mean_error(scores, MEASURE, judges)


def comparison_tables(scores: Sequence[Score], judges: Mapping[str, str]) -> str:
    """Both tables. `judges` are the identities of all judges by name (`Network.identity`)."""
    by_name: dict[str, list[Score]] = defaultdict(list)
    for score in scores:
        by_name[score.network.name].append(score)
    networks = {name: group[0].network for name, group in by_name.items()}
    neutral = _neutral_judges(judges, networks.values())
    lines = [
        f"{len({score.pair for score in scores})} pairs; judges of the levels: "
        f"{', '.join(neutral)}.",
        "",
        "| candidate | strength | style error | content error | grain |",
        "|---|---:|---:|---:|---:|",
        *(line for name in by_name for line in _level_rows(name, by_name[name], neutral)),
        "",
        "| candidate | against | style error at equal content error, over the other's "
        "| difference | smaller in | grain, ratio |",
        "|---|---|---:|---:|---:|---:|",
    ]
    # All against the first, then all against each of the others.
    couples = permutations(by_name.values(), 2)
    lines += [_row_against(group, base, judges) for base, group in couples]
    return "\n".join(lines) + "\n"


def _neutral_judges(judges: Mapping[str, str], networks: Iterable[Network]) -> list[str]:
    identities = {network.identity for network in networks}
    return [name for name, identity in judges.items() if identity not in identities]


def _level_rows(name: str, scores: Sequence[Score], judges: Sequence[str]) -> Iterable[str]:
    by_strength: dict[float, list[Score]] = defaultdict(list)
    for score in scores:
        by_strength[score.strength].append(score)
    for strength, group in sorted(by_strength.items()):
        content, style = (fmean(v) for v in zip(*(s.point(judges) for s in group), strict=True))
        grain = fmean(score.measurements["grain"] for score in group)
        yield f"| {name} | {strength:g} | {style:.3f} | {content:.3f} | {grain:.2f} |"


def _row_against(scores: Sequence[Score], base: Sequence[Score], judges: Mapping[str, str]) -> str:
    names = [side[0].network.name for side in (scores, base)]
    neutral = _neutral_judges(judges, [side[0].network for side in (scores, base)])
    fronts, base_fronts = (_fronts(side, neutral) for side in (scores, base))
    common = [pair for pair in fronts if pair in base_fronts]
    ratios = compare([ratio(fronts[pair], base_fronts[pair]) for pair in common])
    gaps = compare([gap(fronts[pair], base_fronts[pair]) for pair in common])
    grains = compare(
        [
            a.measurements["grain"] / b.measurements["grain"]
            for a in scores
            for b in base
            if (a.pair, a.strength) == (b.pair, b.strength)
        ]
    )
    if ratios is None or gaps is None or grains is None:
        return f"| {names[0]} | {names[1]} | no content error in common | | | |"
    return (
        f"| {names[0]} | {names[1]} | {ratios.mean:.3f} [{ratios.low:.3f}, {ratios.high:.3f}] "
        f"| {gaps.mean:+.3f} [{gaps.low:+.3f}, {gaps.high:+.3f}] | {gaps.below} of {gaps.count} "
        f"| {grains.mean:.2f} |"
    )


def _fronts(scores: Sequence[Score], judges: Sequence[str]) -> dict[str, list[Point]]:
    points: dict[str, list[Point]] = defaultdict(list)
    for score in scores:
        points[score.pair].append(score.point(judges))
    return {pair: sorted(front) for pair, front in points.items()}
