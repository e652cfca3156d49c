"""One task on one network: the pictures at full size, made smaller for each scale."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from swag import parametrisation
from swag.backbones import Backbone
from swag.config import Settings
from swag.image import Picture, fitted, resize
from swag.jitter import Jittered
from swag.objective import Objective
from swag.optimize import Adam, Lbfgs, Loss, Method, State, TorchLbfgs, optimize
from swag.parametrisation import Parametrisation
from swag.schedule import plan
from swag.stylize.inputs import Inputs
from swag.stylize.recolour import Finish
from swag.stylize.terms import Place, content_terms, places_of, style_terms
from swag.stylize.update import Task, Update

Size = tuple[int, int]
"""Height and width in pixels."""


@dataclass(frozen=True)
class Run:
    """A task, its settings and pictures, and the network that looks at them."""

    settings: Settings
    task: Task
    network: Backbone
    inputs: Inputs
    device: torch.device
    finish: Finish | None = None

    def updates(self) -> Iterator[Update]:
        """Yield an update after each step of each scale."""
        scales = plan(self.settings.size, self.settings.steps, self.settings.scales)
        method, state, done, began = self._method(), None, 0, time.perf_counter()
        size: Size = (0, 0)
        for number, scale in enumerate(scales):
            before, size = size, self._size(self.inputs.canvas, scale.size)
            if state is None:
                state = State(self.form.encode(self._start(size)))
            else:
                state = self._enlarged(state, before, size, method)
            loss = self._loss(size, scale.size, self.form.decode(state.image, size))
            alpha = None if self.inputs.photo is None else self.inputs.photo.alpha
            for step in optimize(
                state, loss, method, steps=scale.steps, average=self.settings.average
            ):
                state = step.state
                yield Update(
                    done + step.index, self.settings.steps, number, len(scales), size,
                    self.form.decode(step.image, size),
                    alpha if number + 1 == len(scales) else None,
                    step.losses, time.perf_counter() - began, self.settings, state, self.finish,
                )  # fmt: skip
            done += scale.steps

    def check(self) -> None:
        """Raise the SettingsError of masks, weights or a form that do not fit, before a step."""
        _ = self.form, self._places if self.inputs.paintings else None

    @cached_property
    def form(self) -> Parametrisation:
        """What the optimiser moves."""
        return parametrisation.get(self.settings.parametrisation)

    def _loss(self, size: Size, long_side: int, start: Tensor) -> Loss:
        """The loss of what the optimiser moves."""
        objective: Loss = self._objective(size, long_side, start)
        if self.settings.jitter or self.settings.jitter_scale:
            objective = Jittered(
                objective, self.settings.seed, self.settings.jitter, self.settings.jitter_scale
            )
        return lambda latents: objective(self.form.decode(latents, size))

    def _size(self, picture: Picture, long_side: int) -> Size:
        width, height = picture.size
        return fitted(height, width, long_side)

    def _at(self, picture: Picture, size: Size) -> Tensor:
        return resize(picture.batch, size).clamp(0, 1).to(self.device)

    def _start(self, size: Size) -> Tensor:
        initial, paintings = self.inputs.initial, self.inputs.paintings
        if initial is not None:
            return self._at(initial, size)
        if self.settings.start == "content" and self.inputs.photo is not None:
            return self._at(self.inputs.photo, size)
        if self.settings.start == "style" and paintings:
            return self._at(paintings[0], size)
        random = torch.Generator().manual_seed(self.settings.seed)
        noise = torch.rand(1, 3, *size, generator=random).to(self.device)
        # Noise around the mean colour: the mean is what deep layers see least of.
        of = paintings[0] if paintings else self.inputs.canvas
        return of.batch.mean((2, 3), keepdim=True).to(self.device) + 0.2 * (noise - 0.5)

    def _objective(self, size: Size, long_side: int, start: Tensor) -> Objective:
        photo = None if self.inputs.photo is None else self._at(self.inputs.photo, size)
        styles = self._styles(long_side)
        other = start if photo is None else photo
        terms = style_terms(self.settings, self.network, styles, self._places, other)
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

    @cached_property
    def _places(self) -> list[Place]:
        mask = self.inputs.content_mask
        return places_of(
            self.settings,
            len(self.inputs.paintings),
            None if mask is None else mask.batch.to(self.device),
            [mask.batch.to(self.device) for mask in self.inputs.style_masks],
        )

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

    def _enlarged(self, state: State, before: Size, size: Size, method: Method) -> State:
        """The state at the next scale: the latest picture, and what the method can still use."""
        latents = self.form.resized(state.image, before, size, _resized_within_range)
        if self.form.name != "pixels":
            return State(latents)
        pixels = size[0] * size[1] / (before[0] * before[1])
        memory = method.resized(state.memory, lambda x: resize(x, size), pixels)
        return State(latents, memory=memory)


def _resized_within_range(picture: Tensor, size: Size) -> Tensor:
    return resize(picture, size).clamp(0, 1)
