"""Study 8d: which layers to smooth."""

from swag_lab.experiments.comparisons import effect_section, pooled, verdict
from swag_lab.experiments.job import StudyJob, StudyRun
from swag_lab.experiments.studies.pairs import P_RESNET, R_DEEP, both, smoothed
from swag_lab.experiments.study import SMOOTHED, Plan, Section

NETWORKS = (P_RESNET, R_DEEP)
LAYERS = {
    "stem": "stem",
    "stages 1 and 2": "stage1,stage2",
    "stages 3 and 4": "stage3,stage4",
    "stage 4": "stage4",
}


def layers_label(network: str, layers: str) -> str:
    """The name of a variant that smooths some layers."""
    return f"{network}, only {layers}"


def jobs(plan: Plan) -> list[StudyJob]:
    """Fronts with no layer smoothed, with all, and with each choice of layers."""
    all_jobs: list[StudyJob] = []
    for network in NETWORKS[:1] if plan.quick else NETWORKS:
        all_jobs += both(plan, network)
        for name, layers in list(LAYERS.items())[: 1 if plan.quick else None]:
            settings = {"smoothing": f"{SMOOTHED['smoothing']}@{layers}"}
            all_jobs += plan.front_jobs(
                layers_label(network.name, name), network, settings, units=plan.half
            )
    return all_jobs


def sections(plan: Plan, runs: list[StudyRun]) -> list[Section]:
    """The gap of each choice of layers to no smoothing."""
    pairs = [(layers_label(n.name, name), n.name) for n in NETWORKS for name in LAYERS]
    pairs += [(smoothed(n), n.name) for n in NETWORKS]
    sentences = [
        verdict(
            pooled(runs, [(layers_label(n.name, name), n.name) for n in NETWORKS]),
            f"Smoothing {name} alone helps",
        )
        for name in LAYERS
    ]
    return [
        effect_section(
            runs,
            pairs,
            title="(d) Which layers to smooth",
            expected="A remark in the authors' script: the best results are sometimes those of "
            "smoothing the deeper layers only.",
            finding=" ".join(sentences),
        )
    ]
