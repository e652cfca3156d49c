"""Colors: transfer colors, or luminance, between pictures.

    with_colors_of(result, content)          the result's light and shade in the content's colors
    match(style, content)                     the style in the content's colors, before a run
    luminance(picture), match_luminance(...)  light and shade alone

Gatys, Bethge, Hertzmann and Shechtman, "Preserving color in neural artistic style transfer",
2016; Gatys et al., "Controlling perceptual factors in neural style transfer", CVPR 2017. Pictures
are sRGB in [0, 1]; values outside are clamped first. No function here is meant for gradients.
"""

from swag.colors.gray import luminance, match_luminance
from swag.colors.keep import with_colors_of
from swag.colors.spaces import from_linear, from_oklab, to_linear, to_oklab
from swag.colors.transfer import METHODS, match

__all__ = [
    "METHODS",
    "from_linear",
    "from_oklab",
    "luminance",
    "match",
    "match_luminance",
    "to_linear",
    "to_oklab",
    "with_colors_of",
]
