"""Maps, descriptions and errors of pictures, as needed before the first step."""

from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from swag.losses import Description
from swag.objective.layer_loss import LayerLoss, LayerView
from swag.types import Extract, FeatureMap, FeatureMaps, OwnImage, OwnMask


@runtime_checkable
class FeatureSource(Protocol):
    """Gives the maps of pictures, and the descriptions, errors and gradients of losses."""

    def sample(self, image: OwnImage, layer: str) -> FeatureMap:
        """The map of a layer, or a sample of it, to fit a smoothing to."""
        ...

    def feature_map(self, image: OwnImage, layer: str) -> FeatureMap:
        """The map of a layer."""
        ...

    def shape(self, image: OwnImage, layer: str) -> torch.Size:
        """The shape of the map of a layer."""
        ...

    def descriptions(
        self, views: Sequence[LayerView], image: OwnImage, mask: OwnMask | None
    ) -> list[Description]:
        """The description of a picture by each view."""
        ...

    def errors(self, parts: Sequence[LayerLoss], image: OwnImage) -> list[float]:
        """The error of a picture in each part."""
        ...

    def gradient(self, part: LayerLoss, image: OwnImage) -> Tensor:
        """The gradient of a part's error with respect to the pixels."""
        ...


class FeatureCache:
    """Reads each picture once, and keeps the maps of all layers of an objective."""

    def __init__(self, extract: Extract, layers: Iterable[str]) -> None:
        self.extract = extract
        self.layers = tuple(dict.fromkeys(layers))
        self._cache: list[tuple[Tensor, FeatureMaps]] = []

    def maps(self, image: OwnImage) -> FeatureMaps:
        """The activations of a picture by layer."""
        for picture, features in self._cache:
            if picture is image:
                return features
        with torch.no_grad():
            self._cache.append((image, self.extract(image, self.layers)))
        return self._cache[-1][1]

    def sample(self, image: OwnImage, layer: str) -> FeatureMap:
        """See `FeatureSource`: the whole map."""
        return self.maps(image)[layer]

    def feature_map(self, image: OwnImage, layer: str) -> FeatureMap:
        """See `FeatureSource`."""
        return self.maps(image)[layer]

    def shape(self, image: OwnImage, layer: str) -> torch.Size:
        """See `FeatureSource`."""
        return self.maps(image)[layer].shape

    def descriptions(
        self, views: Sequence[LayerView], image: OwnImage, mask: OwnMask | None
    ) -> list[Description]:
        """See `FeatureSource`."""
        return [view.describe(self.maps(image), mask) for view in views]

    def errors(self, parts: Sequence[LayerLoss], image: OwnImage) -> list[float]:
        """See `FeatureSource`."""
        return [float(part.error(self.maps(image))) for part in parts]

    @torch.enable_grad()
    def gradient(self, part: LayerLoss, image: OwnImage) -> Tensor:
        """See `FeatureSource`."""
        pixels = image.detach().clone().requires_grad_()
        error = part.error(self.extract(pixels, part.view.layers))
        (gradient,) = torch.autograd.grad(error, pixels)
        return gradient
