"""Structural similarity of two pictures.

Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural
similarity", 2004.
"""

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from swag.types import Image, PerImage

RADIUS = 5
DEVIATION = 1.5
STABILISERS = (0.01**2, 0.03**2)


def ssim(a: Image, b: Image) -> PerImage:
    """Mean structural similarity of the luma: 1 for equal pictures, at least -1.

    Windows are Gaussians of 11 x 11 pixels that lie inside the picture, which must hold one.
    """
    first, second = _luma(a), _luma(b)
    mean_a, mean_b = _local_mean(first), _local_mean(second)
    variance_a = _local_mean(first * first) - mean_a**2
    variance_b = _local_mean(second * second) - mean_b**2
    covariance = _local_mean(first * second) - mean_a * mean_b
    c1, c2 = STABILISERS
    numerator = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    denominator = (mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2)
    result: PerImage = (numerator / denominator).mean((1, 2, 3))
    return result


def _luma(image: Image) -> Tensor:
    weights = torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64).view(-1, 1, 1)
    return (image.detach().double().cpu() * weights).sum(1, keepdim=True)


def _local_mean(values: Tensor) -> Tensor:
    distances = torch.arange(-RADIUS, RADIUS + 1, dtype=values.dtype)
    window = torch.exp(-(distances**2) / (2 * DEVIATION**2))
    window = window / window.sum()
    rows = conv2d(values, window.view(1, 1, -1, 1))
    return conv2d(rows, window.view(1, 1, 1, -1))
