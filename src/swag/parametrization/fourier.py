"""Frequencies, scaled so that all move alike, of colors that vary independently.

Mordvintsev, Pezzotti, Schubert and Olah, "Differentiable image parameterizations", Distill 2018.
The amplitudes of photographs fall as 1 / frequency and their colors vary together, so latents
that are all of one size and independent stand for a picture with the statistics of photographs.
This is why networks that fail on pixels stylize in this form.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from swag.parametrization.form import Latents
from swag.types import OwnImage, Size

COLOR_COVARIANCE = (
    (0.07634, 0.06608, 0.05826),
    (0.06608, 0.07216, 0.06797),
    (0.05826, 0.06797, 0.07919),
)
"""Covariance of red, green and blue (sRGB in [0, 1]) over the pixels of 25,000 photographs of Tiny
ImageNet, 125 of each of its 200 classes. Its axes are nearly light - dark, yellow - blue and
green - magenta, with deviations 0.45, 0.14 and 0.06."""


def decode(latents: Latents, size: Size) -> OwnImage:
    """The picture with this spectrum, a linear function of it.

    Latents that are independent with deviation r give pixels of deviation r, averaged over
    colors. Departures: the spectrum is that of the Hartley transform, so that there are as many
    real numbers as pixels, each with a wave of its own, and the gradient with respect to it has
    the length of that with respect to pixels but for the scaling. Zero stands for black, not for
    gray; pixels are not bounded, unlike in `fourier-bounded`.
    """
    waves = hartley(latents * amplitudes(latents, size))
    return _mix_channels(color_root(latents), waves)


def encode(image: OwnImage) -> Latents:
    """The spectrum of a picture, its colors decorrelated and its frequencies scaled alike."""
    independent = _mix_channels(torch.linalg.inv(color_root(image)), image)
    return hartley(independent) / amplitudes(image, (image.shape[-2], image.shape[-1]))


def hartley(image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """The sums over pixels times cos + sin of each frequency, over the root of their number.

    Orthogonal, and its own inverse (Bracewell, "Discrete Hartley transform", 1983).
    """
    spectrum: Tensor = torch.fft.fft2(image, norm="ortho")
    return spectrum.real - spectrum.imag


def amplitudes(like: Tensor, size: Size) -> Float[Tensor, "h w"]:
    """1 / frequency for each wave, scaled to a mean square of 1.

    A frequency counts as at least one wave along the longer side, so that the mean color has
    one, too.
    """
    height, width = size
    across = torch.fft.fftfreq(width, dtype=like.dtype, device=like.device)
    down = torch.fft.fftfreq(height, dtype=like.dtype, device=like.device)
    frequency = torch.hypot(down[:, None], across).clamp(min=1 / max(size))
    amplitude: Tensor = 1 / frequency
    return amplitude / amplitude.square().mean().sqrt()


def color_root(like: Tensor) -> Float[Tensor, "3 3"]:
    """A root R of the covariance of colors, R R^T, scaled to a mean variance of 1.

    Its columns are the axes along which colors vary independently, from most to least.
    """
    covariance = torch.tensor(COLOR_COVARIANCE, dtype=torch.float64)
    variances, axes = torch.linalg.eigh(covariance)
    axes = axes * axes[0].sign()  # an eigenvector may come with either sign
    root: Tensor = (axes * variances.sqrt()).flip(1) * math.sqrt(3 / covariance.trace())
    return root.to(like)


def _mix_channels(matrix: Float[Tensor, "3 3"], image: OwnImage) -> OwnImage:
    return torch.einsum("ij,bjhw->bihw", matrix, image)
