"""What a pass over the tiles of a picture finds: errors, and what their gradient needs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from swag.objective.layer_loss import LayerLoss
from swag.tiling.network_tail import NetworkTail, TailLosses
from swag.tiling.tiled_pass import DescriptionAccumulator, TileAccumulator, TiledPass
from swag.types import OwnImage


@dataclass(frozen=True)
class TiledForward:
    """Parts with what was kept of the tiles for them, and the errors of those behind the cut."""

    tiled: list[tuple[LayerLoss, DescriptionAccumulator]]
    tail: TailLosses | None

    @classmethod
    def at(
        cls,
        image: OwnImage,
        parts: Iterable[LayerLoss],
        tiled_pass: TiledPass,
        tail: NetworkTail | None,
        *,
        graph: bool,
    ) -> "TiledForward":
        """Look at a picture; with a `graph` if a gradient will be asked for."""
        tiled: list[LayerLoss] = []
        deep: list[LayerLoss] = []
        for part in parts:
            (deep if tail is not None and tail.sees(part.view) else tiled).append(part)
        needed = tail.needed(part.view for part in deep) if tail is not None and deep else ()
        kept, whole = tiled_pass.forward(image, [(part.view, part.mask) for part in tiled], needed)
        found = None
        if tail is not None and deep:
            found = TailLosses.of(tail, deep, whole, graph=graph)
        return cls(list(zip(tiled, kept, strict=True)), found)

    def errors(self) -> list[tuple[LayerLoss, Tensor]]:
        """Each part, in any order, with its error, detached."""
        found = [(part, part.error_of(one.description(one.leaves()))) for part, one in self.tiled]
        found += self.tail.by_part if self.tail is not None else ()
        return [(part, error.detach()) for part, error in found]

    @torch.enable_grad()
    def pullback(self, weights: Mapping[str, Tensor]) -> list[TileAccumulator]:
        """What was kept, each with the gradient of its errors, weighted by term; once only."""
        # First what holds a graph through half of the network.
        pulled: list[TileAccumulator] = [] if self.tail is None else [self.tail.pullback(weights)]
        for part, one in self.tiled:
            leaves = one.leaves()
            error = part.error_of(one.description(leaves))
            one.cotangents = torch.autograd.grad(error, leaves, weights[part.term])
            pulled.append(one)
        return pulled
