"""What fits into memory: decided before the first step, and again where memory runs out."""

import copy
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from swag import disk
from swag.backbones import Backbone
from swag.config import Settings
from swag.errors import ResourceError
from swag.objective import PIXELS, LossTerm, Objective, TiledObjective, with_pixels
from swag.optimize import Adam, Lbfgs, LossFn, Optimizer, TorchLbfgs
from swag.run.cuts import Cut, cuts_of, passes_of, uncut
from swag.run.device import devices_beside
from swag.tiling import (
    Replica,
    ample_side,
    bytes_per_pixel,
    free_memory,
    is_out_of_memory,
    largest_side,
)
from swag.types import Precision, Size

USABLE = 0.8
"""Share of the free memory that a run counts on."""

LARGEST_TILE = 1.0 * 2**30
"""Bytes that the pass over a tile takes at most on a processor: more is hardly faster."""

PICTURE = 12.0
"""Bytes of a pixel in float32."""

COPIES = {"lbfgs": 10, "adam": 12, "torch-lbfgs": 16}
"""Pictures of float32 that are alive in a step: the photo, the style, iterates, gradients."""

SHARE_BEHIND = 0.5
"""Share of what the pictures leave over that layers behind a cut may take."""

LARGE = 4_000_000
"""Pixels above which L-BFGS remembers fewer steps, and those in half the precision."""

REMEMBERED = 6
"""Steps that it remembers then; ten end no lower (docs/performance.md)."""

LONG, STEPS_PER_PAIR, MOST_PAIRS = 300, 15, 60
"""In other runs L-BFGS remembers ten steps, and one more for every fifteen beyond 300, up to 60:
they pay in long runs alone (docs/performance.md)."""


