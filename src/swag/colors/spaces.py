"""Spaces of color: sRGB as stored, linear light, and OKLab; the last two are of light.

IEC 61966-2-1 (sRGB), Rec. ITU-R BT.709 (luminance), and Ottosson, "A perceptual color space for
image processing", 2020, with the matrices of its revision of January 2021.
"""

import torch
from jaxtyping import Float
from torch import Tensor

Colors = Float[Tensor, "b 3 h w"]

LUMINANCE = (0.2126, 0.7152, 0.0722)
"""Shares of red, green and blue light in perceived brightness (luminance)."""

TO_CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
"""From linear sRGB to the answers of three kinds of cones."""

TO_OPPONENTS = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)
"""From the cube roots of the cones' answers to lightness, green - red and blue - yellow."""


def to_linear(image: Colors) -> Colors:
    """Linear light of sRGB; below 0 the straight part of the curve continues."""
    curve = ((image.clamp(min=0) + 0.055) / 1.055) ** 2.4
    return torch.where(image <= 0.04045, image / 12.92, curve)


def from_linear(light: Colors) -> Colors:
    """The sRGB values of linear light, the inverse of `to_linear`."""
    curve = 1.055 * light.clamp(min=0) ** (1 / 2.4) - 0.055
    return torch.where(light <= 0.0031308, light * 12.92, curve)


def to_oklab(light: Colors) -> Colors:
    """Lightness (0 black, 1 white), green - red and blue - yellow (0 gray) of linear light."""
    cones = _mix_channels(_matrix(TO_CONES, light), light)
    return _mix_channels(_matrix(TO_OPPONENTS, light), cones.sign() * cones.abs() ** (1 / 3))


def from_oklab(lab: Colors) -> Colors:
    """Linear light of OKLab, which may be outside [0, 1]: no screen shows every color."""
    roots = _mix_channels(_matrix(TO_OPPONENTS, lab, inverse=True), lab)
    return _mix_channels(_matrix(TO_CONES, lab, inverse=True), roots**3)


def luminance_of(light: Colors) -> Float[Tensor, "b 1 h w"]:
    """Luminance of linear light, between 0 (black) and 1 (white)."""
    weights = torch.tensor(LUMINANCE, dtype=light.dtype, device=light.device)
    return (light * weights[:, None, None]).sum(1, keepdim=True)


def _matrix(
    rows: tuple[tuple[float, ...], ...], like: Tensor, *, inverse: bool = False
) -> Float[Tensor, "3 3"]:
    matrix = torch.tensor(rows, dtype=torch.float64)
    return (torch.linalg.inv(matrix) if inverse else matrix).to(like)


def _mix_channels(matrix: Float[Tensor, "3 3"], colors: Colors) -> Colors:
    return torch.einsum("ij,bjhw->bihw", matrix, colors)
