"""The parametrizations by name."""

from swag.parametrization import fourier, laplacian
from swag.parametrization.bounded import bounded
from swag.parametrization.form import Latents, Parametrization
from swag.registry import Registry
from swag.types import OwnImage, Size


def _encode_pixels(image: OwnImage) -> Latents:
    return image


def _given(latents: Latents, size: Size) -> OwnImage:
    return latents


_FOURIER = Parametrization(
    name="fourier",
    encode=fourier.encode,
    decode=fourier.decode,
    summary="frequencies, scaled as in photographs, of decorrelated colors",
    reference="Mordvintsev et al., Distill 2018",
)

_ALL = (
    Parametrization(
        name="pixels",
        encode=_encode_pixels,
        decode=_given,
        summary="the pixels themselves",
        reference="Gatys et al., CVPR 2016",
    ),
    Parametrization(
        name="laplacian",
        encode=laplacian.encode,
        decode=laplacian.decode,
        summary="bands of detail, each at its own size",
        reference="Burt and Adelson 1983; Kolkin et al., CVPR 2019",
    ),
    _FOURIER,
    bounded(_FOURIER),
)

PARAMETRIZATIONS = Registry("parametrization", _ALL)
"""Parametrizations by name, in the order in which they are listed."""
