"""Study 3: the paper's four panels, with both ways to make a distribution of activations."""

from swag_lab.evaluation.networks import Network
from swag_lab.experiments import figures
from swag_lab.experiments.comparisons import means_of, measured_by
from swag_lab.experiments.job import StudyJob, StudyRun
from swag_lab.experiments.studies.given import measured_networks
from swag_lab.experiments.studies.pairs import (
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
    R_VGG19,
)
from swag_lab.experiments.study import Plan, Row, Section, Study

PANELS = {
    "(a) maximum of activations": "max F",
    "(b) entropy of F / sum F": "entropy F (sum)",
    "(b) entropy of softmax(F)": "entropy F (softmax)",
    "(c) maximum of Gram matrices": "max G",
    "(d) entropy of G / sum G": "entropy G (sum)",
    "(d) entropy of softmax(G)": "entropy G (softmax)",
}
MAXIMA = tuple(title for title in PANELS if "maximum" in title)


def statistics_networks(plan: Plan) -> list[Network]:
    """The networks of studies 1 and 2, or those that are given."""
    small = [P_RESNET, P_NORESNET, P_VGG, P_RESVGG, P_DEEP, P_NODEEP]
    small += [R_RESNET, R_VGG, R_DEEP, R_NODEEP]
    large = [] if plan.quick else [R_RESNET50, R_NORESNET50, R_VGG19]
    return measured_networks(plan, [*small, *large])


def jobs(plan: Plan) -> list[StudyJob]:
    """Each network on each style picture."""
    return [
        job
        for network in statistics_networks(plan)
        for job in plan.measurement_jobs("statistics", network.name, network)
    ]


def mean_of_layers(runs: list[StudyRun]) -> dict[str, list[Row]]:
    """For each network a row for each layer: the means over the style pictures."""
    return {
        network: [
            {"network": network, "layer": layer, **means_of(rows, PANELS.values())}
            for layer, rows in layers.items()
        ]
        for network, layers in measured_by(runs, "statistics", "layer").items()
    }


def sections(plan: Plan, runs: list[StudyRun]) -> list[Section]:
    """The panels for random and for trained networks, and from first to last layer."""
    rows_by_network = mean_of_layers(runs)
    kinds = {"random": "r-", "trained": "p-"}
    parts = []
    for kind, prefix in kinds.items():
        of_kind = {name: rows for name, rows in rows_by_network.items() if name.startswith(prefix)}
        parts.append(
            Section(
                f"The four panels, {kind} weights",
                "With shortcuts maxima grow and entropies fall with depth; without them they do "
                "not.",
                _finding(of_kind),
                "measured; the mean over the style pictures",
                table=[row for rows in of_kind.values() for row in rows],
                figure=figures.curves(
                    {
                        title: {
                            name: (range(1, len(rows) + 1), [row[key] for row in rows])
                            for name, rows in of_kind.items()
                        }
                        for title, key in PANELS.items()
                    },
                    x="layer",
                    columns=3,
                    logarithmic=MAXIMA,
                ),
                note="Entropies are in natural units over log n. F / sum F takes non-negative "
                "activations; negative ones count as zero. softmax(F) takes all as they are.",
            )
        )
    return parts


def _finding(rows_by_network: dict[str, list[Row]]) -> str:
    """The change of maxima and entropies from the first to the last layer, as a sentence."""
    parts = []
    for name, rows in rows_by_network.items():
        first, last = rows[0], rows[-1]
        by_sum, by_softmax = (
            f"{first[key]:.2f} to {last[key]:.2f}"
            for key in ("entropy F (sum)", "entropy F (softmax)")
        )
        growth = last["max F"] / max(first["max F"], 1e-12)
        parts.append(
            f"{name}: largest activation x {growth:.3g}, entropy of F / sum F {by_sum}, "
            f"of softmax(F) {by_softmax}"
        )
    return "From the first to the last layer. " + "; ".join(parts) + "."


STUDY = Study(
    "statistics",
    "3. How peaky activations and Gram matrices are",
    "Maximum and entropy of activations and Gram matrices, layer by layer.",
    jobs,
    sections=sections,
)
