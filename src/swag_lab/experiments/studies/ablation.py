"""Study 2: which component makes a residual network poor?"""

from collections.abc import Mapping
from typing import Any

from swag_lab.evaluation.networks import random
from swag_lab.experiments.comparisons import (
    effect_section,
    effects,
    front_section,
    gap_of,
    picture_section,
    rows_of,
    verdict,
)
from swag_lab.experiments.job import StudyJob, StudyRun
from swag_lab.experiments.studies.pairs import (
    COMMON,
    P_DEEP,
    P_NODEEP,
    P_NORESNET,
    P_RESNET,
    P_RESVGG,
    P_VGG,
    R_DEEP,
    R_NODEEP,
    R_NORESNET50,
    R_RESNET,
    R_RESNET50,
    R_VGG,
    one_weight,
)
from swag_lab.experiments.study import Plan, Row, Section, Study
from swag_lab.experiments.twins import BASE as TWIN
from swag_lab.experiments.twins import SHORTER, Twin, top1, twins

SWITCHES: Mapping[str, Mapping[str, Any]] = {
    "no shortcuts": {"shortcuts": False},
    "bottlenecks": {"block": "bottleneck"},
    "stem 3x3": {"stem": 3},
    "stem 7x7": {"stem": 7},
    "no batch norm": {"norm": False},
    "max pooling": {"downsampling": "max"},
    "strides": {"downsampling": "stride"},
    "twice as deep": {"depths": (4, 4, 4, 4)},
    "half as wide": {"widths": (12, 24, 48, 96)},
}
"""One change at a time to the residual network."""

TRAINED = ((P_NORESNET, P_RESNET), (P_VGG, P_RESVGG), (P_NODEEP, P_DEEP))
"""Networks without and with shortcuts, trained on the same pictures."""

BASE = "r-resnet, one weight"
PICTURED_VARIANTS = (BASE, "no shortcuts", "bottlenecks", "max pooling", "r-vgg, one weight")
DEEP_PAIR = ("r-deep, no shortcuts, one weight", "r-deep, one weight")
BALANCED_PAIR = ("r-deep, no shortcuts", "r-deep")
LARGE_PAIR = ("r-resnet50, no shortcuts, one weight", "r-resnet50, one weight")


def trained_alike(epochs: float, *, quick: bool = False) -> list[Twin]:
    """The networks that can be trained for this study: see `Plan.twins`."""
    switches = list(SWITCHES.items())[:1] if quick else SWITCHES.items()
    return twins(dict(switches), epochs)


def jobs(plan: Plan) -> list[StudyJob]:
    """Random networks under one weight of all layers, as in the paper; trained pairs; twins."""
    changes = list(SWITCHES.items())
    all_jobs = plan.front_jobs(BASE, R_RESNET, weighed_by=COMMON)
    for name, change in changes[:2] if plan.quick else changes:
        all_jobs += plan.front_jobs(name, random("swag/resnet", name, **change), weighed_by=COMMON)
    all_jobs += plan.front_jobs("r-vgg, one weight", R_VGG, weighed_by=COMMON)
    for network in (R_DEEP, R_NODEEP):
        all_jobs += plan.front_jobs(one_weight(network.name), network, weighed_by=COMMON)
        all_jobs += plan.front_jobs(network.name, network)
    for pair in TRAINED:
        all_jobs += [job for network in pair for job in plan.front_jobs(network.name, network)]
    for network in plan.twins:
        all_jobs += plan.front_jobs(network.name, network)
        all_jobs += plan.front_jobs(one_weight(network.name), network, weighed_by=COMMON)
    for network in () if plan.quick else (R_RESNET50, R_NORESNET50):
        all_jobs += plan.front_jobs(one_weight(network.name), network, weighed_by=COMMON)
    return all_jobs


