"""Study 7: with and without SWAG under every method, in textures and in reconstructions."""

from collections.abc import Iterator
from typing import Any

from swag import config
from swag.config import METHODS
from swag_lab.evaluation.evaluator import mean_error
from swag_lab.evaluation.networks import Network
from swag_lab.evaluation.paired import compare
from swag_lab.experiments.comparisons import (
    effect_section,
    front_section,
    picture_section,
    pooled,
    sheet,
    verdict,
)
from swag_lab.experiments.fronts import judges_of, of_variant
from swag_lab.experiments.job import BASE, StudyJob, StudyRun
from swag_lab.experiments.studies import art
from swag_lab.experiments.studies.given import stylized_networks
from swag_lab.experiments.studies.pairs import P_RESNET, both, smoothed
from swag_lab.experiments.study import SMOOTHED, Plan, Row, Section, Study

ADAM = 3
"""Steps of Adam that replace one step of L-BFGS, which costs as much."""

PARTS = (
    "style_loss",
    "content_loss",
    "palette",
    "parametrization",
    "optimizer",
    "rate",
    "style_rotations",
)
"""The settings in which methods differ."""

TASKS = {"texture": "sliced", "reconstruct": "content"}
"""The tasks without a strength, and the measure of the error of each."""


def method_names() -> list[str]:
    """The methods that smoothing can be added to: `swag` is `gatys` with it."""
    return [name for name in METHODS if name not in ("swag", "instant")]


def networks(plan: Plan) -> list[Network]:
    """The networks that are given, or a bundled one."""
    return stylized_networks(plan, [P_RESNET])


def variant_name(plan: Plan, network: Network, name: str) -> str:
    """The name of a variant: that of the method, or of the task, and of the network if given."""
    return f"{network.name}: {name}" if plan.given else name


def jobs(plan: Plan) -> list[StudyJob]:
    """Every method without and with SWAG; textures and reconstructions."""
    return [*_method_jobs(plan), *_task_jobs(plan)]


def _method_jobs(plan: Plan) -> Iterator[StudyJob]:
    for name in method_names()[:2] if plan.quick else method_names():
        settings = {**plan.work, **method_settings(name, plan.steps)}
        # Other optimizers, with three times the steps and losses that match places, cost 30 times.
        units = min(plan.half, plan.few) if "optimizer" in settings else plan.half
        for network in networks(plan):
            variant = variant_name(plan, network, name)
            yield from both(plan, network, settings, name=variant, units=units)


def _task_jobs(plan: Plan) -> Iterator[StudyJob]:
    for task in TASKS:
        settings, options = {**plan.work, "steps": 2 * plan.steps}, {"task": task}
        for network in networks(plan):
            variant, smooth = variant_name(plan, network, task), {**settings, **SMOOTHED}
            yield from plan.single_jobs(variant, network, settings, **options)
            yield from plan.single_jobs(smoothed(variant), network, smooth, **options)


def method_settings(name: str, steps: int) -> dict[str, Any]:
    """The losses and the optimizer of a method, with as much work for all.

    The study sets the rest (balance, scales) alike for all methods, so that only smoothing and
    method differ.
    """
    method = config.settings(method=name)
    values = {key: getattr(method, key) for key in PARTS}
    defaults = {**dict.fromkeys(PARTS), "style_rotations": False, "palette": 0.0, **BASE}
    changes = {key: value for key, value in values.items() if value != defaults[key]}
    return {**changes, "steps": steps * ADAM} if changes.get("optimizer") == "adam" else changes


def sections(plan: Plan, runs: list[StudyRun]) -> list[Section]:
    """The effect of SWAG under each method; tasks without a strength; pictures."""
    names = [
        variant_name(plan, network, name) for network in networks(plan) for name in method_names()
    ]
    pairs = [(smoothed(name), name) for name in names]
    tasks = {
        variant_name(plan, network, task): task for task in TASKS for network in networks(plan)
    }
    task_rows = [row for variant, task in tasks.items() if (row := _task_row(runs, variant, task))]
    return [
        effect_section(
            runs,
            pairs,
            title="With and without SWAG under every method",
            expected="SWAG improves several methods, not only that of Gatys et al.",
            finding=verdict(pooled(runs, pairs), "Pooled over the methods SWAG helps"),
        ),
        effect_section(
            runs,
            _pairs_against_gatys(plan),
            title="Methods against Gatys'",
            expected="Nothing: the paper does not compare methods.",
            finding="The gap of each method to Gram matrices without smoothing.",
            certainty="see the p of each row; the judge's distance is of the form of `sliced`",
        ),
        Section(
            "Textures and reconstructions",
            "Smoothing also improves textures and reconstructions of content.",
            "The difference in the error, with SWAG less without.",
            "see the p of each row",
            table=task_rows,
            figure=sheet(plan, runs, [v for task in tasks for v in (task, smoothed(task))]),
        ),
        picture_section(
            plan,
            runs,
            [variant for name in names for variant in (name, smoothed(name))],
            expected="With SWAG the picture is the better one.",
        ),
        front_section(
            runs,
            {name: (name, smoothed(name)) for name in names},
            expected="The curve with SWAG lies below.",
        ),
        *art.sections(plan, runs, pairs),
    ]


def _pairs_against_gatys(plan: Plan) -> list[tuple[str, str]]:
    """Pairs of every other method, and of Gatys' with SWAG, against Gatys', on each network."""
    pairs = []
    for network in networks(plan):
        names = {method: variant_name(plan, network, method) for method in method_names()}
        gatys = names.pop("gatys")
        pairs += [(name, gatys) for name in (*names.values(), smoothed(gatys))]
    return pairs


def _task_row(runs: list[StudyRun], variant: str, task: str) -> Row | None:
    plain, smooth = of_variant(runs, variant), of_variant(runs, smoothed(variant))
    judges = judges_of(plain, smooth)
    errors: list[dict[Any, float]] = [
        {run.job.unit: mean_error(run.metrics["judges"], TASKS[task], judges) for run in side}
        for side in (smooth, plain)
    ]
    difference = compare([errors[0][u] - errors[1][u] for u in errors[0] if u in errors[1]])
    if difference is None:
        return None
    return {
        "task": variant,
        "error": TASKS[task],
        "without": sum(errors[1].values()) / len(errors[1]),
        "difference": difference.mean,
        "low": difference.low,
        "high": difference.high,
        "p": difference.p,
        "better in": f"{difference.below} of {difference.count}",
        "sure": difference.certainty,
    }


STUDY = Study(
    "methods",
    "7. SWAG under every method",
    "Does smoothing help other losses, textures and reconstructions?",
    jobs,
    sections=sections,
)
