"""How far pixels have left [0, 1], the range in which a picture can be shown.

Clamping instead would hide the pixel's gradient from the optimiser. Compare the range penalty of
Mahendran and Vedaldi, "Visualizing deep convolutional neural networks using natural pre-images",
IJCV 2016.
"""

from swag.losses.precision import in_full_precision
from swag.shapes import Image, PerImage


@in_full_precision
def distances(image: Image) -> Image:
    """Squared distance of each pixel value from [0, 1]."""
    return (image - image.clamp(0, 1)).square()


def pixel_range(image: Image) -> PerImage:
    """Mean squared distance of the pixel values from [0, 1]; 0 for a picture within."""
    return distances(image).mean((1, 2, 3))
