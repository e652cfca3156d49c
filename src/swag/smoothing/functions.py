"""The functions sigma that smooth a layer, each FeatureMap -> FeatureMap of the same shape.

Wang, Li and Vasconcelos, "Rethinking and Improving the Robustness of Image Style Transfer",
CVPR 2021. The paper's sigma is one softmax over a whole layer; the authors' script has carried
a softmax over channels, one over the layer, and a plain factor; others use one over positions.
The softmaxes of this file that sum to one have a twin whose mean is one: over a million entries
a softmax is about 1e-6 everywhere, its Gram matrix about 1e-15, and the loss leaves float32.
"""

import math
from typing import Literal

import torch
from torch import Tensor

from swag.errors import SettingsError
from swag.maps import check_maps
from swag.types import FeatureMap

Domain = Literal["layer", "channels", "positions"]
"""The entries that a softmax is normalized over: a layer, its channels, or its positions."""

DIMENSIONS: dict[Domain, tuple[int, ...]] = {
    "layer": (1, 2, 3),
    "channels": (1,),
    "positions": (2, 3),
}

SOFT_ZERO = 1e-4
"""Below this size `power` turns from a power into a straight line through zero."""


def softmax(features: FeatureMap, temperature: float = 1.0) -> FeatureMap:
    """One softmax over all channels and positions of each picture: the paper's sigma.

    Entries lie in [0, 1] and sum to one for each picture. The paper has no temperature: it is 1.
    Raises SettingsError unless the temperature is a finite number above 0.
    """
    return mean_one_softmax(features, temperature, "layer") * unit(features.shape, "layer")


def channel_softmax(features: FeatureMap, temperature: float = 1.0) -> FeatureMap:
    """A softmax over the channels at each position, as in the first release of the authors' script.

    Entries lie in [0, 1] and sum to one at each position. Raises SettingsError unless the
    temperature is a finite number above 0.
    """
    return mean_one_softmax(features, temperature, "channels") * unit(features.shape, "channels")


def spatial_softmax(features: FeatureMap, temperature: float = 1.0) -> FeatureMap:
    """A softmax over the positions of each channel, as other implementations of SWAG have it.

    Entries lie in [0, 1] and sum to one for each channel. Raises SettingsError unless the
    temperature is a finite number above 0.
    """
    return mean_one_softmax(features, temperature, "positions") * unit(features.shape, "positions")


def mean_one_softmax(features: FeatureMap, temperature: float, domain: Domain) -> FeatureMap:
    """A softmax times the number of entries that it is taken over, so that their mean is one.

    The largest entry is subtracted first; it cancels, so no gradient runs through it.
    """
    # torch.softmax adds float32 one by one: off by 1e-3 over 4 million entries, 1e-2 over 67.
    check_maps(features, "softmax")
    positive("temperature", temperature)
    features = at_least_float32(features)
    dims = DIMENSIONS[domain]
    largest = features.detach().amax(dims, keepdim=True)
    exponentials = ((features - largest) / temperature).exp()
    return exponentials / exponentials.mean(dims, keepdim=True)


def unit(shape: torch.Size, domain: Domain) -> float:
    """The factor that makes a mean-one softmax sum to one: 1 / (number of entries)."""
    return 1.0 / math.prod(shape[dim] for dim in DIMENSIONS[domain])


def scale(features: FeatureMap, alpha: float = 0.001) -> FeatureMap:
    """The activations times a constant, as in the authors' released script.

    It leaves the shape of the distribution alone, and so its entropy F / sum F; among layers that
    share one weight it lowers the weight of this one, to the fourth power of alpha for a Gram
    loss. Raises SettingsError unless alpha is a finite number above 0.
    """
    positive("alpha", alpha)
    return at_least_float32(features) * alpha


def power(features: FeatureMap, exponent: float = 0.5) -> FeatureMap:
    """sign(F) |F|^p, which for p < 1 draws large activations together.

    Departure: computed as F (F^2 + 1e-8)^((p - 1) / 2), whose slope at zero is finite,
    1e-4^(p - 1), which is 100 for the square root; the relative difference from the power is
    below 1e-8 for |F| >= 1 and below 1e-2 for |F| >= 1e-3, and zero stays zero.
    Raises SettingsError unless the exponent is a finite number above 0.
    """
    positive("exponent", exponent)
    features = at_least_float32(features)
    return features * (features.square() + SOFT_ZERO**2) ** ((exponent - 1) / 2)


def log(features: FeatureMap, threshold: float) -> FeatureMap:
    """sign(F) log(1 + |F| / t): nearly straight below the threshold t, logarithmic above it.

    Raises SettingsError unless the threshold is a finite number above 0.
    """
    positive("threshold", threshold)
    features = at_least_float32(features) / threshold
    # Each sign by itself: sign(F) * log1p(|F|) would have no slope at zero, where it is 1 / t.
    above = torch.where(features >= 0, features, 0.0)
    below = torch.where(features < 0, -features, 0.0)
    return above.log1p() - below.log1p()


def tanh(features: FeatureMap, threshold: float) -> FeatureMap:
    """t tanh(F / t): nearly the identity below the threshold t, and never above it.

    Raises SettingsError unless the threshold is a finite number above 0.
    """
    positive("threshold", threshold)
    return (at_least_float32(features) / threshold).tanh() * threshold


def none(features: FeatureMap) -> FeatureMap:
    """The activations as they are (half precision raised to float32)."""
    return at_least_float32(features)


def at_least_float32(features: Tensor) -> Tensor:
    """The same numbers in float32, or in float64 if they are float64 already."""
    return features.to(torch.promote_types(features.dtype, torch.float32))


def positive(name: str, value: float) -> None:
    """Raise SettingsError unless the value is a finite number above 0."""
    if not (math.isfinite(value) and value > 0):
        raise SettingsError(f"{name} is {value}; give a finite number above 0.")
