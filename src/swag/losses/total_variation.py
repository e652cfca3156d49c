"""Total variation: how much neighbouring pixels differ.

Rudin, Osher and Fatemi, "Nonlinear total variation based noise removal algorithms", Physica D,
1992, in its isotropic form, with the forward differences of Chambolle, 2004. It takes away noise
and leaves the edges of strokes, of which the squared form in common use (Mahendran and Vedaldi,
CVPR 2015, beta = 2) takes away the most.
"""

from torch.nn.functional import pad

from swag.losses.precision import in_full_precision
from swag.shapes import Image, PerImage

CORNER = 0.01
"""Length of a difference below which its cost is quadratic, in pixel values: 2.5 of 255 steps."""


@in_full_precision
def differences(image: Image) -> Image:
    """Length of the difference to the right and lower neighbour of each pixel, by channel.

    At least 0, and 0 for a constant picture. Departure: the length is sqrt(x^2 + y^2 + c^2) - c
    with c = 0.01, so that its slope is defined where there is no difference; the colours are
    taken one by one; the last row and column differ by nothing from what lies outside.
    """
    right = pad(image.diff(dim=3), (0, 1, 0, 0))
    below = pad(image.diff(dim=2), (0, 0, 0, 1))
    return (right.square() + below.square() + CORNER**2).sqrt() - CORNER


def total_variation(image: Image) -> PerImage:
    """The mean of `differences` over pixels and channels."""
    return differences(image).mean((1, 2, 3))
