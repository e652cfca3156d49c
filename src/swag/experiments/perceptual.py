"""LPIPS and DISTS, by torchmetrics, where the extra and the weights they stand on are there.

Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric", CVPR 2018;
Ding et al., "Image quality assessment: unifying structure and texture similarity", TPAMI 2020.
Nothing is downloaded. ArtFID (Wright and Ommer, 2022) is of sets of hundreds of pictures, on
weights of its own that no maintained package brings along: it is not computed.
"""

import importlib.util
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from swag.shapes import OwnImage

WEIGHTS: Mapping[str, str] = MappingProxyType(
    {"lpips": "alexnet-owt-7be5be79.pth", "dists": "vgg16-397923af.pth"}
)
"""The file of torchvision that each metric stands on, as torch's cache (`TORCH_HOME`) names it."""


@torch.no_grad()
def distances(result: OwnImage, photo: OwnImage) -> dict[str, float]:
    """The distances that can be had, by name: 0 for the photo itself."""
    return {
        name: float(_network(name)(result.clamp(0, 1).float(), photo.float()))
        for name in WEIGHTS
        if missing(name) is None
    }


def missing(name: str) -> str | None:
    """A line that says what a metric lacks and how to get it; None where nothing is lacking."""
    if importlib.util.find_spec("torchmetrics") is None:
        return f"{name} needs torchmetrics: pip install 'swag-style[metrics]'"
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    if not (folder / WEIGHTS[name]).is_file():
        return f"{name} needs torchvision's weights: put {WEIGHTS[name]} into {folder}"
    return None


def told() -> str:
    """Which of them are computed, and what the others lack, in a line."""
    return "; ".join(missing(name) or f"{name} is computed" for name in WEIGHTS)


@lru_cache(maxsize=2)
def _network(name: str) -> Any:
    from torchmetrics import image

    if name == "lpips":
        return image.LearnedPerceptualImagePatchSimilarity(net_type="alex", normalize=True).eval()
    return image.DeepImageStructureAndTextureSimilarity().eval()
