"""Study 4: why residual networks stay peaky, and whether a leaky ReLU helps."""

from dataclasses import replace
from statistics import fmean

from swag_lab.evaluation.networks import Network
from swag_lab.experiments import figures
from swag_lab.experiments.comparisons import effect_section, gap_of, measured_by, verdict
from swag_lab.experiments.job import StudyJob, StudyRun
from swag_lab.experiments.studies.given import measured_networks
from swag_lab.experiments.studies.pairs import (
    COMMON,
    P_DEEP,
    P_NODEEP,
    P_NORESNET,
    P_RESNET,
    R_DEEP,
    R_NODEEP,
    R_NORESNET50,
    R_RESNET50,
)
from swag_lab.experiments.study import Plan, Row, Section, Study

SLOPES = (0.1, 0.3)
COLUMNS = ("kept", "still largest", "lowered", "found of needed")
BASE = "r-deep, one weight"


def suppression_networks(plan: Plan) -> list[Network]:
    """Residual networks and their plain twins, or those that are given."""
    small = [R_DEEP, R_NODEEP, P_RESNET, P_NORESNET, P_DEEP, P_NODEEP]
    large = [] if plan.quick else [R_RESNET50, R_NORESNET50]
    return [_unfolded(network) for network in measured_networks(plan, [*small, *large])]


def leaky(slope: float) -> str:
    """The name of the variant with leaky ReLUs of this slope."""
    return f"r-deep, leaky {slope}"


def jobs(plan: Plan) -> list[StudyJob]:
    """Measurements of the largest entries; fronts with leaky ReLUs in the paper's setting.

    No leaky ReLUs for given networks: they were not trained with them.
    """
    all_jobs = [
        job
        for network in suppression_networks(plan)
        for job in plan.measurement_jobs("suppression", network.name, network)
    ]
    if plan.given:
        return all_jobs
    all_jobs += plan.front_jobs(BASE, R_DEEP, weighed_by=COMMON)
    for slope in SLOPES:
        all_jobs += plan.front_jobs(leaky(slope), replace(R_DEEP, slope=slope), weighed_by=COMMON)
    return all_jobs


def mean_of_blocks(runs: list[StudyRun]) -> dict[str, list[Row]]:
    """For each network a row for each block: the means over the style pictures."""
    return {
        name: [
            {"network": name, "block": block, "depth": rows[0]["depth"]}
            | {column: _mean([row[column] for row in rows]) for column in COLUMNS}
            for block, rows in blocks.items()
        ]
        for name, blocks in measured_by(runs, "suppression", "block").items()
    }


def sections(plan: Plan, runs: list[StudyRun]) -> list[Section]:
    """The fate of the largest entries by depth; the effect of leaky ReLUs."""
    rows_by_network = mean_of_blocks(runs)
    panels = {
        column: {
            name: ([row["depth"] for row in rows], [row[column] for row in rows])
            for name, rows in rows_by_network.items()
            if rows[0][column] is not None
        }
        for column in COLUMNS
    }
    fates = Section(
        "The largest hundredth of a block's input",
        "A residual block cannot suppress its largest inputs: that takes a large negative "
        "residual. A plain block can.",
        _finding(rows_by_network),
        "measured; the mean over the style pictures",
        table=[row for rows in rows_by_network.values() for row in rows],
        figure=figures.curves({k: v for k, v in panels.items() if v} or {"": {}}, x="depth"),
        note="`still largest` is 0.01 by chance. `kept` compares with the mean of the layer.",
    )
    return [fates] if plan.given else [fates, _leaky_section(runs)]


def _leaky_section(runs: list[StudyRun]) -> Section:
    pairs = [(leaky(slope), BASE) for slope in SLOPES]
    return effect_section(
        runs,
        pairs,
        title="Leaky ReLUs",
        expected="The authors, asked by a reader, expected that a leaky ReLU might help, too.",
        finding=verdict(gap_of(runs, *pairs[0]), f"A slope of {SLOPES[0]} helps"),
    )


def _unfolded(network: Network) -> Network:
    """The network with batch norm as a module of its own, whose output ends a branch."""
    return replace(network, edits=(*network.edits, "no-fold"))


def _finding(rows_by_network: dict[str, list[Row]]) -> str:
    parts = []
    for name, rows in rows_by_network.items():
        means = {column: _mean([row[column] for row in rows]) for column in COLUMNS}
        still_largest = f"{means['still largest']:.0%}"
        text = f"{name}: {still_largest} of the largest are among the largest after a block"
        if means["lowered"] is not None:
            text += (
                f", {means['lowered']:.0%} are lowered by the branch, by "
                f"{means['found of needed']:.0%} of what would bring them to the mean"
            )
        parts.append(text)
    return "; ".join(parts) + "."


def _mean(values: list[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return fmean(numbers) if numbers else None


STUDY = Study(
    "suppression",
    "4. Why residual networks stay peaky",
    "How the largest entries fare through a block, with and without shortcuts; leaky ReLUs.",
    jobs,
    sections=sections,
)
