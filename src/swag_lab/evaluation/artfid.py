"""ArtFID: how far stylized pictures are from their photos, and as a set from paintings.

Wright and Ommer, "ArtFID: quantitative evaluation of neural style transfer", GCPR 2022:

    ArtFID = (1 + mean LPIPS of result and photo) (1 + FID of results and paintings)

1 is the least. The FID (Heusel et al., NIPS 2017) is the Frechet distance of normal distributions
of the 2048 pooled features of an Inception-v3 that was trained on art, by torchmetrics. Pictures
are read as they are: sRGB in [0, 1], at their own size. Departure from the source: the FID is that
of the given pictures. The authors have thousands and extrapolate to infinitely many. The FID of few
pictures is larger than that of many, so only sets of equal number can be compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from statistics import fmean

import torch
from jaxtyping import Float
from torch import Tensor, nn

from swag.backbones import weights
from swag.errors import SettingsError
from swag.types import OwnImage
from swag_lab.evaluation.perceptual import ART, distance, missing_metric, weights_file

SMALLEST = 75
"""Least shorter side in pixels: below it, Inception-v3 has nothing left to pool."""

HEADS = ("fc", "AuxLogits")
"""Prefixes of the names of its classifiers, which features do not need."""


@dataclass(frozen=True)
class ArtFID:
    """The two distances of a set of results, and the number of results."""

    pictures: int
    lpips: float
    fid: float

    @property
    def value(self) -> float:
        """The product of both factors: 1 if LPIPS and FID are 0, larger is worse."""
        return (1 + self.lpips) * (1 + self.fid)


def art_fid(
    results: Sequence[OwnImage], photos: Sequence[OwnImage], paintings: Sequence[OwnImage]
) -> ArtFID:
    """The ArtFID of results, each with its photo, against as many paintings in any order.

    Raises:
        SettingsError: torchmetrics or a file of weights is missing, or there are fewer than two
            pictures, sets of different numbers, or a picture that is too small.
        WeightsError: the file of the art network is damaged or of another network.
    """
    missing = missing_metric("artfid")
    if missing is not None:
        raise SettingsError(missing)
    counts = len(results), len(photos), len(paintings)
    if min(counts) < 2 or len(set(counts)) > 1:
        raise SettingsError(
            "ArtFID is of two results or more, and as many photos and paintings, not of "
            f"{counts[0]}, {counts[1]} and {counts[2]}"
        )
    fid = frechet_distance(_features(results), _features(paintings))
    lpips = fmean(distance("lpips", *pair) for pair in zip(results, photos, strict=True))
    return ArtFID(len(results), lpips, fid)


def frechet_distance(first: Float[Tensor, "n d"], second: Float[Tensor, "m d"]) -> float:
    """The Frechet distance of normal distributions with the means and covariances of two sets."""
    from torchmetrics.image.fid import FrechetInceptionDistance

    # The distance is the same in any orthonormal basis of the features' span. In that of a few
    # pictures it takes milliseconds, not the seconds of eigenvalues of 2048 x 2048, and loses no
    # digits to those that are zero.
    basis = torch.linalg.qr(torch.cat([first, second]).T).Q
    identity = nn.Identity()
    identity.num_features = basis.shape[1]
    metric = FrechetInceptionDistance(feature=identity, normalize=True)
    metric.update(first @ basis, real=False)
    metric.update(second @ basis, real=True)
    # It is negative by rounding alone.
    return max(0.0, float(metric.compute()))


@torch.no_grad()
def _features(pictures: Sequence[OwnImage]) -> Float[Tensor, "n 2048"]:
    small = [p for p in pictures if min(p.shape[-2:]) < SMALLEST]
    if small:
        height, width = small[0].shape[-2:]
        raise SettingsError(
            f"pictures of {width} x {height} pixels are too small for ArtFID: Inception-v3 takes "
            f"{SMALLEST} x {SMALLEST} or more"
        )
    network = _network(weights_file(ART))
    return torch.cat([network(picture.clamp(0, 1).float()) for picture in pictures]).double()


@lru_cache(maxsize=1)
def _network(file: Path) -> nn.Module:
    """Inception-v3 up to its pooled features, with the weights of this file."""
    from torchvision.models import inception_v3

    state = weights.read_weights(file)
    network: nn.Module = inception_v3(
        weights=None, init_weights=False, aux_logits=False, transform_input=False
    )
    network.fc = nn.Identity()
    weights.load_weights(network, state, origin=str(file), ignore=HEADS)
    return network.eval()
