"""Running means of one layer over the tiles of a picture, from which a description is made.

A softmax over the layer, or over positions, is exp((F - m) / T) / z, whose largest entry m and
mean z are known only after the last tile. So the means are those of the exponentials, taken with
the largest entry so far and multiplied by a power of exp((m_old - m_new) / T) whenever a tile
raises it ("online softmax"); dividing by powers of z at the end makes them those of the softmax.
z is one more mean, and the gradient through it one more number: no further pass is needed.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from swag.losses import Description
from swag.losses.streaming import Means, StreamingStatistics
from swag.objective.layer_loss import LayerView
from swag.precision import to_float64
from swag.smoothing.functions import at_least_float32
from swag.tiling.tiles import Tile, TileIndex
from swag.types import FeatureMap, FeatureMaps, OwnMask


@dataclass
class StreamingDescription:
    """The means of a view of one layer whose loss has `streaming`.

    `shape` is that of the whole map; `shares` (1, 1, h, w) say how much each of its positions
    counts and sum to one; None: all alike. `cotangents` are the gradient of a loss with respect to
    the means, set once it is known.
    """

    view: LayerView
    shape: torch.Size
    shares: OwnMask | None = None
    cotangents: Means = ()
    _means: Means = ()
    _shift: Tensor | None = field(default=None, repr=False)
    _center: Tensor | None = field(default=None, repr=False)

    @torch.no_grad()
    def add(self, maps: FeatureMaps, tile: Tile) -> None:
        """Add the positions of a tile to the means."""
        features, index = self._features_and_index(maps, tile)
        if features.numel() == 0:  # a network without padding has nothing at its last pixels
            return
        if self._over_positions:
            self._raise_shift(features)
        mapped = self._mapped(features)
        if self._center is None:
            # The first tile's mean serves all tiles: a center only has to be near.
            center = mapped.mean((2, 3))
            self._center = center if self._streaming.centered else torch.zeros_like(center)
        sums = tuple(map(to_float64, self._weighted_sums(mapped, index)))
        previous = self._means or tuple(map(torch.zeros_like, sums))
        self._means = tuple(old + new for old, new in zip(previous, sums, strict=True))

    def leaves(self) -> Means:
        """The means as leaves of a graph, for `description`."""
        return tuple(mean.detach().requires_grad_() for mean in self._means)

    def description(self, means: Means) -> Description:
        """The description that the loss computes from the means."""
        assert self._center is not None
        center = to_float64(self._center)
        if self._over_positions:
            *means_of_exponentials, z = means
            if self.view.smoothings[0].kind.domain == "layer":
                z = z.mean(1, keepdim=True).expand_as(center)
            means = self._scaled(tuple(means_of_exponentials), 1 / z)
            center = center / z
        description: Description = self._streaming.compute(means, center)
        return description

    def pullback(self, maps: FeatureMaps, tile: Tile) -> Tensor:
        """A scalar whose gradient with respect to a tile's maps is that of the loss."""
        features, index = self._features_and_index(maps, tile)
        if features.numel() == 0:
            return features.sum()
        sums = self._weighted_sums(self._mapped(features), index)
        products = [(p.to(q) * q).sum() for p, q in zip(self.cotangents, sums, strict=True)]
        return torch.stack(products).sum()

    @property
    def _streaming(self) -> StreamingStatistics:
        assert self.view.loss.streaming is not None
        return self.view.loss.streaming

    @property
    def _over_positions(self) -> bool:
        """Whether the smoothing is a softmax that takes all positions together."""
        return self.view.smoothings[0].kind.domain in ("layer", "positions")

    @property
    def _temperature(self) -> float:
        return float(self.view.smoothings[0].parameter or 1)

    def _features_and_index(self, maps: FeatureMaps, tile: Tile) -> tuple[FeatureMap, TileIndex]:
        (layer,) = self.view.layers
        return at_least_float32(maps[layer]), tile.in_map(layer)

    def _mapped(self, features: FeatureMap) -> FeatureMap:
        """The smoothed map; for a softmax over positions, its exponentials before the division."""
        if not self._over_positions:
            return self.view.smoothings[0](features)
        assert self._shift is not None
        return ((features - self._shift[:, :, None, None]) / self._temperature).exp()

    def _weighted_sums(self, mapped: FeatureMap, index: TileIndex) -> Means:
        positions = self.shape[2] * self.shape[3]
        shares = 1 / positions if self.shares is None else self.shares[index].to(mapped)
        sums = self._streaming.add(
            mapped, shares, self._center if self._streaming.centered else None
        )
        if self._over_positions:
            sums = (*sums, mapped.sum((2, 3)) / positions)
        return sums

    def _raise_shift(self, features: FeatureMap) -> None:
        """Raise the largest entry so far to this tile's, and rescale the means for it."""
        largest = features.amax((2, 3))  # b d
        if self.view.smoothings[0].kind.domain == "layer":
            largest = largest.amax(1, keepdim=True).expand_as(largest)
        if self._shift is not None:
            raised = torch.maximum(self._shift, largest)
            ratio = to_float64((self._shift - raised) / self._temperature).exp()
            *means, z = self._means
            self._means = (*self._scaled(tuple(means), ratio), z * ratio)
            assert self._center is not None
            self._center = self._center * ratio.to(self._center)
            largest = raised
        self._shift = largest

    def _scaled(self, means: Means, factor: Tensor) -> Means:
        """The means of a map whose channels were multiplied by `factor` (b, d)."""
        product = factor[:, :, None] * factor[:, None, :]
        return tuple(
            mean * (product if mean.ndim == 3 else factor**degree)
            for mean, degree in zip(means, self._streaming.homogeneity, strict=True)
        )
