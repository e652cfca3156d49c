"""Splitting a network: the front runs in tiles, the tail at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

from torch import Tensor

from swag.backbones import Backbone, narrow, tail_of
from swag.objective import with_pixels
from swag.tiling.memory_estimate import bytes_per_pixel
from swag.tiling.network_tail import NetworkTail
from swag.tiling.receptive_field import ReceptiveField, measure_receptive_field
from swag.types import Extract, Precision

LARGEST_SHARE = 0.15
"""Largest share of a pass's memory that the tail may need; tiles save the rest."""


@dataclass(frozen=True)
class SplitNetwork:
    """A network split behind the last layer of its front; without a tail, all of it is front."""

    network: Backbone
    front: tuple[str, ...]
    like: Tensor
    """Any picture, where the run computes."""
    tail: NetworkTail | None = None
    tail_bytes: float = 0.0
    """Memory of the tail for each pixel of the picture."""

    @cached_property
    def front_bytes(self) -> float:
        """Memory of a tile for each of its pixels."""
        return bytes_per_pixel(self.network.extract, self.front, self.like)

    @cached_property
    def receptive_field(self) -> ReceptiveField:
        """The receptive field of the front. SettingsError if it is too large for tiles."""
        return measure_receptive_field(with_pixels(self.network.extract), self.front, self.like)

    def at(self, precision: Precision) -> tuple[ReceptiveField, NetworkTail | None]:
        """What reads the tiles, and the tail, by passes of this precision.

        Receptive fields, and the memory that passes are said to take, are those in float32.
        """
        if precision == "float32":
            return self.receptive_field, self.tail
        front = with_pixels(extract_in(self.network, precision))
        tail = self.tail and replace(self.tail, extract=partial(narrow, self.tail.extract))
        return replace(self.receptive_field, extract=front), tail


def extract_in(network: Backbone, precision: Precision) -> Extract:
    """The passes of a network in this precision."""
    if precision == "float32":
        return network.extract
    return partial(network.extract, precision=precision)


def splits_of(network: Backbone, layers: Sequence[str], like: Tensor) -> Iterator[SplitNetwork]:
    """A network split at one of the layers that are read, from the shallowest on.

    A shallow split spares more of the halo and of the second pass; from the first one of these on
    the tail is small enough to be kept at once.
    """
    order = {name: number for number, name in enumerate(network.layers())}
    places = {layer: order.get(network.aliases.get(layer, layer)) for layer in layers}
    known = {layer: place for layer, place in places.items() if place is not None}
    if len(known) < len(layers):
        return
    ordered = sorted(known, key=known.__getitem__)
    total = bytes_per_pixel(network.extract, ordered, like)
    for count in range(1, len(ordered)):
        front, rest = tuple(ordered[:count]), tuple(ordered[count:])
        left = total - bytes_per_pixel(network.extract, front, like)
        if left > LARGEST_SHARE * total:
            continue
        extract = tail_of(network, front[-1], rest)
        if extract is not None:
            tail = NetworkTail(front[-1], rest, extract)
            yield SplitNetwork(network, front, like, tail=tail, tail_bytes=left)
