"""ArtFID with and without SWAG, if its weights exist: a section that two studies share."""

from collections.abc import Sequence

from swag.errors import SwagError
from swag.image import read
from swag_lab.evaluation.artfid import ArtFID, art_fid
from swag_lab.evaluation.paired import compare
from swag_lab.evaluation.perceptual import missing_metric
from swag_lab.experiments.comparisons import verdict
from swag_lab.experiments.fronts import Unit, of_variant
from swag_lab.experiments.job import StudyRun
from swag_lab.experiments.study import Plan, Row, Section

VariantPair = tuple[str, str]
"""A variant with SWAG and the same without."""


def sections(plan: Plan, runs: Sequence[StudyRun], pairs: Sequence[VariantPair]) -> list[Section]:
    """The section on ArtFID, of the pictures at the middle strength.

    No section if a requirement is missing, which the head of the report names. The section states
    an error of `art_fid`, so that the rest of the report is made.
    """
    if missing_metric("artfid") is not None:
        return []
    try:
        by_pair = {pair: scores for pair in pairs if (scores := _scores(plan, runs, pair))}
    except SwagError as error:
        return [_section(plan, f"Nothing: {error}.", ())]
    gap = compare([smooth.value - plain.value for smooth, plain in by_pair.values()])
    finding = "No variant has two pictures with and without SWAG."
    if gap is not None:
        finding = verdict(gap, "With SWAG ArtFID is lower")
    sides = [zip(pair, values, strict=True) for pair, values in by_pair.items()]
    return [_section(plan, finding, [_row(*side) for values in sides for side in values])]


def _section(plan: Plan, finding: str, table: Sequence[Row]) -> Section:
    return Section(
        "ArtFID",
        "SWAG lowers it.",
        finding,
        "each variant has one number, without an interval; p is that of the differences",
        table=table,
        note=f"Pictures at strength {plan.middle:g}, the same units with and without SWAG, against "
        "the style pictures of those units. The FID of few pictures is larger than that of many: "
        "only rows of equal number can be compared, and none with published ones.",
    )


def _row(variant: str, score: ArtFID) -> Row:
    return {
        "variant": variant,
        "pictures": score.pictures,
        "LPIPS": score.lpips,
        "FID": score.fid,
        "ArtFID": score.value,
    }


def _scores(
    plan: Plan, runs: Sequence[StudyRun], pair: VariantPair
) -> tuple[ArtFID, ArtFID] | None:
    """ArtFID with and without SWAG on the units that both have; None if fewer than two."""
    smooth, plain = (_at_middle(plan, runs, variant) for variant in pair)
    units = [unit for unit in smooth if unit in plain]
    if len(units) < 2:
        return None
    return _art_fid([smooth[unit] for unit in units]), _art_fid([plain[unit] for unit in units])


def _at_middle(plan: Plan, runs: Sequence[StudyRun], variant: str) -> dict[Unit, StudyRun]:
    return {
        run.job.unit: run
        for run in of_variant(runs, variant)
        if run.job.settings["strength"] == plan.middle
    }


def _art_fid(runs: Sequence[StudyRun]) -> ArtFID:
    jobs = [run.job for run in runs]
    return art_fid(
        [read(run.picture).batch for run in runs],
        [job.content.at(job.size) for job in jobs],
        [job.style.at(job.size) for job in jobs],
    )
