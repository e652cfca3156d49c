"""Study 8e: how much of the effect of smoothing is slower convergence."""

from typing import Any

from swag_lab.experiments.comparisons import effects, pooled, rows_of, verdict
from swag_lab.experiments.job import StudyJob, StudyRun
from swag_lab.experiments.studies.pairs import P_DEEP, P_RESNET
from swag_lab.experiments.studies.shape import BALANCED, NOTHING, VARIANTS, shape_label
from swag_lab.experiments.study import Plan, Section

NETWORKS = (P_RESNET, P_DEEP)

LONGER = 4
"""Factor on the number of steps."""

CHOSEN = (NOTHING, "one weight, SWAG", BALANCED, "balanced, SWAG")
AGAINST = (("one weight, SWAG", NOTHING), ("balanced, SWAG", BALANCED), (BALANCED, NOTHING))


def longer(label: str) -> str:
    """The name of a variant with more steps."""
    return f"{label}, {LONGER} x the steps"


def jobs(plan: Plan) -> list[StudyJob]:
    """The core of study 8a with more steps, on half of the units."""
    all_jobs: list[StudyJob] = []
    more_steps: dict[str, Any] = {"steps": LONGER * plan.steps}
    for network in NETWORKS[:1] if plan.quick else NETWORKS:
        for name in CHOSEN[2:] if plan.quick else CHOSEN:
            settings, options = VARIANTS[name]
            all_jobs += plan.front_jobs(
                longer(shape_label(network, name)),
                network,
                {**settings, **more_steps},
                units=plan.half,
                **options,
            )
    return all_jobs


def sections(plan: Plan, runs: list[StudyRun]) -> list[Section]:
    """The gaps of study 8a with more steps, and the gain by more steps alone."""
    pairs = [
        (longer(shape_label(n, a)), longer(shape_label(n, b))) for n in NETWORKS for a, b in AGAINST
    ]
    step_pairs = [
        (longer(shape_label(n, name)), shape_label(n, name)) for n in NETWORKS for name in CHOSEN
    ]
    swag_gap = pooled(runs, [pair for pair in pairs if pair[0].count("SWAG")])
    span_gap = pooled(runs, [pair for pair in pairs if not pair[0].count("SWAG")])
    return [
        Section(
            "(e) More steps",
            "Nothing in the paper. A softmax makes a badly conditioned loss, so its pictures may "
            "only be late.",
            verdict(
                swag_gap,
                f"With {LONGER} times the steps SWAG helps",
                f"With {LONGER} times the steps SWAG still hurts",
            )
            + " "
            + verdict(
                span_gap,
                "Layers in their own spans are still better than one weight",
                "Layers in their own spans are worse than one weight then",
            ),
            "see the p of each row",
            table=rows_of(runs, [*pairs, *step_pairs]),
            figure=effects(runs, pairs),
        )
    ]
