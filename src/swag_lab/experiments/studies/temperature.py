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
    made: list[StudyJob] = []
    for network in NETWORKS[:1] if plan.quick else NETWORKS:
        made += plan.measured("temperature", network.name, network)
        made += plan.front(network.name, network, units=plan.half)
        for value in TEMPERATURES[:2] if plan.quick else TEMPERATURES:
            settings = {"smoothing": f"softmax:temperature={value:g}"}
            made += plan.front(
                temperature_label(network.name, value),
                network,
                settings,
                units=plan.half,
                deviations=True,
            )
    return made


def entropies(runs: list[StudyRun]) -> dict[str, dict[float, Row]]:
    """By network and temperature the means over layers and pictures."""
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
    best = []
    for network, by_temperature in measured.items():
        found = {t: gap_of(runs, temperature_label(network, t), network) for t in by_temperature}
        known = {t: c.mean for t, c in found.items() if c is not None}
        if not known:
            continue
        entropy = [by_temperature[t]["entropy"] for t in known]
        panels["gap by temperature"][network] = (list(known), list(known.values()))
        panels["entropy by temperature"][network] = (list(known), entropy)
        panels["gap by entropy"][network] = (entropy, list(known.values()))
        lowest = min(known, key=lambda t: known[t])
        best.append(f"{network}: T = {lowest:g} sd ({found[lowest]})")
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
            "The smallest gap to no smoothing is at: " + "; ".join(best) + ".",
            "see the p of each row; the best of several is flattered",
            table=table,
            figure=figures.curves(dict(panels) or {"": {}}, columns=3),
            note="Temperatures are in standard deviations of each layer on the style picture; the "
            "entropy is that of softmax(F / T) over log n, the mean over layers and pictures.",
        )
    ]
