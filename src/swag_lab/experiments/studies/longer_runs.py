"""Study 8e: how much of what smoothing does is that it arrives later."""

from typing import Any

from swag_lab.experiments.comparisons import effects, pooled, rows_of, words
from swag_lab.experiments.job import StudyJob, StudyRun
from swag_lab.experiments.studies.pairs import P_DEEP, P_RESNET
from swag_lab.experiments.studies.shape import BALANCED, NOTHING, VARIANTS, shape_label
from swag_lab.experiments.study import Plan, Section

NETWORKS = (P_RESNET, P_DEEP)

LONGER = 4
"""So many times the steps."""

CHOSEN = (NOTHING, "one weight, SWAG", BALANCED, "balanced, SWAG")
AGAINST = (("one weight, SWAG", NOTHING), ("balanced, SWAG", BALANCED), (BALANCED, NOTHING))


def longer(label: str) -> str:
    """The name of a variant with more steps."""
    return f"{label}, {LONGER} x the steps"


def jobs(plan: Plan) -> list[StudyJob]:
    """The core of study 8a with more steps, on half of the units."""
    made: list[StudyJob] = []
    more_steps: dict[str, Any] = {"steps": LONGER * plan.steps}
    for network in NETWORKS[:1] if plan.quick else NETWORKS:
        for name in CHOSEN[2:] if plan.quick else CHOSEN:
            settings, options = VARIANTS[name]
            made += plan.front(
                longer(shape_label(network, name)),
                network,
                {**settings, **more_steps},
                units=plan.half,
                **options,
            )
    return made


def sections(plan: Plan, runs: list[StudyRun]) -> list[Section]:
    """The gaps of study 8a again, and what the steps alone gain."""
    pairs = [
        (longer(shape_label(n, a)), longer(shape_label(n, b))) for n in NETWORKS for a, b in AGAINST
    ]
    more = [
        (longer(shape_label(n, name)), shape_label(n, name)) for n in NETWORKS for name in CHOSEN
    ]
    smooth = pooled(runs, [pair for pair in pairs if pair[0].count("SWAG")])
    spans = pooled(runs, [pair for pair in pairs if not pair[0].count("SWAG")])
    return [
        Section(
            "(e) More steps",
            "Nothing in the paper. A softmax makes a badly conditioned loss, so its pictures may "
            "only be late.",
            words(
                smooth,
                f"With {LONGER} times the steps SWAG helps",
                f"With {LONGER} times the steps SWAG still hurts",
            )
            + " "
            + words(
                spans,
                "Layers in their own spans are still better than one weight",
                "Layers in their own spans are worse than one weight then",
            ),
            "see the p of each row",
            table=rows_of(runs, [*pairs, *more]),
            figure=effects(runs, pairs),
        )
    ]
