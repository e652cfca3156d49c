"""The forward pass over the tiles of a picture: errors, and what their gradient needs."""

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
    """Each part of the front with its accumulator, and the errors of the parts behind the cut."""

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
        """Evaluate the parts at a picture; with a `graph` if a gradient will be needed."""
        tiled: list[LayerLoss] = []
        deep: list[LayerLoss] = []
        for part in parts:
            (deep if tail is not None and tail.sees(part.view) else tiled).append(part)
        needed = tail.needed(part.view for part in deep) if tail is not None and deep else ()
        accumulators, assembled = tiled_pass.forward(
            image, [(part.view, part.mask) for part in tiled], needed
        )
        tail_losses = None
        if tail is not None and deep:
            tail_losses = TailLosses.of(tail, deep, assembled, graph=graph)
        return cls(list(zip(tiled, accumulators, strict=True)), tail_losses)

    def errors(self) -> list[tuple[LayerLoss, Tensor]]:
        """Each part, in any order, with its error, detached."""
        errors = [(part, part.error_of(x.description(x.leaves()))) for part, x in self.tiled]
        errors += self.tail.by_part if self.tail is not None else ()
        return [(part, error.detach()) for part, error in errors]

    @torch.enable_grad()
    def pullback(self, weights: Mapping[str, Tensor]) -> list[TileAccumulator]:
        """All accumulators with the gradients of their errors, weighted by term; call it once."""
        # The tail first: it holds a graph through half of the network.
        results: list[TileAccumulator] = [] if self.tail is None else [self.tail.pullback(weights)]
        for part, accumulator in self.tiled:
            leaves = accumulator.leaves()
            error = part.error_of(accumulator.description(leaves))
            accumulator.cotangents = torch.autograd.grad(error, leaves, weights[part.term])
            results.append(accumulator)
        return results
