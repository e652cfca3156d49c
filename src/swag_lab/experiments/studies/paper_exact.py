"""Study 8f: the paper's formula and the authors' published script, to the letter.

Their weights (1e17 against 1), their optimizer without a line search and one scale make points,
not fronts: each is held against the front without smoothing, at its own content error.
"""

from collections.abc import Mapping
from typing import Any

from swag.config import PRESETS
from swag_lab.evaluation.equal_content import height_above
from swag_lab.evaluation.networks import Network
from swag_lab.evaluation.paired import Comparison, compare
from swag_lab.experiments.comparisons import level, sheet, verdict
from swag_lab.experiments.fronts import fronts, judges_of, of_variant
from swag_lab.experiments.job import StudyJob, StudyRun
from swag_lab.experiments.studies.longer_runs import LONGER, longer
from swag_lab.experiments.studies.pairs import P_RESNET
from swag_lab.experiments.studies.shape import BALANCED, late, shape_label
from swag_lab.experiments.study import Plan, Row, Section

LETTERS = ("paper", "released-code")
PRESET_FIELDS = (
    "method",
    "style_loss",
    "normalization",
    "smoothing",
    "optimizer",
    "scales",
    "pixel_range",
    "total_variation",
    "content_weight",
    "style_weight",
    "square",
)
"""Settings taken from a preset: all but the network, the size and the number of steps."""


def to_the_letter(name: str) -> str:
    """The name of a variant that is a preset."""
    return f"{P_RESNET.name}: {name}, to the letter"


def preset_settings(name: str, network: Network) -> Mapping[str, Any]:
    """The settings of a preset, with the names of this network's layers."""
    values = {key: PRESETS[name].values[key] for key in PRESET_FIELDS}
    return values if name == "paper" else values | {"smoothing": late(network)}


def jobs(plan: Plan) -> list[StudyJob]:
    """Both presets, with as many steps as the longer runs, on half of the units."""
    all_jobs: list[StudyJob] = []
    for name in LETTERS:
        settings = {**preset_settings(name, P_RESNET), "steps": LONGER * plan.steps}
        all_jobs += plan.single_jobs(to_the_letter(name), P_RESNET, settings, units=plan.half)
    return all_jobs


def sections(plan: Plan, runs: list[StudyRun]) -> list[Section]:
    """Both errors of each preset, and their distance above the front without smoothing."""
    comparisons = {name: _height_above_front(runs, to_the_letter(name)) for name in LETTERS}
    sentences = [
        verdict(
            comparisons[name],
            f"At its own content error `{name}` is better than no smoothing",
        )
        for name in LETTERS
        if of_variant(runs, to_the_letter(name))
    ]
    return [
        Section(
            "(f) The published settings",
            "The paper: its formula mends ResNet. The script is taken for that formula.",
            " ".join(sentences),
            "see the p of each row",
            table=[row for name in LETTERS for row in _row(runs, name, comparisons[name])],
            figure=sheet(plan, runs, [to_the_letter(name) for name in LETTERS]),
            note="torch's L-BFGS without a line search, one scale, style 1e17 against content 1; "
            f"against each layer in its own span, as many steps ({LONGER} times the usual).",
        )
    ]


def _height_above_front(runs: list[StudyRun], variant: str) -> Comparison | None:
    """Style errors of a variant's points less those of the front at their content errors."""
    sides = of_variant(runs, variant), of_variant(runs, longer(shape_label(P_RESNET, BALANCED)))
    if not all(sides):
        return None
    judges = judges_of(*sides)
    points, front = (fronts(side, "sliced", judges) for side in sides)
    return compare([height_above(points[unit][0], front[unit]) for unit in points if unit in front])


def _row(runs: list[StudyRun], name: str, height: Comparison | None) -> list[Row]:
    variant = to_the_letter(name)
    if not of_variant(runs, variant):
        return []
    row: Row = {
        "variant": variant,
        "style error": level(runs, variant),
        "content error": level(runs, variant, "content"),
        "above the front": None if height is None else height.mean,
        "low": None if height is None else height.low,
        "high": None if height is None else height.high,
        "p": None if height is None else height.p,
        "sure": "no content error in common" if height is None else height.certainty,
    }
    return [row]
