"""One task on one network: the pictures at full size, made smaller for each scale."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from swag import parametrisation
from swag.backbones import Backbone, weights
from swag.config import Settings
from swag.errors import OptimizationError
from swag.image import Picture, fitted, resize
from swag.jitter import Jittered
from swag.optimize import Loss, Method, State, Step, optimize, shown
from swag.parametrisation import Parametrisation
from swag.precision import Precision
from swag.run.inputs import Inputs
from swag.run.memory import Memory
from swag.run.pause import Paused
from swag.run.precision import Part, after, parts_of
from swag.run.recolour import Finish
from swag.run.record import Identity, Task
from swag.run.terms import Place, content_terms, places_of, style_terms
from swag.run.update import Update
from swag.schedule import Scale, plan

Size = tuple[int, int]
"""Height and width in pixels."""


@dataclass(frozen=True)
class Run:
    """A task, its settings and pictures, and the network that looks at them.

    `fallbacks` say what the run has had to do otherwise than asked; they stand in its picture.
    `precision` is what the setting of that name has come to (see `swag.run.precision`).
    """

    settings: Settings
    task: Task
    network: Backbone
    inputs: Inputs
    device: torch.device
    finish: Finish | None = None
    fallbacks: list[str] = field(default_factory=list)
    precision: Precision = "float32"

    def updates(self, paused: Paused | None = None) -> Iterator[Update]:
        """Yield an update after each step of each scale.

        A paused run goes on where it stood; its first update is the one that was kept.
        """
        method, state = self.memory.method(self._full_size), None
        began = time.perf_counter() - (0 if paused is None else paused.standing.seconds)
        first = 0 if paused is None else paused.standing.scale
        for number, scale in list(enumerate(self.scales))[first:]:
            size = self._size(self.inputs.canvas, scale.size)
            if paused is not None and number == first:
                state = paused.to(self.device)
            elif state is None:
                state = State(self.form.encode(self._start(size)))
            else:
                before = self._size(self.inputs.canvas, self.scales[number - 1].size)
                state = self._enlarged(state, before, size, method)
            going_on = paused if number == first else None
            for update in self._steps(number, size, state, method, began, going_on):
                state = update.state
                yield update

    def _steps(
        self, number: int, size: Size, state: State, method: Method, began: float,
        paused: Paused | None,
    ) -> Iterator[Update]:  # fmt: skip
        """The steps of a scale, part by part; where memory runs out they go on, in tiles."""
        start, looks = (None, 0) if paused is None else (paused.start, paused.standing.looks)
        parts = [part for part in self._parts(number) if state.step <= part.end]
        while parts:
            end, precision = parts[0]
            try:
                stage = self._stage(number, size, state, start, looks, precision)
                if paused is not None:
                    yield self._kept(stage, state, paused)
                    paused = None
                average = self.settings.average
                for step in optimize(state, stage.loss, method, steps=end, average=average):
                    state, start, looks = step.state, stage.start, stage.looks
                    yield self._update(stage, step, time.perf_counter() - began)
                parts, state, start, looks = parts[1:], after(state, end), stage.start, stage.looks
            except OptimizationError as error:
                raise OptimizationError(f"{error}{self._advice()}") from error
            except Exception as error:
                if not self.memory.gives_way(error, size):
                    raise

    def _advice(self) -> str:
        """What may keep the activations of random weights, which grow or fade, within bounds."""
        given = weights.parse(self.settings.weights)
        if given.scheme is None or given.calibrated:
            return ""
        scheme = "torchvision" if given.scheme == "greedy" else given.scheme  # it takes none
        return f"; or, where there is batch norm, the weights random:{scheme}+calibrated"

    def _parts(self, number: int) -> list[Part]:
        """The parts of a scale: what its passes are computed in, up to which step."""
        last = number + 1 == len(self.scales)
        return parts_of(self.scales[number], self.precision, last=last)

    @cached_property
    def scales(self) -> tuple[Scale, ...]:
        """Sizes and steps, from coarse to fine."""
        return plan(self.settings.size, self.settings.steps, self.settings.scales)

    @cached_property
    def memory(self) -> Memory:
        """How pictures are read, so that they fit."""
        return Memory(self.settings, self.network, self.device, self.fallbacks)

    @cached_property
    def identity(self) -> Identity:
        """What makes this run what it is."""
        hashes = self.inputs.hashes
        return Identity(self.task, self.settings, hashes, self.network, self.precision)

    def _stage(
        self, number: int, size: Size, state: State, start: Tensor | None, looks: int,
        precision: Precision,
    ) -> "Stage":  # fmt: skip
        """What is minimised at a scale; `start` and `looks` where it has begun before."""
        if start is None:
            start = self.form.decode(state.image, size)
        long_side = self.scales[number].size
        seen = self._seen(size, long_side, start.to(self.device), precision)
        if isinstance(seen, Jittered):
            # The loop looks at its latest picture again.
            seen.count = max(0, looks - 1)
        kept = start if self._start_counts else None
        return Stage(number, size, kept, seen, self.form, precision)

    def _update(self, stage: "Stage", step: Step, seconds: float) -> Update:
        done = sum(scale.steps for scale in self.scales[: stage.number])
        alpha = None if self.inputs.photo is None else self.inputs.photo.alpha
        return Update(
            done + step.index, self.settings.steps, stage.number, len(self.scales), stage.size,
            stage.decode(step.image), alpha if stage.number + 1 == len(self.scales) else None,
            step.losses, seconds, self.settings, step.state, self.finish, stage.decode,
            self.identity, stage.start, stage.looks, tuple(self.fallbacks), stage.precision,
        )  # fmt: skip

    def _kept(self, stage: "Stage", state: State, paused: Paused) -> Update:
        """The update after which a run was paused."""
        image = shown(state, self.settings.average)
        step = Step(state.step - 1, image, dict(paused.standing.losses), state)
        return replace(
            self._update(stage, step, paused.standing.seconds), looks=paused.standing.looks
        )

    @property
    def _start_counts(self) -> bool:
        """Whether the targets of a scale depend on its first picture, beyond its size."""
        complete = self.inputs.photo is not None and self.inputs.paintings
        return not complete or self.settings.normalisation == "initial"

    def check(self) -> None:
        """Raise the SettingsError of masks, weights or a form that do not fit, before a step."""
        _ = self.form, self.scales, self._places if self.inputs.paintings else None
        self.memory.check(self._full_size)

    def check_paused(self, paused: Paused) -> None:
        """Raise the CheckpointError of a checkpoint that is not one of this run."""
        scale = min(paused.standing.scale, len(self.scales) - 1)
        size = self._size(self.inputs.canvas, self.scales[scale].size)
        latents = self.form.encode(torch.zeros(1, 3, *size))
        paused.check_shapes(latents, self.scales, self.memory.method(self._full_size))

    @cached_property
    def form(self) -> Parametrisation:
        """What the optimiser moves."""
        return parametrisation.get(self.settings.parametrisation)

    def _seen(self, size: Size, long_side: int, start: Tensor, precision: Precision) -> Loss:
        """The loss of a picture, jittered where that is asked for."""
        objective: Loss = self._objective(size, long_side, start, precision)
        if self.settings.jitter or self.settings.jitter_scale:
            return Jittered(
                objective, self.settings.seed, self.settings.jitter, self.settings.jitter_scale
            )
        return objective

    @property
    def _full_size(self) -> Size:
        return self._size(self.inputs.canvas, self.settings.size)

    def _size(self, picture: Picture, long_side: int) -> Size:
        width, height = picture.size
        return fitted(height, width, long_side)

    def _at(self, picture: Picture, size: Size) -> Tensor:
        batch = picture.batch
        seen = resize(batch, size)
        # A picture of this very size is within the range, and too large, perhaps, to be copied.
        return (seen if seen is batch else seen.clamp_(0, 1)).to(self.device)

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

    def _objective(self, size: Size, long_side: int, start: Tensor, precision: Precision) -> Loss:
        photo = None if self.inputs.photo is None else self._at(self.inputs.photo, size)
        styles = self._styles(long_side)
        other = start if photo is None else photo
        terms = style_terms(self.settings, self.network, styles, self._places, other)
        if photo is not None and self.task != "texture":
            against = resize(styles[0], size) if styles else start
            where = self._map(self.inputs.content_map)
            terms += content_terms(self.settings, self.network, photo, against, where)
        return self.memory.objective(
            [term for term in terms if term.weight > 0],
            start=start,
            style=styles[0] if styles else other,
            precision=precision,
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

    def _enlarged(self, state: State, before: Size, size: Size, method: Method) -> State:
        """The state at the next scale: the latest picture, and what the method can still use."""
        latents = self.form.resized(state.image, before, size, _resized_within_range)
        if self.form.name != "pixels":
            return State(latents)
        pixels = size[0] * size[1] / (before[0] * before[1])
        memory = method.resized(state.memory, lambda x: resize(x, size), pixels)
        return State(latents, memory=memory)


@dataclass(frozen=True)
class Stage:
    """A part of a scale: what is minimised there; `start` where targets depend on it."""

    number: int
    size: Size
    start: Tensor | None
    seen: Loss
    form: Parametrisation
    precision: Precision

    def decode(self, latents: Tensor) -> Tensor:
        """The picture for which latents stand."""
        return self.form.decode(latents, self.size)

    def loss(self, latents: Tensor) -> dict[str, Tensor]:
        """The terms of what the optimiser moves."""
        return self.seen(self.decode(latents))

    @property
    def looks(self) -> int:
        """How often the picture was seen at random."""
        return self.seen.count if isinstance(self.seen, Jittered) else 0


def _resized_within_range(picture: Tensor, size: Size) -> Tensor:
    return resize(picture, size).clamp(0, 1)
