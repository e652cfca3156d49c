"""What a pass over the tiles of a picture finds: errors, and what their gradient needs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from swag.objective.behind import Behind, Errors
from swag.objective.sweep import Gathered, Kept, Sweep
from swag.objective.view import Part
from swag.types import OwnImage


@dataclass(frozen=True)
class Look:
    """Parts with what was kept of the tiles for them, and the errors of those behind the cut."""

    tiled: list[tuple[Part, Gathered]]
    behind: Errors | None

    @classmethod
    def at(
        cls,
        image: OwnImage,
        parts: Iterable[Part],
        sweep: Sweep,
        behind: Behind | None,
        *,
        graph: bool,
    ) -> "Look":
        """Look at a picture; with a `graph` where a gradient will be asked for."""
        tiled: list[Part] = []
        deep: list[Part] = []
        for part in parts:
            (deep if behind is not None and behind.sees(part.view) else tiled).append(part)
        needed = behind.needed(part.view for part in deep) if behind is not None and deep else ()
        kept, whole = sweep.gather(image, [(part.view, part.where) for part in tiled], needed)
        found = None
        if behind is not None and deep:
            found = Errors.of(behind, deep, whole, graph=graph)
        return cls(list(zip(tiled, kept, strict=True)), found)

    def errors(self) -> list[tuple[Part, Tensor]]:
        """Each part, in any order, with its error, detached."""
        found = [(part, part.error_of(one.description(one.leaves()))) for part, one in self.tiled]
        found += self.behind.by_part if self.behind is not None else ()
        return [(part, error.detach()) for part, error in found]

    @torch.enable_grad()
    def pull(self, weights: Mapping[str, Tensor]) -> list[Kept]:
        """What was kept, each with the gradient of its errors, weighted by term; once only."""
        # First what holds a graph through half of the network.
        pulled: list[Kept] = [] if self.behind is None else [self.behind.pull(weights)]
        for part, one in self.tiled:
            leaves = one.leaves()
            error = part.error_of(one.description(leaves))
            one.pulls = torch.autograd.grad(error, leaves, weights[part.term])
            pulled.append(one)
        return pulled
