"""The layers that a loss describes, and the parts of a term, compared at each step."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from swag.losses import Description, Loss
from swag.precision import to_float64
from swag.smoothing import Smoothing
from swag.types import Extract, FeatureMaps, OwnMask

PIXELS = "pixels"
"""The layer that is the picture itself."""


@dataclass(frozen=True)
class LayerView:
    """How a loss reads its layer, or all layers if joint: smoothed, divided by `map_scales`."""

    loss: Loss
    layers: tuple[str, ...]
    smoothings: tuple[Smoothing, ...]
    map_scales: tuple[float, ...] = ()

    def describe(self, features: FeatureMaps, mask: OwnMask | None) -> Description:
        """The description of these layers; `mask` is of any size."""
        maps = tuple(
            smooth(features[layer])
            for layer, smooth in zip(self.layers, self.smoothings, strict=True)
        )
        if mask is not None:
            rows, columns = maps[0].shape[-2:]
            mask = adaptive_avg_pool2d(mask, (rows, columns))
        if self.loss.joint:
            maps = tuple(m / scale for m, scale in zip(maps, self.map_scales, strict=True))
        description: Description = self.loss.describe(maps if self.loss.joint else maps[0], mask)
        return description


@dataclass(frozen=True)
class LayerLoss:
    """One layer of one term, ready to be compared; `factor` holds all of its constants."""

    term: str
    view: LayerView
    mask: OwnMask | None
    target: Description
    factor: float

    def error(self, features: FeatureMaps) -> Tensor:
        """This part of the term for the first picture of the batch, in float64."""
        return self.error_of(self.view.describe(features, self.mask))

    def error_of(self, described: Description) -> Tensor:
        """The same from a description."""
        return to_float64(self.view.loss.compare(described, self.target)[0]) * self.factor


def with_pixels(extract: Extract) -> Extract:
    """`extract` with the picture itself as the layer `pixels`; read alone, it costs no pass."""
    return partial(_extract_with_pixels, extract)


def _extract_with_pixels(extract: Extract, image: Tensor, layers: Sequence[str]) -> FeatureMaps:
    deep = [layer for layer in layers if layer != PIXELS]
    features = extract(image, deep) if deep else {}
    return {**features, PIXELS: image} if PIXELS in layers else features