class Memory:
    """How a run reads its pictures, so that it fits.

    `fallbacks` is where it is written down when that is otherwise than asked.
    """

    def __init__(
        self, settings: Settings, network: Backbone, device: torch.device, fallbacks: list[str]
    ) -> None:
        self.settings = settings
        self.network = network
        self.device = device
        self.fallbacks = fallbacks
        self.budget = USABLE * free_memory(device)
        self._whole_up_to = float("inf")
        self._tiled: TiledObjective | None = None

    def check(self, size: Size) -> None:
        """Say before the first step how a picture of this size is read.

        Raises:
            ResourceError: it does not fit, not even in tiles.
        """
        needed, least = self._whole(size), self._pictures(size)
        if self.settings.tile == "auto" and needed > self.budget:
            if least > self.budget:
                raise ResourceError(self._told(size, least, "even in tiles") + self._advice)
            told = self._told(size, needed, "at once")
            laid = self._on_disk_in_words(size)
            where = f" ({disk.folder()})" if laid else ""
            self._note(f"{told}: in tiles of {self.side(size)} pixels{laid}", where)

    def objective(
        self,
        terms: Sequence[LossTerm],
        *,
        start: Tensor,
        style: Tensor,
        penalties: Mapping[str, float],
        precision: Precision = "float32",
    ) -> LossFn:
        """The objective, in tiles where the picture is too large for the memory.

        `precision` is that of the network's passes, of those over tiles, too. The size of tiles is
        that for float32, in which a run ends.

        Raises:
            SettingsError: the network cannot be computed in tiles.
        """
        side = self.side((start.shape[-2], start.shape[-1]))
        rest: dict[str, Any] = {"start": start, "style": style, "penalties": penalties}
        if side == 0:
            return Objective.of(passes_of(self.network, precision), terms, **rest)
        receptive_field, behind = self._cut((start.shape[-2], start.shape[-1])).passes(precision)
        receptive_field = (
            receptive_field.with_layer(PIXELS) if self._reads_pixels(terms) else receptive_field
        )
        replicas = self._replicas(precision)
        self._tiled = TiledObjective.of(
            receptive_field, side, terms, tail=behind, replicas=replicas, **rest
        )
        self._tiled.tiled_pass.fallbacks = self.fallbacks
        return self._tiled

    @staticmethod
    def _reads_pixels(terms: Sequence[LossTerm]) -> bool:
        return any(PIXELS in term.layers for term in terms)

    def side(self, size: Size) -> int:
        """The side of the tiles that a picture of this size is read in; 0: all at once."""
        if self.settings.tile != "auto":
            return self.settings.tile
        if self._whole(size) <= self.budget and size[0] * size[1] < self._whole_up_to:
            return 0
        room = max(0.0, self.budget - self._pictures(size))
        cut = self._cut(size)
        if self.device.type == "cpu":
            room = min(room, LARGEST_TILE)
        side = largest_side(cut.receptive_field, cut.bytes_in_front, room)
        if self.device.type == "cpu":
            side = min(side, ample_side(cut.receptive_field))
        if size[0] * size[1] < self._whole_up_to:
            return side
        step = max(cut.receptive_field.step(axis) for axis in (0, 1))
        return max(step, min(side, max(size) // 2 // step * step))

    def gives_way(self, error: Exception, size: Size) -> bool:
        """Whether an error was for lack of memory, and less of the picture will be read at once."""
        if not is_out_of_memory(error):
            return False
        if self.side(size):
            if self._cut(size).behind is None:
                return False
            self._cuts = []
            self._note(f"memory ran out at {_shown(size)} pixels: all layers in tiles")
            return True
        if self.settings.tile != "auto":
            return False
        self._whole_up_to = size[0] * size[1]
        self._note(f"memory ran out at {_shown(size)} pixels: in tiles of {self.side(size)}")
        return True

    def method(self, size: Size) -> Optimizer:
        """The optimiser, for a result of this size."""
        method = self._method(size)
        if isinstance(method, Lbfgs) and self._on_disk(size):
            return replace(method, on_disk=True)
        return method

    def _method(self, size: Size) -> Optimizer:
        """The same, with all that it remembers in memory."""
        settings = self.settings
        if settings.optimizer == "adam":
            return Adam() if settings.rate is None else Adam(rate=settings.rate)
        if settings.optimizer == "torch-lbfgs":
            return TorchLbfgs()
        if size[0] * size[1] > LARGE:
            return Lbfgs(history=REMEMBERED, remembered=torch.bfloat16)
        more = max(0, settings.steps - LONG) // STEPS_PER_PAIR
        return Lbfgs(history=min(MOST_PAIRS, Lbfgs.history + more))

    @cached_property
    def _per_pixel(self) -> float:
        return bytes_per_pixel(self.network.extract, self._layers, self._picture)

    def _replicas(self, precision: Precision) -> list[Replica]:
        """The passes of every GPU, where there are several to share the tiles."""
        return [
            Replica(device, with_pixels(passes_of(network, precision)))
            for device, network in self._networks
        ]

    @cached_property
    def _networks(self) -> list[tuple[torch.device, Backbone]]:
        """The network on every GPU; none where there is only one device."""
        devices = devices_beside(self.device, self.settings.device)
        if len(devices) == 1:
            return []
        copies = (copy.deepcopy(self.network).to(device) for device in devices[1:])
        return list(zip(devices, (self.network, *copies), strict=True))

    @cached_property
    def _cuts(self) -> list[Cut]:
        return list(cuts_of(self.network, self._layers, self._picture))

    def _cut(self, size: Size) -> Cut:
        """Where the network is cut for a picture of this size: as early as memory allows."""
        room = (self.budget - self._pictures(size)) * SHARE_BEHIND
        fitting = (cut for cut in self._cuts if cut.bytes_behind * size[0] * size[1] <= room)
        return next(fitting, self._uncut)

    @cached_property
    def _uncut(self) -> Cut:
        return uncut(self.network, self._layers, self._picture)

    @property
    def _picture(self) -> Tensor:
        """Any picture, where this run computes."""
        return torch.zeros(1, 3, 8, 8, device=self.device)

    @property
    def _layers(self) -> list[str]:
        """The layers of the network that a run reads."""
        style = self.settings.style_layers or dict.fromkeys(self.network.style_layers)
        content = self.settings.content_layers or dict.fromkeys(self.network.content_layers)
        return list({**style, **content})

    def _whole(self, size: Size) -> float:
        """Bytes of a run that reads pictures at once."""
        return self._pictures(size) + self._per_pixel * size[0] * size[1]

    def _pictures(self, size: Size) -> float:
        """Bytes of the pictures and of what the optimiser remembers in memory."""
        return self._alive(size) + (0.0 if self._on_disk(size) else self._remembered(size))

    def _alive(self, size: Size) -> float:
        """Bytes of the pictures that are alive in a step."""
        return PICTURE * COPIES[self.settings.optimizer] * size[0] * size[1]

    def _remembered(self, size: Size) -> float:
        """Bytes of the steps that L-BFGS remembers."""
        method, pictures = self._method(size), 0.0
        if isinstance(method, Lbfgs):
            pictures = method.history * (2.0 if method.remembered is None else 1.0)
        elif isinstance(method, TorchLbfgs):
            pictures = 2.0 * method.history
        return PICTURE * pictures * size[0] * size[1]

    def _on_disk(self, size: Size) -> bool:
        """Whether those lie on the disk: where the memory has no room, and the disk has."""
        large = self.settings.optimizer == "lbfgs" and size[0] * size[1] > LARGE
        if not large or self.device.type != "cpu":
            return False
        remembered = self._remembered(size)
        return self._alive(size) + remembered > self.budget and remembered < disk.room()

    def _told(self, size: Size, needed: float, how: str) -> str:
        return (
            f"{_shown(size)} pixels need about {needed / 1e9:.1f} GB {how}, and "
            f"{self.budget / 1e9:.1f} GB can be used"
        )

    def _on_disk_in_words(self, size: Size) -> str:
        if not self._on_disk(size):
            return ""
        remembered = self._remembered(size) / 1e9
        return f", and the {remembered:.1f} GB of steps that L-BFGS remembers on the disk"

    @property
    def _advice(self) -> str:
        adam = "" if self.settings.optimizer == "adam" else ", or --set optimizer=adam"
        return f"; give a smaller --size{adam}"

    def _note(self, words: str, where: str = "") -> None:
        """Write down what is done otherwise than asked, once; users see it as a warning.

        `where` names a place, which is told but stands in no picture.
        """
        if words not in self.fallbacks:
            self.fallbacks.append(words)
            logging.getLogger("swag").warning(words + where)


def _shown(size: Size) -> str:
    return f"{size[1]} x {size[0]}"
