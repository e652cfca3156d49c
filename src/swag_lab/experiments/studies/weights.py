"""Study 1: residual and plain networks, trained and random, side by side."""

from swag_lab.evaluation.networks import Network
from swag_lab.experiments import figures
from swag_lab.experiments.comparisons import (
    effects,
    front_panels,
    gap_of,
    rows_of,
    sheet,
    spread,
    words,
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


def _small() -> tuple[Network, ...]:
    return P_RESNET, P_VGG, R_RESNET, R_VGG


def jobs(plan: Plan) -> list[StudyJob]:
    """Every network without smoothing; the large ones on a few units."""
    small = [job for network in _small() for job in plan.front(network.name, network)]
    large = () if plan.quick else (R_RESNET50, R_VGG19)
    return small + [job for network in large for job in plan.front(network.name, network)]


def sections(plan: Plan, runs: list[StudyRun]) -> list[Section]:
    """Pictures, fronts, and the comparisons that the paper's first figure makes by eye."""
    names = [network.name for network in (*_small(), R_RESNET50, R_VGG19)]
    drawn, learnt = gap_of(runs, "r-resnet", "r-vgg"), gap_of(runs, "p-resnet", "p-vgg")
    panels = {"trained": names[:2], "random": names[2:4], "random, of torchvision": names[4:]}
    seen = "Seen from the networks that were not optimized: "
    return [
        Section(
            "Side by side",
            "Quality varies drastically between trained (p-) and random (r-) networks, and VGG is "
            "the best extractor.",
            "Pictures at the middle strength.",
            "by eye",
            figure=sheet(plan, runs, names),
        ),
        Section(
            "Residual against plain, trained against random",
            "ResNet is worse than VGG, and by more when random.",
            seen
            + words(
                learnt,
                "the trained residual network is better than the trained plain one",
                "the trained residual network is worse than the trained plain one",
            )
            + " "
            + words(
                drawn,
                "The random residual one is better than the random plain one",
                "The random residual one is worse than the random plain one",
            ),
            "see the p of each row",
            table=rows_of(runs, PAIRS),
            figure=effects(runs, PAIRS),
            note="The trained networks differ in training as well as in architecture.",
        ),
        Section(
            "Fronts",
            "A curve further down and left has more of the style for the same content.",
            "Mean fronts over the units.",
            "see the table above",
            table=[row for name in names if (row := spread(runs, name))],
            figure=figures.draw_fronts(front_panels(runs, panels) or {"": {}}),
        ),
    ]


STUDY = Study(
    "weights",
    "1. Trained and random, residual and plain",
    "Does quality depend on the architecture when weights are trained, and when they are random?",
    jobs,
    sections=sections,
)
