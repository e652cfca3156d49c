"""How a run reads pictures so that they fit into memory, and its optimizer.

planner = Planner(settings, network, device, fallbacks)
plan = planner.plan((rows, columns))               at once or in tiles, whole or split network
plan.objective(terms, start=photo, style=painting, penalties={})
planner.weaken(plan, error)                        the next plan takes less if memory ran out
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from swag.backbones import Backbone
from swag.config import Settings
from swag.errors import ResourceError
from swag.fallbacks import Fallbacks
from swag.objective import PIXELS, LossTerm, Objective
from swag.optimize import Adam, Lbfgs, Optimizer, TorchLbfgs
from swag.run.terms import layers_read
from swag.tiling import (
    SplitNetwork,
    TiledObjective,
    ample_side,
    bytes_per_pixel,
    extract_in,
    free_memory,
    is_out_of_memory,
    largest_side,
    splits_of,
)
from swag.types import OwnImage, Precision, Size

USABLE = 0.8
"""Share of the free memory that a run counts on."""

LARGEST_TILE = 1.0 * 2**30
"""Bytes that the pass over a tile takes at most on a processor: more is hardly faster."""

PICTURE = 12.0
"""Bytes of a pixel: three channels in float32."""

COPIES = {"lbfgs": 10, "adam": 12, "torch-lbfgs": 16}
"""Pictures of float32 that are alive in a step: the photo, the style, iterates, gradients."""

TAIL_SHARE = 0.5
"""Share of the memory left by the pictures that the tail of a split network may take."""

LARGE = 4_000_000
"""Pixels above which L-BFGS remembers fewer steps, and those in half the precision."""

REMEMBERED = 6
"""Steps that L-BFGS remembers of large pictures; ten end no lower (docs/performance.md)."""

LONG, STEPS_PER_PAIR, MOST_PAIRS = 300, 15, 60
"""In other runs L-BFGS remembers ten steps, and one more for every fifteen beyond 300, up to 60:
they pay in long runs alone (docs/performance.md)."""


@dataclass(frozen=True)
class ExecutionPlan:
    """How pictures of one size are read: at once, or the front of a network in tiles."""

    size: Size
    network: Backbone
    tile: int = 0
    """Side of the tiles in pixels, without their halo; 0: at once."""
    split: SplitNetwork | None = None

    def objective(
        self,
        terms: Sequence[LossTerm],
        *,
        start: OwnImage,
        style: OwnImage,
        penalties: Mapping[str, float],
        precision: Precision = "float32",
        fallbacks: Fallbacks | None = None,
    ) -> Objective | TiledObjective:
        """The objective of these terms, with passes of this precision; see `Objective.of`.

        The tiles fit into memory in float32, the precision in which a run ends.
        """
        if self.split is None:
            extract = extract_in(self.network, precision)
            return Objective.of(extract, terms, start=start, style=style, penalties=penalties)
        field, tail = self.split.at(precision)
        if any(PIXELS in term.layers for term in terms):
            field = field.with_layer(PIXELS)
        return TiledObjective.of(
            field,
            self.tile,
            terms,
            start=start,
            style=style,
            penalties=penalties,
            tail=tail,
            fallbacks=fallbacks,
        )


class Planner:
    """Plans for one network and the memory that was free when the run began.

    A plan that ran out of memory is not tried again. `fallbacks` records each plan that departs
    from the settings.
    """

    def __init__(
        self, settings: Settings, network: Backbone, device: torch.device, fallbacks: Fallbacks
    ) -> None:
        self.settings = settings
        self.network = network
        self.device = device
        self.fallbacks = fallbacks
        self.budget = USABLE * free_memory(device)
        self._too_many_pixels = float("inf")

    def plan(self, size: Size) -> ExecutionPlan:
        """The plan for pictures of this size. SettingsError if the network takes no tiles."""
        if self.settings.tile == 0 or (self.settings.tile == "auto" and self._fits_at_once(size)):
            return ExecutionPlan(size, self.network)
        split = self._split(size)
        tile = self.settings.tile if self.settings.tile != "auto" else self._tile_side(size, split)
        return ExecutionPlan(size, self.network, tile, split)

    def check(self, size: Size) -> None:
        """Note before the first step how a run with a result of this size departs from settings.

        Raises:
            ResourceError: the run does not fit into memory, not even in tiles.
        """
        if self._optimizer_name(size) != self.settings.optimizer:
            needed = self._bytes_with("lbfgs", size)
            self.fallbacks.note(self._shortage(size, needed, "for L-BFGS") + "; the run uses Adam")
        needed, least = self._run_bytes(size), self._picture_bytes(size)
        if self.settings.tile == "auto" and needed > self.budget:
            if least > self.budget:
                raise ResourceError(self._shortage(size, least, "even in tiles") + self._advice)
            tile = self.plan(size).tile
            self.fallbacks.note(
                f"{self._shortage(size, needed, 'at once')}; the run uses tiles of {tile} pixels"
            )

    def optimizer(self, size: Size, state: Mapping[str, Tensor] | None = None) -> Optimizer:
        """The optimizer for a result of this size, or the one whose memory `state` is.

        It is Adam if the steps that L-BFGS remembers of a large picture do not fit into memory.
        """
        name = self._optimizer_name(size)
        if state and self.settings.optimizer == "lbfgs":
            name = "lbfgs" if "changes" in state else "adam"
        if name == "lbfgs":
            return self._lbfgs(size)
        if name == "torch-lbfgs":
            return TorchLbfgs()
        return Adam() if self.settings.rate is None else Adam(rate=self.settings.rate)

    def weaken(self, plan: ExecutionPlan, error: Exception) -> bool:
        """Make the next plan take less memory if `error` was for lack of it; whether it does."""
        if not is_out_of_memory(error):
            return False
        cause = f"memory ran out at {_size_text(plan.size)} pixels"
        if plan.split is not None:
            if plan.split.tail is None:
                return False
            self._splits = []
            self.fallbacks.note(f"{cause}; the run goes on with all layers in tiles")
            return True
        if self.settings.tile != "auto":
            return False
        self._too_many_pixels = plan.size[0] * plan.size[1]
        tile = self.plan(plan.size).tile
        self.fallbacks.note(f"{cause}; the run goes on in tiles of {tile} pixels")
        return True

    def _lbfgs(self, size: Size) -> Lbfgs:
        if size[0] * size[1] > LARGE:
            return Lbfgs(history=REMEMBERED, remembered=torch.bfloat16)
        extra = max(0, self.settings.steps - LONG) // STEPS_PER_PAIR
        return Lbfgs(history=min(MOST_PAIRS, Lbfgs.history + extra))

    def _fits_at_once(self, size: Size) -> bool:
        return self._run_bytes(size) <= self.budget and size[0] * size[1] < self._too_many_pixels

    def _tile_side(self, size: Size, split: SplitNetwork) -> int:
        """The side of the largest tile that fits, or of a smaller one if larger gain little."""
        field = split.receptive_field
        budget = max(0.0, self.budget - self._picture_bytes(size))
        if self.device.type == "cpu":
            budget = min(budget, LARGEST_TILE)
        side = largest_side(field, split.front_bytes, budget)
        if self.device.type == "cpu":
            side = min(side, ample_side(field))
        if size[0] * size[1] < self._too_many_pixels:
            return side
        step = max(field.step(axis) for axis in (0, 1))
        return max(step, min(side, max(size) // 2 // step * step))

    def _split(self, size: Size) -> SplitNetwork:
        """The split of the network for this size, as early as memory allows."""
        budget = (self.budget - self._picture_bytes(size)) * TAIL_SHARE
        fitting = (s for s in self._splits if s.tail_bytes * size[0] * size[1] <= budget)
        return next(fitting, self._unsplit)

    @cached_property
    def _splits(self) -> list[SplitNetwork]:
        return list(splits_of(self.network, self._layers, self._like))

    @cached_property
    def _unsplit(self) -> SplitNetwork:
        return SplitNetwork(self.network, tuple(self._layers), self._like)

    @property
    def _like(self) -> Tensor:
        """Any picture, on the device of this run."""
        return torch.zeros(1, 3, 8, 8, device=self.device)

    @property
    def _layers(self) -> list[str]:
        return layers_read(self.settings, self.network)

    @cached_property
    def _bytes_per_pixel(self) -> float:
        return bytes_per_pixel(self.network.extract, self._layers, self._like)

    def _run_bytes(self, size: Size) -> float:
        """Bytes of a run that reads pictures at once."""
        return self._picture_bytes(size) + self._bytes_per_pixel * size[0] * size[1]

    def _picture_bytes(self, size: Size) -> float:
        """Bytes of the pictures and of what the optimizer remembers."""
        return self._bytes_with(self._optimizer_name(size), size)

    def _optimizer_name(self, size: Size) -> str:
        name = self.settings.optimizer
        large = size[0] * size[1] > LARGE
        if name == "lbfgs" and large and self._bytes_with(name, size) > self.budget:
            return "adam"
        return name

    def _bytes_with(self, optimizer: str, size: Size) -> float:
        """Bytes of the pictures that are alive in a step, and of the steps that are remembered."""
        pictures = {"adam": 0.0, "torch-lbfgs": 2.0 * TorchLbfgs.history}
        lbfgs = self._lbfgs(size)
        pictures["lbfgs"] = lbfgs.history * (2.0 if lbfgs.remembered is None else 1.0)
        return PICTURE * (COPIES[optimizer] + pictures[optimizer]) * size[0] * size[1]

    @property
    def _advice(self) -> str:
        hint = ", or --set optimizer=adam" if self.settings.optimizer == "torch-lbfgs" else ""
        return f"; give a smaller --size{hint}"

    def _shortage(self, size: Size, needed: float, mode: str) -> str:
        return (
            f"{_size_text(size)} pixels need about {needed / 1e9:.1f} GB {mode}, and "
            f"{self.budget / 1e9:.1f} GB can be used"
        )


def _size_text(size: Size) -> str:
    return f"{size[1]} x {size[0]}"
