"""Variants against their baselines: rows, figures, sentences and sections that studies share."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np

from swag_lab.evaluation.equal_content import Point
from swag_lab.evaluation.evaluator import STYLE_MEASURES, mean_error
from swag_lab.evaluation.paired import Comparison, compare
from swag_lab.experiments import figures
from swag_lab.experiments.fronts import Unit, fronts, gaps, judges_of, mean_front, of_variant
from swag_lab.experiments.job import JobKind, StudyRun
from swag_lab.experiments.study import Plan, Row, Section

GAP = "gap of style errors at equal content error (below 0: better)"

OPPOSITES = {"better": "worse", "lower": "higher", "helps": "hurts", "help": "hurt"}


def gap_of(
    runs: Sequence[StudyRun], variant: str, baseline: str, measure: str = "sliced"
) -> Comparison | None:
    """The gap of the fronts of a variant and its baseline, over all units; None without runs."""
    return compare(list(gaps(runs, variant, baseline, measure).values()))


def pooled(runs: Sequence[StudyRun], pairs: Iterable[tuple[str, str]]) -> Comparison | None:
    """The same over several variants, each with its own baseline."""
    return compare([gap for pair in pairs for gap in gaps(runs, *pair).values()])


def rows_of(runs: Sequence[StudyRun], pairs: Iterable[tuple[str, str]]) -> list[Row]:
    """A row for each variant and its baseline that both have runs."""
    return [
        _row(runs, variant, baseline)
        for variant, baseline in pairs
        if of_variant(runs, variant) and of_variant(runs, baseline)
    ]


def _row(runs: Sequence[StudyRun], variant: str, baseline: str) -> Row:
    found = {m: gap_of(runs, variant, baseline, m) for m in STYLE_MEASURES}
    main = found["sliced"]
    ours, theirs = (_mean_noise(of_variant(runs, name)) for name in (variant, baseline))
    row: Row = {
        "variant": variant,
        "against": baseline,
        "style error": level(runs, variant),
        "content error": level(runs, variant, "content"),
        "gap": _mean(main),
        "low": None if main is None else main.low,
        "high": None if main is None else main.high,
        "p": None if main is None else main.p,
        "better in": "" if main is None else f"{main.below} of {main.count}",
        "gap (gram)": _mean(found["gram"]),
        "gap (frechet)": _mean(found["frechet"]),
        "noise": _mean(compare([ours[unit] - theirs[unit] for unit in ours if unit in theirs])),
        "failed": sum(run.failed for run in runs if run.job.variant in (variant, baseline)),
        "sure": "no content error in common" if main is None else main.certainty,
    }
    return row


def effects(runs: Sequence[StudyRun], pairs: Iterable[tuple[str, str]]) -> bytes:
    """A figure of the gaps of several variants."""
    found = {f"{variant} - {base}": gap_of(runs, variant, base) for variant, base in pairs}
    return figures.draw_effects(found, x=GAP)


def front_panels(
    runs: Sequence[StudyRun], panels: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, list[Point]]]:
    """Mean fronts by panel and variant, all of a panel under the same judges."""
    shown: dict[str, dict[str, list[Point]]] = {}
    for title, variants in panels.items():
        sides = {v: of_variant(runs, v) for v in variants}
        judges = judges_of(*sides.values())
        lines = {v: mean_front(fronts(side, "sliced", judges)) for v, side in sides.items() if side}
        if lines and judges:
            shown[title] = lines
    return shown


def level(runs: Sequence[StudyRun], variant: str, measure: str = "sliced") -> float:
    """An error of a variant that has runs, averaged over its strengths, units and judges."""
    side = of_variant(runs, variant)
    judges = judges_of(side)
    return fmean(mean_error(run.metrics["judges"], measure, judges) for run in side)


def sheet(plan: Plan, runs: Sequence[StudyRun], variants: Sequence[str]) -> bytes:
    """The pictures of some variants at the middle strength, with content and style above."""
    units: dict[Unit, str] = {}
    made: dict[str, dict[Unit, Any]] = defaultdict(dict)
    for run in runs:
        at_middle = run.job.settings.get("strength", plan.middle) == plan.middle
        if run.job.variant in variants and at_middle:
            units[run.job.unit] = f"{run.job.content.name}\n{run.job.style.name}"
            made[run.job.variant][run.job.unit] = run.picture
    # Units that most variants lack would be mostly gaps.
    shown = [unit for unit in units if 2 * sum(unit in row for row in made.values()) >= len(made)]
    rows = {v: [made[v].get(unit) for unit in shown] for v in variants if v in made}
    if not (rows and shown):
        return figures.draw_sheet([""], {"": [None]})
    return figures.draw_sheet([units[unit] for unit in shown], rows)


def spread(runs: Sequence[StudyRun], variant: str) -> Row | None:
    """How far style errors vary between contents, between styles, and between seeds."""
    side = of_variant(runs, variant)
    if not side:
        return None
    found = fronts(side, "sliced", judges_of(side))
    values = {unit: fmean(y for _, y in points) for unit, points in found.items()}
    names = ("content", "style", "seed")
    return {"variant": variant, "mean": fmean(values.values())} | {
        f"between {name}s": _between(values, i) for i, name in enumerate(names)
    }


def words(comparison: Comparison | None, better: str, worse: str | None = None) -> str:
    """A sentence about a comparison: which way, how far, how sure.

    `worse` is what to say if there is more of the error; by default `better` with the opposites of
    its words.
    """
    if comparison is None:
        return "There are no runs with a content error in common."
    if comparison.count < 2:
        return f"No verdict: there is one pair ({comparison.mean:+.3f})."
    if worse is None:
        worse = re.sub("|".join(OPPOSITES), lambda word: OPPOSITES[word[0]], better)
    way = better if comparison.mean < 0 else worse
    return f"{way} by {comparison} ({comparison.certainty})."


def effect_section(
    runs: Sequence[StudyRun],
    pairs: Sequence[tuple[str, str]],
    *,
    title: str,
    expected: str,
    found: str,
    certainty: str = "see the p of each row",
    note: str = "",
) -> Section:
    """The gaps of variants to their baselines, as a table and as a figure."""
    rows, figure = rows_of(runs, pairs), effects(runs, pairs)
    return Section(title, expected, found, certainty, table=rows, figure=figure, note=note)


def picture_section(
    plan: Plan,
    runs: Sequence[StudyRun],
    variants: Sequence[str],
    *,
    expected: str,
    title: str = "Pictures",
) -> Section:
    """The pictures of some variants at the middle strength, to be judged by eye."""
    figure = sheet(plan, runs, variants)
    return Section(title, expected, "Pictures at the middle strength.", "by eye", figure=figure)


def front_section(
    runs: Sequence[StudyRun],
    panels: Mapping[str, Sequence[str]],
    *,
    expected: str,
    title: str = "Fronts",
    certainty: str = "see the tables above",
    table: Sequence[Row] = (),
) -> Section:
    """The mean fronts of some variants, a panel for each title."""
    figure = figures.draw_fronts(front_panels(runs, panels) or {"": {}})
    found = "Mean fronts over the units."
    return Section(title, expected, found, certainty, table=table, figure=figure)


def measured_by(
    runs: Iterable[StudyRun], kind: JobKind, column: str
) -> dict[str, dict[Any, list[Row]]]:
    """The rows that jobs of a kind measured, by variant and by what is in a column."""
    found: dict[str, dict[Any, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        if run.job.kind == kind and not run.failed:
            for row in run.metrics["rows"]:
                found[run.job.variant][row[column]].append(row)
    return found


def means_of(rows: Sequence[Row], names: Iterable[str]) -> dict[str, float]:
    """The mean of each of these columns."""
    return {name: fmean(row[name] for row in rows) for name in names}


def _between(values: Mapping[Unit, float], place: int) -> float:
    """The standard deviation of the means of the groups that agree in one part of the unit."""
    groups: dict[Any, list[float]] = defaultdict(list)
    for unit, value in values.items():
        groups[unit[place]].append(value)
    return float(np.std([fmean(group) for group in groups.values()]))


def _mean_noise(runs: Iterable[StudyRun]) -> dict[Unit, float]:
    """The mean over strengths, for each unit."""
    values: dict[Unit, list[float]] = defaultdict(list)
    for run in runs:
        values[run.job.unit].append(float(run.metrics["noise"]))
    return {unit: fmean(found) for unit, found in values.items()}


def _mean(comparison: Comparison | None) -> float | None:
    return None if comparison is None else comparison.mean
