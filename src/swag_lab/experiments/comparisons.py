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
    """The gap over all units of several variants, each with its own baseline."""
    return compare([gap for pair in pairs for gap in gaps(runs, *pair).values()])


def rows_of(runs: Sequence[StudyRun], pairs: Iterable[tuple[str, str]]) -> list[Row]:
    """A row for each variant and its baseline that both have runs."""
    return [
        _row(runs, variant, baseline)
        for variant, baseline in pairs
        if of_variant(runs, variant) and of_variant(runs, baseline)
    ]


def _row(runs: Sequence[StudyRun], variant: str, baseline: str) -> Row:
    gaps_by_measure = {m: gap_of(runs, variant, baseline, m) for m in STYLE_MEASURES}
    gap = gaps_by_measure["sliced"]
    noise, base_noise = (_mean_noise(of_variant(runs, name)) for name in (variant, baseline))
    row: Row = {
        "variant": variant,
        "against": baseline,
        "style error": level(runs, variant),
        "content error": level(runs, variant, "content"),
        "gap": _mean(gap),
        "low": None if gap is None else gap.low,
        "high": None if gap is None else gap.high,
        "p": None if gap is None else gap.p,
        "better in": "" if gap is None else f"{gap.below} of {gap.count}",
        "gap (gram)": _mean(gaps_by_measure["gram"]),
        "gap (frechet)": _mean(gaps_by_measure["frechet"]),
        "noise": _mean(compare([noise[u] - base_noise[u] for u in noise if u in base_noise])),
        "failed": sum(run.failed for run in runs if run.job.variant in (variant, baseline)),
        "sure": "no content error in common" if gap is None else gap.certainty,
    }
    return row


def effects(runs: Sequence[StudyRun], pairs: Iterable[tuple[str, str]]) -> bytes:
    """A figure (PNG) of the gaps of several variants."""
    comparisons = {f"{variant} - {base}": gap_of(runs, variant, base) for variant, base in pairs}
    return figures.draw_effects(comparisons, x=GAP)


def front_panels(
    runs: Sequence[StudyRun], panels: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, list[Point]]]:
    """Mean fronts by panel and variant, all variants of a panel under the same judges."""
    panel_lines: dict[str, dict[str, list[Point]]] = {}
    for title, variants in panels.items():
        sides = {v: of_variant(runs, v) for v in variants}
        judges = judges_of(*sides.values())
        lines = {v: mean_front(fronts(side, "sliced", judges)) for v, side in sides.items() if side}
        if lines and judges:
            panel_lines[title] = lines
    return panel_lines


def level(runs: Sequence[StudyRun], variant: str, measure: str = "sliced") -> float:
    """An error of a variant that has runs, averaged over its strengths, units and judges."""
    side = of_variant(runs, variant)
    judges = judges_of(side)
    return fmean(mean_error(run.metrics["judges"], measure, judges) for run in side)


def sheet(plan: Plan, runs: Sequence[StudyRun], variants: Sequence[str]) -> bytes:
    """A PNG of some variants' pictures at the middle strength, below names of content and style."""
    units: dict[Unit, str] = {}
    pictures: dict[str, dict[Unit, Any]] = defaultdict(dict)
    for run in runs:
        at_middle = run.job.settings.get("strength", plan.middle) == plan.middle
        if run.job.variant in variants and at_middle:
            units[run.job.unit] = f"{run.job.content.name}\n{run.job.style.name}"
            pictures[run.job.variant][run.job.unit] = run.picture
    # The column of a unit that most variants lack would be mostly empty.
    common = [u for u in units if 2 * sum(u in row for row in pictures.values()) >= len(pictures)]
    rows = {v: [pictures[v].get(u) for u in common] for v in variants if v in pictures}
    if not (rows and common):
        return figures.draw_sheet([""], {"": [None]})
    return figures.draw_sheet([units[u] for u in common], rows)


def spread(runs: Sequence[StudyRun], variant: str) -> Row | None:
    """Mean style error, and its deviation between contents, styles and seeds; None without runs."""
    side = of_variant(runs, variant)
    if not side:
        return None
    points_by_unit = fronts(side, "sliced", judges_of(side))
    values = {unit: fmean(y for _, y in points) for unit, points in points_by_unit.items()}
    names = ("content", "style", "seed")
    return {"variant": variant, "mean": fmean(values.values())} | {
        f"between {name}s": _deviation_between(values, i) for i, name in enumerate(names)
    }


def verdict(comparison: Comparison | None, better: str, worse: str | None = None) -> str:
    """A sentence about a comparison: which way, how far, how sure.

    `worse` is the claim if the error is larger; by default `better` with its words replaced by
    their `OPPOSITES`.
    """
    if comparison is None:
        return "There are no runs with a content error in common."
    if comparison.count < 2:
        return f"No verdict: there is one pair ({comparison.mean:+.3f})."
    if worse is None:
        worse = re.sub("|".join(OPPOSITES), lambda match: OPPOSITES[match[0]], better)
    claim = better if comparison.mean < 0 else worse
    return f"{claim} by {comparison} ({comparison.certainty})."


def effect_section(
    runs: Sequence[StudyRun],
    pairs: Sequence[tuple[str, str]],
    *,
    title: str,
    expected: str,
    finding: str,
    certainty: str = "see the p of each row",
    note: str = "",
) -> Section:
    """The gaps of variants to their baselines, as a table and as a figure."""
    rows, figure = rows_of(runs, pairs), effects(runs, pairs)
    return Section(title, expected, finding, certainty, table=rows, figure=figure, note=note)


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
    finding = "Mean fronts over the units."
    return Section(title, expected, finding, certainty, table=table, figure=figure)


def measured_by(
    runs: Iterable[StudyRun], kind: JobKind, column: str
) -> dict[str, dict[Any, list[Row]]]:
    """The rows that jobs of a kind measured, by variant and by the value in a column."""
    grouped_rows: dict[str, dict[Any, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        if run.job.kind == kind and not run.failed:
            for row in run.metrics["rows"]:
                grouped_rows[run.job.variant][row[column]].append(row)
    return grouped_rows


def means_of(rows: Sequence[Row], names: Iterable[str]) -> dict[str, float]:
    """The mean of each of these columns."""
    return {name: fmean(row[name] for row in rows) for name in names}


def _deviation_between(values: Mapping[Unit, float], part: int) -> float:
    """The standard deviation of the means of groups of units that agree in one part."""
    groups: dict[Any, list[float]] = defaultdict(list)
    for unit, value in values.items():
        groups[unit[part]].append(value)
    return float(np.std([fmean(group) for group in groups.values()]))


def _mean_noise(runs: Iterable[StudyRun]) -> dict[Unit, float]:
    """The noise of each unit's pictures, averaged over strengths."""
    values: dict[Unit, list[float]] = defaultdict(list)
    for run in runs:
        values[run.job.unit].append(float(run.metrics["noise"]))
    return {unit: fmean(noises) for unit, noises in values.items()}


def _mean(comparison: Comparison | None) -> float | None:
    return None if comparison is None else comparison.mean
