"""Study 6: with and without SWAG on networks that are no VGG."""

from swag_lab.evaluation.networks import Network, pretrained_there, random
from swag_lab.experiments.comparisons import (
    effect_section,
    front_section,
    picture_section,
    pooled,
    verdict,
)
from swag_lab.experiments.job import StudyJob, StudyRun
from swag_lab.experiments.studies import art
from swag_lab.experiments.studies.pairs import (
    P_DEEP,
    P_NORESNET,
    P_RESNET,
    P_RESVGG,
    P_VGG,
    both,
    both_under_one_weight,
    one_weight,
    smoothed,
)
from swag_lab.experiments.study import Plan, Section, Study

BUNDLED = (P_RESNET, P_DEEP, P_RESVGG, P_NORESNET, P_VGG)
PAPER = ("resnet50", "wide_resnet50_2", "inception_v3")
BEYOND = ("densenet121", "mobilenet_v3_small", "efficientnet_b0", "convnext_tiny")
SMALL = ("mobilenet_v3_small",)
OVERFLOWING = "r-inception_v3"
"""Its random weights make activations of 1e10, whose squared Gram matrices overflow float32: they
are divided by their layer's deviation, a factor that spans and automatic temperatures cancel."""


def _torchvision_networks(plan: Plan) -> list[Network]:
    names = SMALL if plan.quick else (*PAPER, *BEYOND)
    random_networks = [random(f"torchvision/{name}") for name in names]
    return random_networks + ([] if plan.quick else pretrained_there((*PAPER, *BEYOND)))


def jobs(plan: Plan) -> list[StudyJob]:
    """Each network without and with SWAG: bundled ones on all units, torchvision's on a few."""
    all_jobs: list[StudyJob] = []
    for network in (*(BUNDLED[:2] if plan.quick else BUNDLED), *_torchvision_networks(plan)):
        deviations = network.name == OVERFLOWING
        all_jobs += both(plan, network, deviations=deviations)
        if not plan.quick:
            all_jobs += both_under_one_weight(plan, network, deviations=deviations)
    return all_jobs


def sections(plan: Plan, runs: list[StudyRun]) -> list[Section]:
    """The effect of SWAG on each network, and pooled over trained and over random ones."""
    names = [network.name for network in (*BUNDLED, *_torchvision_networks(plan))]
    pairs = [(smoothed(name), name) for name in names]
    one_weight_pairs = [(smoothed(one_weight(name)), one_weight(name)) for name in names]
    random_names = [name for name in names if name.startswith("r-")]
    return [
        _section(
            runs,
            "With and without SWAG",
            pairs,
            "The error of each layer is measured in its own span, which balances layers.",
        ),
        _section(
            runs,
            "The same under one weight",
            one_weight_pairs,
            "The paper's setting: one common weight of all layers.",
        ),
        picture_section(
            plan,
            runs,
            [variant for name in (*names[:2], *random_names) for variant in (name, smoothed(name))],
            expected="With SWAG the picture is the better one.",
        ),
        front_section(
            runs,
            {name: (name, smoothed(name)) for name in names},
            expected="The curve with SWAG lies below.",
            certainty="see the table above",
        ),
        *art.sections(plan, runs, [*pairs, *one_weight_pairs]),
    ]


def _section(runs: list[StudyRun], title: str, pairs: list[tuple[str, str]], note: str) -> Section:
    """The effect of SWAG on each network, pooled over the trained and over the random ones."""
    trained_gap = pooled(runs, [pair for pair in pairs if pair[1].startswith("p-")])
    random_gap = pooled(runs, [pair for pair in pairs if pair[1].startswith("r-")])
    return effect_section(
        runs,
        pairs,
        title=title,
        expected="SWAG improves every network that is no VGG.",
        finding=verdict(trained_gap, "Pooled over the trained networks SWAG helps")
        + " "
        + verdict(random_gap, "Pooled over the random networks SWAG helps"),
        certainty="see the p of each row; a few units alone can show nothing",
        note=note,
    )


STUDY = Study(
    "networks",
    "6. SWAG on networks that are no VGG",
    "Does smoothing help the networks of the paper, and others?",
    jobs,
    sections=sections,
)
