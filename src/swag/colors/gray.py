"""Light and shade: pictures without colors.

Gatys et al., "Preserving color in neural artistic style transfer", 2016: "luminance-only
transfer"; also in their "Controlling perceptual factors in neural style transfer", CVPR 2017.
"""

import torch

from swag.colors.spaces import from_linear, luminance_of, to_linear
from swag.colors.transfer import SMALLEST_DEVIATION
from swag.types import Image, OwnImage

WHOLE = (1, 2, 3)
"""The dimensions of one picture of a batch."""


def luminance(image: Image) -> Image:
    """The gray picture of the same luminance: red, green and blue are equal.

    Departure: the papers take Y of YIQ, a weighted sum of stored values, in which saturated
    colors come out too dark; here the sum is of light (Rec. 709) and stored as sRGB.
    """
    return from_linear(luminance_of(to_linear(image.clamp(0, 1))).repeat(1, 3, 1, 1))


def match_luminance(style: OwnImage, content: OwnImage) -> OwnImage:
    """The luminance of a style with the mean and deviation of that of a content, clamped.

    (deviation of content / deviation of style) (L - mean of style) + mean of content, as Gatys et
    al. 2016 have it, on the stored values of the gray pictures. A style whose deviation is less
    than one of 255 steps counts as having that much.
    """
    gray, target = luminance(style), luminance(content)
    deviation, mean = torch.std_mean(gray, WHOLE, correction=0, keepdim=True)
    target_deviation, target_mean = torch.std_mean(target, WHOLE, correction=0, keepdim=True)
    gain = target_deviation / deviation.clamp(min=SMALLEST_DEVIATION)
    return ((gray - mean) * gain + target_mean).clamp(0, 1)
