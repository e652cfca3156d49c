"""Where a network can be cut in two: the front is run in tiles, what is behind at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

from torch import Tensor

from swag.backbones import Backbone, narrow, tail_of
from swag.objective import NetworkTail, with_pixels
from swag.tiling import ReceptiveField, bytes_per_pixel, measure_receptive_field
from swag.types import Extract, Precision

LARGEST_SHARE = 0.15
"""Of a pass's memory that may lie behind a cut: what is left over of it is the gain of tiles."""


@dataclass(frozen=True)
class Cut:
    """A network cut at a layer: the layers in front, the last of them the cut, and those behind."""

    network: Backbone
    front: tuple[str, ...]
    behind: NetworkTail | None
    picture: Tensor
    """Any picture, where the run computes."""
    bytes_behind: float = 0.0
    """Memory of the layers behind for each pixel of the picture."""

    @cached_property
    def bytes_in_front(self) -> float:
        """Memory of a tile for each of its pixels."""
        return bytes_per_pixel(self.network.extract, self.front, self.picture)

    @cached_property
    def receptive_field(self) -> ReceptiveField:
        """How far the layers in front see. SettingsError if that is too far for tiles."""
        return measure_receptive_field(with_pixels(self.network.extract), self.front, self.picture)

    def passes(self, precision: Precision) -> tuple[ReceptiveField, NetworkTail | None]:
        """What reads the tiles, and what is behind them, by passes of this precision.

        How far layers see, and the memory they are said to take, are those in float32.
        """
        if precision == "float32":
            return self.receptive_field, self.behind
        behind = self.behind and replace(self.behind, extract=partial(narrow, self.behind.extract))
        return replace(
            self.receptive_field, extract=with_pixels(passes_of(self.network, precision))
        ), behind


def passes_of(network: Backbone, precision: Precision) -> Extract:
    """The passes of a network in this precision."""
    if precision == "float32":
        return network.extract
    return partial(network.extract, precision=precision)


def uncut(network: Backbone, layers: Sequence[str], picture: Tensor) -> Cut:
    """A network that is run in tiles to its last layer."""
    return Cut(network, tuple(layers), None, picture)


def cuts_of(network: Backbone, layers: Sequence[str], picture: Tensor) -> Iterator[Cut]:
    """The cuts of a network at one of the layers that are read, from the shallowest on.

    A shallow one spares more of the halo and of the second pass; behind the first one of these
    there is little enough to be kept at once.
    """
    order = {name: number for number, name in enumerate(network.layers())}
    places = {layer: order.get(network.aliases.get(layer, layer)) for layer in layers}
    known = {layer: place for layer, place in places.items() if place is not None}
    if len(known) < len(layers):
        return
    ordered = sorted(known, key=known.__getitem__)
    total = bytes_per_pixel(network.extract, ordered, picture)
    for count in range(1, len(ordered)):
        front, rest = tuple(ordered[:count]), tuple(ordered[count:])
        left = total - bytes_per_pixel(network.extract, front, picture)
        if left > LARGEST_SHARE * total:
            continue
        tail = tail_of(network, front[-1], rest)
        if tail is not None:
            yield Cut(
                network=network,
                front=front,
                behind=NetworkTail(front[-1], rest, tail),
                picture=picture,
                bytes_behind=left,
            )
