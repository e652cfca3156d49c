"""Study 6: with and without SWAG on networks that are no VGG."""

from swag.experiments import figures
from swag.experiments.comparisons import effects, front_panels, pooled, rows_of, sheet, words
from swag.experiments.job import Job, Run
from swag.experiments.networks import Network, pretrained_there, random
from swag.experiments.studies.pairs import (
    P_DEEP,
    P_NORESNET,
    P_RESNET,
    P_RESVGG,
    P_VGG,
    both,
    smoothed,
    there,
)
from swag.experiments.study import Plan, Section, Study

PAPER = ("resnet50", "wide_resnet50_2", "inception_v3")
BEYOND = ("densenet121", "mobilenet_v3_small", "efficientnet_b0", "convnext_tiny")
SMALL = ("mobilenet_v3_small",)


def _bundled() -> list[Network]:
    return there(P_RESNET, P_DEEP, P_RESVGG, P_NORESNET, P_VGG)


def _torchvision(plan: Plan) -> list[Network]:
    names = SMALL if plan.quick else (*PAPER, *BEYOND)
    drawn = [random(f"torchvision/{name}") for name in names]
    return drawn + ([] if plan.quick else pretrained_there((*PAPER, *BEYOND)))


def jobs(plan: Plan) -> list[Job]:
    """Both variants of each: the bundled ones on all units, those of torchvision on a few."""
    bundled = _bundled()[:2] if plan.quick else _bundled()
    made = [job for network in bundled for job in both(plan, network)]
    for network in _torchvision(plan):
        made += both(plan, network)
    return made


def sections(plan: Plan, runs: list[Run]) -> list[Section]:
    """The effect of SWAG on each network, and pooled over trained and over random ones."""
    names = [network.name for network in (*_bundled(), *_torchvision(plan))]
    pairs = [(smoothed(name), name) for name in names]
    learnt = pooled(runs, [pair for pair in pairs if pair[1].startswith("p-")])
    drawn = pooled(runs, [pair for pair in pairs if pair[1].startswith("r-")])
    shown = [name for name in names if name.startswith("r-")]
    panels = {name: (name, smoothed(name)) for name in names}
    return [
        Section(
            "With and without SWAG",
            "SWAG improves every network that is no VGG.",
            words(learnt, "Pooled over the trained networks SWAG helps",
                  "Pooled over the trained networks SWAG hurts")
            + " " + words(drawn, "Pooled over the random networks SWAG helps",
                          "Pooled over the random networks SWAG hurts"),
            "see the p of each row; a few units alone can show nothing",
            rows_of(runs, pairs),
            effects(runs, pairs),
            note="The error of each layer is measured in its own span here, which balances layers "
            "by itself; the poster's setting is in studies 2 and 8.",
        ),
        Section(
            "Pictures",
            "With SWAG the picture is the better one.",
            "Pictures at the middle strength.",
            "by eye",
            figure=sheet(plan, runs, [v for name in (*names[:2], *shown)
                                      for v in (name, smoothed(name))]),
        ),
        Section(
            "Fronts",
            "The curve with SWAG lies below.",
            "Mean fronts over the units.",
            "see the table above",
            figure=figures.fronts(front_panels(runs, panels) or {"": {}}),
        ),
    ]  # fmt: skip


STUDY = Study(
    "networks",
    "6. SWAG on networks that are no VGG",
    "Does smoothing help the networks of the poster, and others?",
    jobs,
    sections,
)
