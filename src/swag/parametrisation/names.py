"""The parametrisations that a name can ask for."""

from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType

from swag.errors import SettingsError
from swag.parametrisation import fourier, laplacian
from swag.parametrisation.bounded import bounded
from swag.parametrisation.form import Latents, Parametrisation, Size
from swag.shapes import OwnImage


def _same(image: OwnImage) -> Latents:
    return image


def _given(latents: Latents, size: Size) -> OwnImage:
    return latents


_FOURIER = Parametrisation(
    name="fourier",
    encode=fourier.encode,
    decode=fourier.decode,
    summary="frequencies, scaled as in photographs, of decorrelated colours",
    reference="Mordvintsev et al., Distill 2018",
)

_ALL = (
    Parametrisation(
        name="pixels",
        encode=_same,
        decode=_given,
        summary="the pixels themselves",
        reference="Gatys et al., CVPR 2016",
    ),
    Parametrisation(
        name="laplacian",
        encode=laplacian.encode,
        decode=laplacian.decode,
        summary="bands of detail, each at its own size",
        reference="Burt and Adelson 1983; Kolkin et al., CVPR 2019",
    ),
    _FOURIER,
    bounded(_FOURIER),
)

PARAMETRISATIONS: Mapping[str, Parametrisation] = MappingProxyType(
    {form.name: form for form in _ALL}
)
"""Parametrisations by name, in the order in which they are listed."""


def names() -> tuple[str, ...]:
    """The names that `get` knows."""
    return tuple(PARAMETRISATIONS)


def get(name: str) -> Parametrisation:
    """The parametrisation of this name. Raises SettingsError with the names there are."""
    name = name.strip()
    if name in PARAMETRISATIONS:
        return PARAMETRISATIONS[name]
    near = get_close_matches(name, PARAMETRISATIONS, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    there = ", ".join(PARAMETRISATIONS)
    raise SettingsError(f"no parametrisation is called {name!r}; {hint}there are {there}.")
