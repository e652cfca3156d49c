"""Content: the activations themselves, each in its place.

Gatys, Ecker and Bethge, "Image style transfer using convolutional neural networks", CVPR 2016;
smoothed activations in the place of raw ones are SWAG's (Wang, Li and Vasconcelos, CVPR 2021).
"""

from jaxtyping import Float
from torch import Tensor

from swag.errors import SettingsError
from swag.losses.precision import in_full_precision
from swag.types import FeatureMap, Mask, PerImage


@in_full_precision
def describe(features: FeatureMap, mask: Mask | None = None) -> FeatureMap:
    """The activations as they are.

    With `mask` each is multiplied by the root of its weight, so that its squared difference
    counts by the weight: unlike in a style loss, weights are not divided by their sum.
    """
    return features if mask is None else features * mask.sqrt()


@in_full_precision
def compare(a: FeatureMap, b: Float[Tensor, "b d rows columns"]) -> PerImage:
    """Sum of squared differences of activations, at least 0.

    Raises SettingsError unless both have the same size: content is compared by position.
    """
    if a.shape != b.shape:
        raise SettingsError(
            f"content compares activations by position, but their shapes are {tuple(a.shape)} "
            f"and {tuple(b.shape)}; give pictures of the same size."
        )
    return (a - b).square().sum((1, 2, 3))


def paper_factor(d: int, m: int, unit: float) -> float:
    """The paper's 1/2 ||F - F*||^2 on unit * F, divided by `compare`."""
    return unit**2 / 2


def released_factor(d: int, m: int) -> float:
    """The script's mean squared error of D * M entries, divided by `compare`."""
    return 1 / (d * m)
