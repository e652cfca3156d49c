"""A picture in the colors of another, regardless of positions.

Gatys, Bethge, Hertzmann and Shechtman, "Preserving color in neural artistic style transfer",
2016: "color transfer", with three ways to match. All work on stored sRGB values, as theirs do.
"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float64
from numpy.typing import NDArray
from torch import Tensor

from swag.registry import Registry
from swag.types import OwnImage

SMALLEST_DEVIATION = 1 / 255
"""Colors that deviate less along an axis count as deviating this much, which bounds the stretch."""

Pixels = Float64[Tensor, "3 _n"]
Levels = NDArray[np.float64]
Covariance = Float64[Tensor, "3 3"]


def match(source: OwnImage, target: OwnImage, method: str = "symmetric") -> OwnImage:
    """The source in colors distributed as those of the target, clamped to [0, 1].

    `symmetric` and `cholesky` map colors linearly and match mean and covariance exactly, up to
    the clamping; `histogram` maps red, green and blue by themselves and matches their histograms.
    Pictures of a batch are matched one to one. A flat picture has one color: the target's mean.
    Raises SettingsError for an unknown method.
    """
    matching = METHODS.find(method)
    pairs = zip(_pixels(source), _pixels(target), strict=True)
    matched = torch.stack([matching(x, y) for x, y in pairs])
    return matched.reshape(source.shape).clamp(0, 1).to(source)


def symmetric(source: Pixels, target: Pixels) -> Pixels:
    """The linear map that matches mean and covariance and moves colors the least.

    A^(-1/2) (A^(1/2) B A^(1/2))^(1/2) A^(-1/2) from covariance A to B: the optimal transport
    between normal distributions (Pitie and Kokaram, "The linear Monge-Kantorovitch linear color
    mapping", 2007). Departure: Gatys et al. take B^(1/2) A^(-1/2) for their symmetric root, which
    matches as well but turns colors where A and B do not commute.
    """
    a, b = _covariance(source), _covariance(target)
    root, inverse_root = _power(a, 0.5, SMALLEST_DEVIATION), _power(a, -0.5, SMALLEST_DEVIATION)
    return _map_colors(source, target, inverse_root @ _power(root @ b @ root, 0.5) @ inverse_root)


def cholesky(source: Pixels, target: Pixels) -> Pixels:
    """The linear map L_B L_A^(-1) between the Cholesky factors of the covariances."""
    a = torch.linalg.cholesky(_power(_covariance(source), 1, SMALLEST_DEVIATION))
    b = torch.linalg.cholesky(_power(_covariance(target), 1, 1e-6))
    return _map_colors(source, target, torch.linalg.solve_triangular(a, b, upper=False, left=False))


def histogram(source: Pixels, target: Pixels) -> Pixels:
    """Each value of a channel becomes the target's of the same rank, channel by channel."""
    pairs = zip(source.numpy(), target.numpy(), strict=True)
    return torch.from_numpy(np.stack([_ranked(x, y) for x, y in pairs]))


METHODS: Registry[Callable[[Pixels, Pixels], Pixels]] = Registry(
    "way to match colors", {"symmetric": symmetric, "cholesky": cholesky, "histogram": histogram}
)
"""Ways to match the colors of pixels, by name; what they return may leave [0, 1]."""


def _ranked(source: Levels, target: Levels) -> Levels:
    _, rank, counts = np.unique(source, return_inverse=True, return_counts=True)
    values, target_counts = np.unique(target, return_counts=True)
    ranks = np.cumsum(counts) / len(source)
    matched: Levels = np.interp(ranks, np.cumsum(target_counts) / len(target), values)
    return matched[rank]


def _pixels(image: OwnImage) -> Float64[Tensor, "_b 3 _n"]:
    return image.detach().cpu().double().clamp(0, 1).flatten(2)


def _covariance(pixels: Pixels) -> Covariance:
    return torch.cov(pixels, correction=0)


def _map_colors(source: Pixels, target: Pixels, matrix: Covariance) -> Pixels:
    return matrix @ (source - source.mean(1, keepdim=True)) + target.mean(1, keepdim=True)


def _power(covariance: Covariance, exponent: float, smallest: float = 0.0) -> Covariance:
    """A power of a covariance matrix, its deviations along axes first raised to `smallest`."""
    variances, axes = torch.linalg.eigh(covariance)
    powers: Tensor = variances.clamp(min=smallest**2) ** exponent
    power: Tensor = (axes * powers) @ axes.T
    return power
