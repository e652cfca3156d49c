"""Whether judges agree with an eye: answers to blind pairs beside the judges' values.

    python -m swag_lab.evaluation.agreement docs/pairs.csv [--without SYSTEM...]

A line of the file is two pictures of one photo and painting: `content`, `style`, the systems `left`
and `right`, the answers to `QUESTIONS` (left, right or same), and for each measure its values
(`MEASURE left`, `MEASURE right`), smaller for the better, empty if the measure's network was
optimized for either picture. `JUDGE sum` is the sum of `JUDGE style` and `JUDGE content`. A second
line of the same photo, painting and systems is a second look at the pair, and only says how well
the eye agrees with itself.
"""

import argparse
import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from statistics import median

from swag.errors import SettingsError, SwagError
from swag.web.ranking import wilson

QUESTIONS = ("more style", "keeps subject", "better")
"""Which picture has more of the painting's style, keeps the photo's subject, is better overall."""
SIDES = ("left", "right")


@dataclass(frozen=True)
class SeenPair:
    """Two pictures, the eye's answer to each question, and the difference of each measure.

    A difference is the left value less the right: below 0 if the measure prefers the left picture.
    """

    unit: tuple[str, str]
    systems: tuple[str, str]
    answers: Mapping[str, str]
    differences: Mapping[str, float]

    def look(self, question: str) -> str:
        """The system that the eye chose, or `same`."""
        chosen = self.answers[question]
        return self.systems[SIDES.index(chosen)] if chosen in SIDES else chosen


def read_pairs(path: Path) -> list[SeenPair]:
    """The pairs of a file, in its order. SettingsError if it is no list of pairs."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            pairs = [_parse_pair(row) for row in csv.DictReader(file)]
        if not pairs:
            raise ValueError("no line")
    except (KeyError, OSError, ValueError, csv.Error) as error:
        raise SettingsError(
            f"{path} is no list of pairs ({error}); give a CSV file with the columns content, "
            f"style, left, right, {', '.join(QUESTIONS)}, and MEASURE left, MEASURE right"
        ) from error
    return pairs


def agreement_tables(pairs: Sequence[SeenPair]) -> str:
    """Shares of the decided pairs in which measure and eye agree, as tables of Markdown."""
    first, second = _looks(pairs)
    names = list(dict.fromkeys(name for pair in first for name in pair.differences))
    overall = "All", lambda signed: _share([value > 0 for value in signed])
    by_half = (
        "Below and above the median of the measure's differences",
        lambda signed: ", ".join(f"{sum(half)} of {len(half)}" for half in _agreements(signed)),
    )
    tables = [_table(title, first, names, cell=cell) for title, cell in (overall, by_half)]
    repeats = "; ".join(
        f"{q}: {_share([a.look(q) == b.look(q) for a, b in second])}" for q in QUESTIONS
    )
    return "\n\n".join([*tables, f"The eye with itself. {repeats}."])


def _table(
    title: str,
    pairs: Sequence[SeenPair],
    names: Iterable[str],
    *,
    cell: Callable[[Sequence[float]], str],
) -> str:
    rows = [
        " | ".join([name, *(cell(_differences(pairs, name, question)) for question in QUESTIONS)])
        for name in names
    ]
    head = [f"| {title} | {' | '.join(QUESTIONS)} |", f"|---|{'---|' * len(QUESTIONS)}"]
    return "\n".join([*head, *(f"| {row} |" for row in rows)])


def _differences(pairs: Iterable[SeenPair], name: str, question: str) -> list[float]:
    """The differences of the decided pairs, above 0 if measure and eye prefer the same picture."""
    signed = []
    for pair in pairs:
        if name in pair.differences and pair.answers[question] in SIDES:
            sign = -1 if pair.answers[question] == "left" else 1
            signed.append(sign * pair.differences[name])
    return signed


def _share(agree: Sequence[bool]) -> str:
    low, high = wilson(sum(agree), len(agree))
    share = sum(agree) / max(1, len(agree))
    return f"{sum(agree)} of {len(agree)}, {share:.2f} [{low:.2f}, {high:.2f}]"


def _agreements(signed: Sequence[float]) -> tuple[list[bool], list[bool]]:
    """Whether measure and eye agree, for the smaller and for the larger differences."""
    cutoff = median(map(abs, signed)) if signed else 0.0
    below, above = (
        [value > 0 for value in signed if (abs(value) > cutoff) == large] for large in (False, True)
    )
    return below, above


def _looks(
    pairs: Iterable[SeenPair],
) -> tuple[list[SeenPair], list[tuple[SeenPair, SeenPair]]]:
    """First looks, and first with second looks at the pairs that were seen twice."""
    first: dict[tuple[tuple[str, str], frozenset[str]], SeenPair] = {}
    second = []
    for pair in pairs:
        earlier = first.setdefault((pair.unit, frozenset(pair.systems)), pair)
        if earlier is not pair:
            second.append((earlier, pair))
    return list(first.values()), second


def _parse_pair(row: Mapping[str, str]) -> SeenPair:
    if None in row or None in row.values():
        raise ValueError(f"a line of {row['content']!r} has more or fewer cells than the head")
    answers = {question: row[question] for question in QUESTIONS}
    for question, answer in answers.items():
        if answer not in (*SIDES, "same"):
            raise ValueError(f"{answer!r} is no answer to {question!r}")
    names = [name.removesuffix(" left") for name in row if name.endswith(" left")]
    values = {name: tuple(row[f"{name} {side}"] for side in SIDES) for name in names}
    differences = {
        name: float(left) - float(right) for name, (left, right) in values.items() if left or right
    }
    for name, difference in differences.items():
        if not isfinite(difference):
            raise ValueError(f"{name} is not finite")
    for judge in [name.removesuffix(" style") for name in differences if name.endswith(" style")]:
        if (content := f"{judge} content") in differences:
            differences[f"{judge} sum"] = differences[f"{judge} style"] + differences[content]
    return SeenPair(
        unit=(row["content"], row["style"]),
        systems=(row["left"], row["right"]),
        answers=answers,
        differences=differences,
    )


def main() -> None:
    """Print the tables of a file, perhaps without some systems."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--without", nargs="+", default=[], metavar="SYSTEM")
    options = parser.parse_args()
    pairs = read_pairs(options.pairs)
    print(agreement_tables([p for p in pairs if not set(options.without) & set(p.systems)]))


if __name__ == "__main__":
    try:
        main()
    except SwagError as error:
        raise SystemExit(f"agreement: {error}") from error
