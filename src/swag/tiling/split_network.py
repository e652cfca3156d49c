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
    """A network split behind the last layer of its front; without a tail, all layers are front."""

    network: Backbone
    front: tuple[str, ...]
    like: Tensor
    """Any picture, where the run computes."""
    tail: NetworkTail | None = None
    tail_bytes: float = 0.0
    """Bytes that the tail takes for each pixel of the picture."""

    @cached_property
    def front_bytes(self) -> float:
        """Bytes that a tile takes for each of its pixels."""
        return bytes_per_pixel(self.network.extract, self.front, self.like)

    @cached_property
    def receptive_field(self) -> ReceptiveField:
        """The receptive field of the front. SettingsError if it is too large for tiles."""
        return measure_receptive_field(with_pixels(self.network.extract), self.front, self.like)

    def at(self, precision: Precision) -> tuple[ReceptiveField, NetworkTail | None]:
        """The receptive field, which reads the tiles, and the tail, with passes of this precision.

        How far layers see, and the memory that passes take, are as measured in float32.
        """
        if precision == "float32":
            return self.receptive_field, self.tail
        front = with_pixels(extract_in(self.network, precision))
        tail = self.tail and replace(self.tail, extract=partial(narrow, self.tail.extract))
        return replace(self.receptive_field, extract=front), tail


def extract_in(network: Backbone, precision: Precision) -> Extract:
    """The network's `extract` with passes of this precision."""
    if precision == "float32":
        return network.extract
    return partial(network.extract, precision=precision)


def splits_of(network: Backbone, layers: Sequence[str], like: Tensor) -> Iterator[SplitNetwork]:
    """The splits of a network behind one of its `layers`, from the shallowest on.

    Only those whose tail is small enough to be kept at once (`LARGEST_SHARE`): a shallow split
    saves more of the halo and of the second pass.
    """
    depth_of = {name: number for number, name in enumerate(network.layers())}
    depths = {layer: depth_of.get(network.aliases.get(layer, layer)) for layer in layers}
    known_depths = {layer: depth for layer, depth in depths.items() if depth is not None}
    if len(known_depths) < len(layers):
        return
    ordered = sorted(known_depths, key=known_depths.__getitem__)
    total = bytes_per_pixel(network.extract, ordered, like)
    for count in range(1, len(ordered)):
        front, later_layers = tuple(ordered[:count]), tuple(ordered[count:])
        tail_bytes = total - bytes_per_pixel(network.extract, front, like)
        if tail_bytes > LARGEST_SHARE * total:
            continue
        extract = tail_of(network, front[-1], later_layers)
        if extract is not None:
            tail = NetworkTail(front[-1], later_layers, extract)
            yield SplitNetwork(network, front, like, tail=tail, tail_bytes=tail_bytes)
