"""Study 1: residual and plain networks, trained and random, side by side."""

from swag_lab.evaluation.networks import Network
from swag_lab.experiments.comparisons import (
    effect_section,
    front_section,
    gap_of,
    picture_section,
    spread,
    verdict,
)
from swag_lab.experiments.job import StudyJob, StudyRun
from swag_lab.experiments.studies.pairs import P_RESNET, P_VGG, R_RESNET, R_RESNET50, R_VGG, R_VGG19
from swag_lab.experiments.study import Plan, Section, Study

PAIRS = (
    ("p-resnet", "p-vgg"),
    ("r-resnet", "r-vgg"),
    ("r-resnet50", "r-vgg19"),
    ("r-resnet", "p-resnet"),
    ("r-vgg", "p-vgg"),
)


def _small_networks() -> tuple[Network, ...]:
    return P_RESNET, P_VGG, R_RESNET, R_VGG


def jobs(plan: Plan) -> list[StudyJob]:
    """Every network without smoothing; the large ones on a few units."""
    small = [job for network in _small_networks() for job in plan.front_jobs(network.name, network)]
    large = () if plan.quick else (R_RESNET50, R_VGG19)
    return small + [job for network in large for job in plan.front_jobs(network.name, network)]


def sections(plan: Plan, runs: list[StudyRun]) -> list[Section]:
    """Pictures, fronts, and the comparisons that the paper's first figure makes by eye."""
    names = [network.name for network in (*_small_networks(), R_RESNET50, R_VGG19)]
    random_gap, trained_gap = gap_of(runs, "r-resnet", "r-vgg"), gap_of(runs, "p-resnet", "p-vgg")
    panels = {"trained": names[:2], "random": names[2:4], "random, of torchvision": names[4:]}
    return [
        picture_section(
            plan,
            runs,
            names,
            title="Side by side",
            expected="Quality varies drastically between trained (p-) and random (r-) networks, "
            "and VGG is the best extractor.",
        ),
        effect_section(
            runs,
            PAIRS,
            title="Residual against plain, trained against random",
            expected="ResNet is worse than VGG, and by more when random.",
            finding="Seen from the networks that were not optimized: "
            + verdict(
                trained_gap, "the trained residual network is better than the trained plain one"
            )
            + " "
            + verdict(random_gap, "The random residual one is better than the random plain one"),
            note="The trained networks differ in training as well as in architecture.",
        ),
        front_section(
            runs,
            panels,
            expected="A curve further down and left has more of the style for the same content.",
            certainty="see the table above",
            table=[row for name in names if (row := spread(runs, name))],
        ),
    ]


STUDY = Study(
    "weights",
    "1. Trained and random, residual and plain",
    "Does quality depend on the architecture when weights are trained, and when they are random?",
    jobs,
    sections=sections,
)
