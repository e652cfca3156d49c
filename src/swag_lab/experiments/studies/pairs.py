"""The networks that several studies share, and their variants with and without smoothing."""

from collections.abc import Mapping
from typing import Any

from swag_lab.evaluation.networks import Network, random, trained
from swag_lab.experiments.job import StudyJob
from swag_lab.experiments.study import SMOOTHED, Plan, Row

COMMON = ("paper", "none")
"""Layers weighed as in the paper's loss without smoothing, under one common weight."""

DEEP: Mapping[str, Any] = {
    "block": "bottleneck",
    "depths": (3, 4, 6, 3),
    "widths": (32, 64, 128, 256),
}
"""The blocks of ResNet-50, an eighth as wide: its peaks at a hundredth of its cost."""

P_RESNET, P_NORESNET, P_VGG, P_RESVGG, P_DEEP, P_NODEEP = (
    trained(name)
    for name in ("resnet", "noresnet", "vgg", "resvgg", "resnet-deep", "noresnet-deep")
)
R_RESNET, R_VGG = random("swag/resnet"), random("swag/vgg")
R_DEEP = random("swag/resnet", "deep", **DEEP)
R_NODEEP = random("swag/resnet", "deep, no shortcuts", shortcuts=False, **DEEP)
R_RESNET50 = random("torchvision/resnet50")
R_NORESNET50 = random("torchvision/resnet50", "resnet50, no shortcuts", ("without-residuals",))
R_VGG19 = random("torchvision/vgg19")


def smoothed(network: Network | str) -> str:
    """The name of a variant with SWAG."""
    return f"{network if isinstance(network, str) else network.name} + SWAG"


def both(
    plan: Plan,
    network: Network,
    settings: Row | None = None,
    *,
    name: str | None = None,
    **options: Any,
) -> list[StudyJob]:
    """A network without and with SWAG, every layer's error measured in its own span."""
    name, smooth = name or network.name, {**(settings or {}), **SMOOTHED}
    return [
        *plan.front_jobs(name, network, settings, **options),
        *plan.front_jobs(smoothed(name), network, smooth, **options),
    ]


def one_weight(name: str) -> str:
    """The name of a variant under one common weight of all layers."""
    return f"{name}, one weight"


def both_under_one_weight(plan: Plan, network: Network, **options: Any) -> list[StudyJob]:
    """A network without and with SWAG in the paper's setting: one common weight of all layers."""
    label, smoothing = one_weight(network.name), SMOOTHED["smoothing"]
    return [
        *plan.front_jobs(label, network, weighed_by=COMMON, **options),
        *plan.front_jobs(
            smoothed(label), network, SMOOTHED, weighed_by=("paper", smoothing), **options
        ),
    ]
