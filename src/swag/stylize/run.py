"""One task on one network: the pictures at full size, made smaller for each scale."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from swag.backbones import Backbone
from swag.config import Settings
from swag.image import Picture, fitted, resize
from swag.objective import Objective
from swag.optimize import Adam, Lbfgs, Method, State, TorchLbfgs, optimize
from swag.schedule import plan
from swag.stylize.inputs import Inputs
from swag.stylize.terms import Region, content_terms, style_terms
from swag.stylize.update import Task, Update


@dataclass(frozen=True)
class Run:
    """A task, its settings and pictures, and the network that looks at them."""

    settings: Settings
    task: Task
    network: Backbone
    inputs: Inputs
    device: torch.device

    def updates(self) -> Iterator[Update]:
        """Yield an update after each step of each scale."""
        scales = plan(self.settings.size, self.settings.steps, self.settings.scales)
        method, state, done, began = self._method(), None, 0, time.perf_counter()
        for number, scale in enumerate(scales):
            size = self._size(self.inputs.canvas, scale.size)
            state = self._start(size) if state is None else _enlarged(state, size, method)
            objective = self._objective(size, scale.size, state.image)
            state = replace(state, step=0)
            alpha = None if self.inputs.photo is None else self.inputs.photo.alpha
            for step in optimize(
                state, objective, method, steps=scale.steps, average=self.settings.average
            ):
                state = step.state
                yield Update(
                    done + step.index, self.settings.steps, number, len(scales), size, step.image,
                    alpha if number + 1 == len(scales) else None,
                    step.losses, time.perf_counter() - began, self.settings, state,
                )  # fmt: skip
            done += scale.steps

    def _size(self, picture: Picture, long_side: int) -> tuple[int, int]:
        width, height = picture.size
        return fitted(height, width, long_side)

    def _at(self, picture: Picture, size: tuple[int, int]) -> Tensor:
        return resize(picture.batch, size).clamp(0, 1).to(self.device)

    def _start(self, size: tuple[int, int]) -> State:
        initial, paintings = self.inputs.initial, self.inputs.paintings
        if initial is not None:
            return State(self._at(initial, size))
        if self.settings.start == "content" and self.inputs.photo is not None:
            return State(self._at(self.inputs.photo, size))
        if self.settings.start == "style" and paintings:
            return State(self._at(paintings[0], size))
        random = torch.Generator().manual_seed(self.settings.seed)
        noise = torch.rand(1, 3, *size, generator=random).to(self.device)
        # Noise around the mean colour: the mean is what deep layers see least of.
        of = paintings[0] if paintings else self.inputs.canvas
        return State(of.batch.mean((2, 3), keepdim=True).to(self.device) + 0.2 * (noise - 0.5))

    def _objective(self, size: tuple[int, int], long_side: int, start: Tensor) -> Objective:
        photo = None if self.inputs.photo is None else self._at(self.inputs.photo, size)
        styles = self._styles(long_side)
        other = start if photo is None else photo
        terms = style_terms(self.settings, self.network, styles, self._regions(), other)
        if photo is not None and self.task != "texture":
            against = resize(styles[0], size) if styles else start
            where = self._map(self.inputs.content_map)
            terms += content_terms(self.settings, self.network, photo, against, where)
        return Objective.of(
            self.network.extract,
            [term for term in terms if term.weight > 0],
            start=start,
            style=styles[0] if styles else other,
            penalties={
                "total_variation": self.settings.total_variation,
                "pixel_range": self.settings.pixel_range * (1 if self._relative else 0),
            },
        )

    def _styles(self, long_side: int) -> list[Tensor]:
        side = max(1, round(long_side * self.settings.style_scale))
        return [self._at(p, self._size(p, side)) for p in self.inputs.paintings]

    def _regions(self) -> list[Region]:
        """Where each style goes: all over the picture, unless masks say otherwise."""
        shares = self.settings.style_shares(len(self.inputs.paintings))
        return [Region(str(i + 1), i, share) for i, share in enumerate(shares)]

    def _map(self, picture: Picture | None) -> Tensor | None:
        """How bright a picture is, as a map of weights."""
        if picture is None:
            return None
        return picture.batch.mean(1, keepdim=True).to(self.device)

    @property
    def _relative(self) -> bool:
        return self.settings.normalisation not in ("paper", "released-code")

    def _method(self) -> Method:
        if self.settings.optimizer == "adam":
            return Adam() if self.settings.rate is None else Adam(rate=self.settings.rate)
        return TorchLbfgs() if self.settings.optimizer == "torch-lbfgs" else Lbfgs()


def _enlarged(state: State, size: tuple[int, int], method: Method) -> State:
    """The state at the next scale: the latest picture, and what the method can still use."""
    before = state.image.shape[-2] * state.image.shape[-1]
    pixels = size[0] * size[1] / before
    return State(
        resize(state.image, size).clamp(0, 1),
        memory=method.resized(state.memory, lambda x: resize(x, size), pixels),
    )
