"""Study 8b: temperature against entropy against quality."""

from collections import defaultdict

from swag_lab.experiments import figures
from swag_lab.experiments.comparisons import gap_of, means_of, measured_by, rows_of
from swag_lab.experiments.job import StudyJob, StudyRun
from swag_lab.experiments.measures import TEMPERATURES
from swag_lab.experiments.studies.pairs import P_RESNET, P_VGG, R_DEEP
from swag_lab.experiments.study import Plan, Row, Section

NETWORKS = (P_RESNET, P_VGG, R_DEEP)


def temperature_label(network: str, temperature: float) -> str:
    """The name of a variant at a temperature in standard deviations of the layer."""
    return f"{network}, T = {temperature:g} sd"


def jobs(plan: Plan) -> list[StudyJob]:
    """Entropies at each temperature, and fronts."""
    all_jobs: list[StudyJob] = []
    for network in NETWORKS[:1] if plan.quick else NETWORKS:
        all_jobs += plan.measurement_jobs("temperature", network.name, network)
        all_jobs += plan.front_jobs(network.name, network, units=plan.half)
        for value in TEMPERATURES[:2] if plan.quick else TEMPERATURES:
            settings = {"smoothing": f"softmax:temperature={value:g}"}
            all_jobs += plan.front_jobs(
                temperature_label(network.name, value),
                network,
                settings,
                units=plan.half,
                deviations=True,
            )
    return all_jobs


def entropies(runs: list[StudyRun]) -> dict[str, dict[float, Row]]:
    """Mean entropy and share of largest over layers and pictures, by network and temperature."""
    return {
        network: {
            t: means_of(rows, ("entropy", "share of largest")) for t, rows in by_temperature.items()
        }
        for network, by_temperature in measured_by(runs, "temperature", "temperature").items()
    }


def sections(plan: Plan, runs: list[StudyRun]) -> list[Section]:
    """The gap to no smoothing by temperature and by entropy, a curve for each network."""
    measured = entropies(runs)
    panels: dict[str, dict[str, figures.Curve]] = defaultdict(dict)
    optima = []
    for network, by_temperature in measured.items():
        gaps = {t: gap_of(runs, temperature_label(network, t), network) for t in by_temperature}
        means = {t: c.mean for t, c in gaps.items() if c is not None}
        if not means:
            continue
        entropy = [by_temperature[t]["entropy"] for t in means]
        panels["gap by temperature"][network] = (list(means), list(means.values()))
        panels["entropy by temperature"][network] = (list(means), entropy)
        panels["gap by entropy"][network] = (entropy, list(means.values()))
        lowest = min(means, key=lambda t: means[t])
        optima.append(f"{network}: T = {lowest:g} sd ({gaps[lowest]})")
    table = [
        {**row, **measured[n][t]}
        for n in measured
        for t in TEMPERATURES
        for row in rows_of(runs, [(temperature_label(n, t), n)])
    ]
    return [
        Section(
            "(b) Temperature, entropy and quality",
            "More entropy makes better pictures, up to the point where nothing is left.",
            "The smallest gap to no smoothing is at: " + "; ".join(optima) + ".",
            "see the p of each row; the best of several is flattered",
            table=table,
            figure=figures.curves(dict(panels) or {"": {}}, columns=3),
            note="Temperatures are in standard deviations of each layer on the style picture; the "
            "entropy is that of softmax(F / T) over log n, the mean over layers and pictures.",
        )
    ]
