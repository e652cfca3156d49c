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
from swag_lab.experiments.comparisons import level, sheet, words
from swag_lab.experiments.fronts import fronts, judges_of, of_variant
from swag_lab.experiments.job import StudyJob, StudyRun
from swag_lab.experiments.studies.longer_runs import LONGER, longer
from swag_lab.experiments.studies.pairs import P_RESNET
from swag_lab.experiments.studies.shape import BALANCED, late, shape_label
from swag_lab.experiments.study import Plan, Row, Section

LETTERS = ("paper", "released-code")
TAKEN = (
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
    """The settings of a preset, by the names of this network's layers."""
    own = {key: PRESETS[name].values[key] for key in TAKEN}
    return own if name == "paper" else own | {"smoothing": late(network)}


def jobs(plan: Plan) -> list[StudyJob]:
    """Both presets, with as many steps as the longer runs, on half of the units."""
    made: list[StudyJob] = []
    for name in LETTERS:
        settings = {**preset_settings(name, P_RESNET), "steps": LONGER * plan.steps}
        made += plan.single(to_the_letter(name), P_RESNET, settings, units=plan.half)
    return made


def sections(plan: Plan, runs: list[StudyRun]) -> list[Section]:
    """Both errors of each preset, and their distance above the front without smoothing."""
    found = {name: _above(runs, to_the_letter(name)) for name in LETTERS}
    told = [
        words(
            found[name],
            f"At its own content error `{name}` is better than no smoothing",
        )
        for name in LETTERS
        if of_variant(runs, to_the_letter(name))
    ]
    return [
        Section(
            "(f) The published settings",
            "The paper: its formula mends ResNet. The script is taken for that formula.",
            " ".join(told),
            "see the p of each row",
            table=[row for name in LETTERS for row in _row(runs, name, found[name])],
            figure=sheet(plan, runs, [to_the_letter(name) for name in LETTERS]),
            note="torch's L-BFGS without a line search, one scale, style 1e17 against content 1; "
            f"against each layer in its own span, as many steps ({LONGER} times the usual).",
        )
    ]


def _above(runs: list[StudyRun], variant: str) -> Comparison | None:
    """Style errors of a variant's points less those of the front at their content errors."""
    sides = of_variant(runs, variant), of_variant(runs, longer(shape_label(P_RESNET, BALANCED)))
    if not all(sides):
        return None
    judges = judges_of(*sides)
    points, against = (fronts(side, "sliced", judges) for side in sides)
    return compare(
        [height_above(points[unit][0], against[unit]) for unit in points if unit in against]
    )


def _row(runs: list[StudyRun], name: str, found: Comparison | None) -> list[Row]:
    variant = to_the_letter(name)
    if not of_variant(runs, variant):
        return []
    row: Row = {
        "variant": variant,
        "style error": level(runs, variant),
        "content error": level(runs, variant, "content"),
        "above the front": None if found is None else found.mean,
        "low": None if found is None else found.low,
        "high": None if found is None else found.high,
        "p": None if found is None else found.p,
        "sure": "no content error in common" if found is None else found.certainty,
    }
    return [row]
