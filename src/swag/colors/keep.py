"""The light and shade of one picture in the colors of another, pixel by pixel.

Gatys et al., "Preserving color in neural artistic style transfer", 2016: "luminance-only
transfer". They join luminance and color in YIQ; here this is done in OKLab, which separates
lightness and color as the eye does, or in linear light.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from swag.colors.spaces import Colors, from_linear, from_oklab, luminance_of, to_linear, to_oklab
from swag.errors import SettingsError
from swag.registry import did_you_mean
from swag.types import Image, OwnImage

HALVINGS = 12
"""Bisections in the search for the largest chroma that a screen can show: to 1 part in 4096."""

ROUNDING = 1e-6
"""How far from [0, 1] linear light may be and still count as displayable."""

DARK = 0.005
"""Luminance added before a ratio of luminances is taken: the hue of black is noise."""


def with_colors_of(result: Image, content: OwnImage, space: str = "oklab") -> Image:
    """The lightness of one picture with the colors of another of the same size.

    `oklab` keeps OKLab's lightness of the first and a and b of the second: a color is as vivid
    as it was. `linear` keeps the luminance of the first and the ratio of red, green and blue light
    of the second, as if its things were lit anew: darker colors get duller. If no screen
    shows a color, its vividness is reduced until one does, so that lightness is never lost;
    clipping each channel instead would change it. Gray contents give gray pictures.
    Raises SettingsError if the sizes differ, and for an unknown space.
    """
    if result.shape != content.shape:
        raise SettingsError(
            f"colors of a picture of {_size(content)} pixels were asked for one of "
            f"{_size(result)}; give both the same size."
        )
    if space not in SPACES:
        hint = did_you_mean(space, SPACES)
        raise SettingsError(
            f"colors cannot be kept in {space!r}; {hint}choose from {', '.join(SPACES)}."
        )
    light, colors = to_linear(result.clamp(0, 1)), to_linear(content.clamp(0, 1))
    return from_linear(SPACES[space](light, colors).clamp(0, 1))


def in_oklab(light: Colors, colors: Colors) -> Colors:
    """OKLab's lightness of `light`, a and b of `colors`, scaled down until a screen shows them."""
    lightness, chroma = to_oklab(light)[:, :1], to_oklab(colors)[:, 1:]

    def mix(share: Tensor) -> Colors:
        return from_oklab(torch.cat([lightness, chroma * share], dim=1))

    gray, full = torch.zeros_like(lightness), torch.ones_like(lightness)
    low, high = torch.where(_displayable_mask(mix(full)), full, gray), full
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        displayable = _displayable_mask(mix(middle))
        low, high = torch.where(displayable, middle, low), torch.where(displayable, high, middle)
    return mix(low)


def in_linear_light(light: Colors, colors: Colors) -> Colors:
    """`colors` at the luminance of `light`, mixed with its gray until a screen shows them."""
    light_luminance, color_luminance = luminance_of(light), luminance_of(colors)
    chroma = (colors - color_luminance) * (light_luminance + DARK) / (color_luminance + DARK)
    smallest = torch.finfo(light.dtype).tiny
    upper_share = (1 - light_luminance) / chroma.amax(1, keepdim=True).clamp(min=smallest)
    lower_share = light_luminance / (-chroma).amax(1, keepdim=True).clamp(min=smallest)
    return light_luminance + chroma * upper_share.minimum(lower_share).clamp(0, 1)


SPACES: Mapping[str, Callable[[Colors, Colors], Colors]] = MappingProxyType(
    {"oklab": in_oklab, "linear": in_linear_light}
)
"""Ways to join light and shade with colors, by name; both take and give linear light."""


def _displayable_mask(light: Colors) -> Tensor:
    inside = (light >= -ROUNDING) & (light <= 1 + ROUNDING)
    return inside.all(dim=1, keepdim=True)


def _size(image: OwnImage) -> str:
    return f"{image.shape[-1]} x {image.shape[-2]}"
