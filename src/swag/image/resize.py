"""Changes of size: bicubic, antialiased, differentiable."""

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate


def resize(
    image: Float[Tensor, "b c h w"], size: tuple[int, int]
) -> Float[Tensor, "b c new_h new_w"]:
    """Resample pictures to (height, width) with Keys' cubic kernel (a = -1/2), antialiased.

    When it shrinks, the kernel is widened by the ratio of the sizes, so that every input pixel
    counts. Bicubic because it keeps more detail than the bilinear kernel at the same cost; in
    return it can leave the range of its input by a few percent at sharp edges. Nothing is clamped
    here, since an optimization may leave the range itself: clamp if the range matters.
    Works on sRGB values as they are, as image editors do, not on linear light.
    """
    if tuple(image.shape[-2:]) == size:
        return image
    return interpolate(image, size=size, mode="bicubic", align_corners=False, antialias=True)


def fitted(height: int, width: int, size: int) -> tuple[int, int]:
    """Height and width with the same aspect ratio and a long side of `size` pixels.

    The short side is rounded to the nearest pixel (half upwards) and is at least 1.
    """
    longest = max(height, width)
    rows, columns = (
        max(1, (2 * side * size + longest) // (2 * longest)) for side in (height, width)
    )
    return rows, columns
