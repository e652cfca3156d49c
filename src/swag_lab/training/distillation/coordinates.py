"""Principal coordinates of a layer's activations: what the taps of a student predict."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from swag.types import FeatureMap


@dataclass(frozen=True)
class PrincipalCoordinates:
    """The first k principal axes of d channels, over all positions of all pictures.

    `axes` are orthonormal rows, the largest variance first. `total` is the variance of all
    channels together, `explained` the share of it along each axis.
    """

    mean: Float[Tensor, " d"]
    axes: Float[Tensor, "k d"]
    total: Float[Tensor, ""]
    explained: Float[Tensor, " k"]

    def of(self, maps: FeatureMap) -> Float[Tensor, "b k h w"]:
        """Coordinates of activations, in units of the square root of the total variance."""
        centered = maps - self.mean[:, None, None]
        weight = self.axes[:, :, None, None] / self.total.sqrt()
        return torch.nn.functional.conv2d(centered, weight)

    def activations(self, coordinates: Float[Tensor, "b k h w"]) -> FeatureMap:
        """The activations that have these coordinates, and the mean along all other axes."""
        weight = self.axes.T[:, :, None, None] * self.total.sqrt()
        return torch.nn.functional.conv2d(coordinates, weight, self.mean)


def mean_and_covariance(
    maps: FeatureMap,
) -> tuple[Float[Tensor, "b d"], Float[Tensor, "b d d"]]:
    """Mean and covariance of the channels over the positions of each picture."""
    flat = maps.flatten(2)
    mean = flat.mean(2, keepdim=True)
    centered = flat - mean
    return mean[..., 0], centered @ centered.mT / flat.shape[2]


class ActivationMoments:
    """Sums of a layer's activations, batch by batch, in float64."""

    def __init__(self) -> None:
        self._positions = 0
        self._sum = self._products = torch.zeros((), dtype=torch.float64)

    def add(self, maps: Float[Tensor, "_b d _h _w"]) -> None:
        """Add the positions of more pictures to the sums."""
        flat = maps.detach().cpu().double().transpose(0, 1).flatten(1)
        self._positions += flat.shape[1]
        self._sum = self._sum + flat.sum(1)
        self._products = self._products + flat @ flat.T

    @property
    def mean(self) -> Float64[Tensor, " d"]:
        """Mean of each channel."""
        return self._sum / self._positions

    @property
    def covariance(self) -> Float64[Tensor, "d d"]:
        """Covariance of the channels."""
        return self._products / self._positions - self.mean[:, None] * self.mean


def principal_coordinates(
    moments: ActivationMoments, coordinates: int | float
) -> PrincipalCoordinates:
    """The principal axes of a layer: an `int` of them, or as few as explain a share, a `float`."""
    variances, vectors = torch.linalg.eigh(moments.covariance)
    variances, axes = variances.flip(0).clamp(min=0), vectors.T.flip(0)
    share = variances / variances.sum()
    if isinstance(coordinates, float):
        coordinates = int((share.cumsum(0) < coordinates - 1e-12).sum()) + 1
    axes = axes[:coordinates]
    # The sign of an axis is arbitrary; a positive largest entry makes it the same in any library.
    largest = axes.gather(1, axes.abs().argmax(1, keepdim=True))
    return PrincipalCoordinates(
        mean=moments.mean.float(),
        axes=(axes * largest.sign()).float(),
        total=variances.sum().float(),
        explained=share[:coordinates].float(),
    )
