"""LPIPS and DISTS, by torchmetrics, if the extra and the weights that they need are installed.

Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric", CVPR 2018;
Ding et al., "Image quality assessment: unifying structure and texture similarity", TPAMI 2020.
Nothing is downloaded. The files that ArtFID needs are listed here, too; it measures a set of
pictures, in `artfid`.
"""

import importlib.util
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from swag.types import OwnImage

DISTANCES = ("lpips", "dists")
"""The metrics of a picture and its photo."""

ALEXNET, VGG16, ART = "alexnet-owt-7be5be79.pth", "vgg16-397923af.pth", "art_inception.pth"

WEIGHTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"lpips": (ALEXNET,), "dists": (VGG16,), "artfid": (ALEXNET, ART)}
)
"""The files that each metric needs, by their names in torch's cache (`TORCH_HOME`)."""

SOURCES: Mapping[str, str] = MappingProxyType(
    {
        ALEXNET: "torchvision",
        VGG16: "torchvision",
        ART: "huggingface.co/matthias-wright/art_inception",
    }
)
"""Who publishes each file."""


def perceptual_distances(result: OwnImage, photo: OwnImage) -> dict[str, float]:
    """The distances that are available, by name: 0 for the photo itself."""
    return {
        name: distance(name, result, photo) for name in DISTANCES if missing_metric(name) is None
    }


@torch.no_grad()
def distance(name: str, result: OwnImage, photo: OwnImage) -> float:
    """LPIPS (`lpips`) or DISTS (`dists`), whose weights must be in torch's cache."""
    return float(_network(name)(result.clamp(0, 1).float(), photo.float()))


def missing_metric(name: str) -> str | None:
    """A line that says what a metric lacks and how to get it; None if nothing is lacking."""
    if importlib.util.find_spec("torchmetrics") is None:
        return f"{name} needs torchmetrics: pip install 'swag-style[metrics]'"
    missing = [file for file in WEIGHTS[name] if not weights_file(file).is_file()]
    if missing:
        files = " and ".join(f"{file} of {SOURCES[file]}" for file in missing)
        return f"{name} needs weights: put {files} into {_checkpoints()}"
    return None


def metric_availability() -> str:
    """A line that says which metrics are computed, and what the others lack."""
    return "; ".join(missing_metric(name) or f"{name} is computed" for name in WEIGHTS)


def weights_file(name: str) -> Path:
    """The path of a file of this name in torch's cache, which need not exist."""
    return _checkpoints() / name


def _checkpoints() -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints"


@lru_cache(maxsize=2)
def _network(name: str) -> Any:
    from torchmetrics import image

    if name == "lpips":
        return image.LearnedPerceptualImagePatchSimilarity(net_type="alex", normalize=True).eval()
    return image.DeepImageStructureAndTextureSimilarity().eval()