def sections(plan: Plan, runs: list[StudyRun]) -> list[Section]:
    """The effect of each component, of shortcuts by depth and training, and pictures."""
    components = [(name, BASE) for name in (*SWITCHES, "r-vgg, one weight")]
    shortcuts = [("no shortcuts", BASE), DEEP_PAIR, BALANCED_PAIR, LARGE_PAIR]
    shortcuts += [(a.name, b.name) for a, b in TRAINED]
    main = gap_of(runs, "no shortcuts", BASE)
    gap_by_switch = {name: gap_of(runs, name, BASE) for name in SWITCHES}
    measured = {name: c for name, c in gap_by_switch.items() if c is not None}
    best = min(measured, key=lambda name: measured[name].mean) if measured else "none"
    deep = gap_of(runs, *DEEP_PAIR)
    return [
        effect_section(
            runs,
            components,
            title="One component at a time, random weights, one weight of all layers",
            expected="Removing the shortcuts is what mends ResNet; stem, pooling, depth and width "
            "matter little.",
            finding=verdict(main, "Removing the shortcuts helps")
            + f" The change that helps most is: {best}.",
        ),
        effect_section(
            runs,
            shortcuts,
            title="Shortcuts, by depth and by training",
            expected="Without shortcuts quality is better, the more so the deeper the network.",
            finding=verdict(deep, "In the deep random pair removing them helps"),
            note="Trained pairs saw the same pictures, but not for equally many passes.",
        ),
        *_twin_sections(plan, runs),
        picture_section(
            plan,
            runs,
            [*PICTURED_VARIANTS, *reversed(DEEP_PAIR), *reversed(LARGE_PAIR)],
            title="Pictures and fronts",
            expected="The picture without shortcuts is the better one.",
        ),
        front_section(
            runs,
            {b: (a, b) for a, b in shortcuts},
            title="Fronts of the pairs",
            expected="The curve without shortcuts lies below.",
        ),
    ]


def _twin_sections(plan: Plan, runs: list[StudyRun]) -> list[Section]:
    """The effect of each component if all networks trained on the same pictures for as long."""
    base = f"t-{TWIN}"
    changed = [network for network in plan.twins if network.name != base]
    if not changed:
        return []
    pairs = [(network.name, base) for network in changed]
    # Both learn little, so that what differs is the shortcuts.
    pairs.append(("t-no shortcuts", f"t-{SHORTER}"))
    one_weight_pairs = [(one_weight(name), one_weight(against)) for name, against in pairs]
    accuracy = {network.name: top1(network) for network in plan.twins}
    rows: list[Row] = [
        {**row, "top-1": accuracy[row["variant"].removesuffix(one_weight(""))]}
        for row in rows_of(runs, [*pairs, *one_weight_pairs])
    ]
    gap_to_shorter = gap_of(runs, "t-no shortcuts", f"t-{SHORTER}")
    gap, one_weight_gap = (gap_of(runs, f("t-no shortcuts"), f(base)) for f in (str, one_weight))
    return [
        Section(
            "One component at a time, trained alike",
            "Removing the shortcuts helps trained networks, too.",
            verdict(gap, "Without shortcuts a network trained as long is better")
            + " "
            + verdict(one_weight_gap, "Under one weight it is better")
            + " "
            + verdict(gap_to_shorter, "Against shortcuts that learnt as little it is better"),
            "see the p of each row",
            table=rows,
            figure=effects(runs, [*pairs, *one_weight_pairs]),
            note=f"Each saw the same pictures in the same order for as many steps. Top-1 of {base} "
            f"is {_percent(accuracy.get(base))}; a change that learns less differs in that, too, "
            "as the one that was trained for a third of the steps does.",
        ),
        picture_section(
            plan,
            runs,
            [base, *(network.name for network in changed)],
            title="Pictures of networks trained alike",
            expected="The picture without shortcuts is the better one.",
        ),
    ]


def _percent(share: float | None) -> str:
    return "not known" if share is None else f"{share:.1%}"


STUDY = Study(
    "ablation",
    "2. Which component makes a residual network poor",
    "Shortcuts, blocks, stem, pooling, batch norm, depth and width, changed one at a time.",
    jobs,
    sections=sections,
)
