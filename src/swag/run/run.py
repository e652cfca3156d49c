"""One task on one network: the pictures at full size, made smaller for each scale."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from swag.backbones import Backbone
from swag.config import Settings
from swag.errors import OptimizationError
from swag.image import resize
from swag.jitter import Jittered
from swag.optimize import LossFn, Optimizer, State, Step, averaged_image, evaluate, optimize
from swag.parametrization import PARAMETRIZATIONS, Parametrization
from swag.run.inputs import Inputs
from swag.run.memory import Memory
from swag.run.pause import Paused
from swag.run.pictures import at_size, brightness, enlarged, first_picture, size_of
from swag.run.precision import Part, after, parts_of
from swag.run.recolor import Finish
from swag.run.record import Identity, Task
from swag.run.scale_problem import ScaleProblem
from swag.run.terms import StyleRegion, content_terms, style_regions, style_terms
from swag.run.update import Update, advice, early_end
from swag.schedule import Scale, plan
from swag.types import Precision, Size


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

        A paused run goes on where it stood; its first update is the one that was kept. A run that
        has nothing to do, at a strength of 0 or from a start that is the best, yields its start.
        """
        if self._keeps_photo:
            yield self._beginning(steps=self.settings.steps)
            return
        update = None
        method, state = self.memory.method(self._full_size), None
        began = time.perf_counter() - (0 if paused is None else paused.standing.seconds)
        first = 0 if paused is None else paused.standing.scale
        for number, scale in list(enumerate(self.scales))[first:]:
            size = size_of(self.inputs.canvas, scale.size)
            if paused is not None and number == first:
                state = paused.to(self.device)
            elif state is None or (state.step == 0 and self.settings.start == "content"):
                state = State(
                    self.form.encode(first_picture(self.settings, self.inputs, size, self.device))
                )
            else:
                before = size_of(self.inputs.canvas, self.scales[number - 1].size)
                state = enlarged(state, before, size, form=self.form, method=method)
            going_on = paused if number == first else None
            for update in self._steps(number, size, state, method, began=began, paused=going_on):
                state = update.state
                yield update
        if update is None:
            yield self._beginning(steps=0)

    def _steps(
        self,
        number: int,
        size: Size,
        state: State,
        method: Optimizer,
        began: float,
        paused: Paused | None,
    ) -> Iterator[Update]:
        """The steps of a scale, part by part; where memory runs out they go on, in tiles."""
        start, looks = (None, 0) if paused is None else (paused.start, paused.standing.looks)
        parts = [part for part in self._parts(number) if state.step <= part.end]
        while parts:
            end, precision = parts[0]
            try:
                problem = self._problem(
                    number, size, state, start, looks=looks, precision=precision
                )
                if paused is not None:
                    yield self._kept(problem, state, paused)
                    paused = None
                average = self.settings.average
                for step in optimize(state, problem.loss, method, steps=end, ema_decay=average):
                    state, start, looks = step.state, problem.start, problem.looks
                    yield self._update(problem, step, time.perf_counter() - began)
                if state.step < end and number + 1 < len(self.scales):
                    self._note_early_end(number, state)
                start, looks = problem.start, problem.looks
                parts, state = parts[1:], after(state, end)
            except OptimizationError as error:
                raise OptimizationError(f"{error}{advice(self.settings.weights)}") from error
            except Exception as error:
                if not self.memory.gives_way(error, size):
                    raise

    def _beginning(self, *, steps: int) -> Update:
        """The first picture at full size, as the update after so many steps in all."""
        last, size = len(self.scales) - 1, self._full_size
        picture = first_picture(self.settings, self.inputs, size, self.device)
        state = State(self.form.encode(picture))
        problem = self._problem(last, size, state, None, looks=0, precision="float32")
        losses = evaluate(problem.loss, state.image, state.loss_scale).losses()
        step = Step(steps - 1 - self._steps_before(last), state.image, losses, state)
        return self._update(problem, step, seconds=0.0)

    def _note_early_end(self, number: int, state: State) -> None:
        """The last scale's is noted by `Update.result`: no update comes after it."""
        step = self._steps_before(number) + state.step
        words = early_end(number, len(self.scales), step, self.settings.steps)
        if words not in self.fallbacks:
            self.fallbacks.append(words)

    def _steps_before(self, number: int) -> int:
        return sum(scale.steps for scale in self.scales[:number])

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
        return Identity(
            task=self.task,
            settings=self.settings,
            inputs=hashes,
            network=self.network,
            precision=self.precision,
        )

    def _problem(
        self,
        number: int,
        size: Size,
        state: State,
        start: Tensor | None,
        looks: int,
        precision: Precision,
    ) -> ScaleProblem:
        """What is minimised at a scale; `start` and `looks` where it has begun before."""
        if start is None:
            start = self.form.decode(state.image, size)
        long_side = self.scales[number].size
        loss_fn = self._loss_fn(size, long_side, start.to(self.device), precision)
        if isinstance(loss_fn, Jittered):
            # The loop looks at its latest picture again.
            loss_fn.count = max(0, looks - 1)
        kept = start if self._start_counts else None
        return ScaleProblem(
            number=number,
            size=size,
            start=kept,
            loss_fn=loss_fn,
            parametrisation=self.form,
            precision=precision,
        )

    def _update(self, problem: ScaleProblem, step: Step, seconds: float) -> Update:
        done = self._steps_before(problem.number)
        alpha = None if self.inputs.photo is None else self.inputs.photo.alpha
        return Update(
            index=done + step.index,
            steps=self.settings.steps,
            scale=problem.number,
            scales=len(self.scales),
            size=problem.size,
            pixels=problem.decode(step.image),
            alpha=alpha if problem.number + 1 == len(self.scales) else None,
            losses=step.losses,
            seconds=seconds,
            settings=self.settings,
            state=step.state,
            finish=self.finish,
            decode=problem.decode,
            identity=self.identity,
            start=problem.start,
            looks=problem.looks,
            fallbacks=tuple(self.fallbacks),
            precision=problem.precision,
        )

    def _kept(self, problem: ScaleProblem, state: State, paused: Paused) -> Update:
        """The update after which a run was paused."""
        image = averaged_image(state, self.settings.average)
        step = Step(state.step - 1, image, dict(paused.standing.losses), state)
        return replace(
            self._update(problem, step, paused.standing.seconds), looks=paused.standing.looks
        )

    @property
    def _start_counts(self) -> bool:
        """Whether the targets of a scale depend on its first picture, beyond its size."""
        complete = self.inputs.photo is not None and self.inputs.paintings
        return not complete or self.settings.normalisation == "initial"

    def check(self) -> None:
        """Raise the SettingsError of masks, weights or a form that do not fit, before a step."""
        _ = self.form, self.scales, self._style_regions if self.inputs.paintings else None
        self.memory.check(self._full_size)

    def check_paused(self, paused: Paused) -> None:
        """Raise the CheckpointError of a checkpoint that is not one of this run."""
        scale = min(paused.standing.scale, len(self.scales) - 1)
        size = size_of(self.inputs.canvas, self.scales[scale].size)
        latents = self.form.encode(torch.zeros(1, 3, *size))
        paused.check_shapes(latents, size, self.scales, self.memory.method(self._full_size))

    @cached_property
    def form(self) -> Parametrization:
        """What the optimiser moves."""
        return PARAMETRIZATIONS.find(self.settings.parametrisation)

    def _loss_fn(self, size: Size, long_side: int, start: Tensor, precision: Precision) -> LossFn:
        """The loss of a picture, jittered where that is asked for."""
        objective: LossFn = self._objective(size, long_side, start, precision)
        if self.settings.jitter or self.settings.jitter_scale:
            return Jittered(
                objective, self.settings.seed, self.settings.jitter, self.settings.jitter_scale
            )
        return objective

    @property
    def _full_size(self) -> Size:
        return size_of(self.inputs.canvas, self.settings.size)

    def _objective(self, size: Size, long_side: int, start: Tensor, precision: Precision) -> LossFn:
        photo = None if self.inputs.photo is None else at_size(self.inputs.photo, size, self.device)
        styles = self._styles(long_side)
        other = start if photo is None else photo
        terms = style_terms(self.settings, self.network, styles, self._style_regions, other=other)
        if photo is not None and self.task != "texture":
            against = resize(styles[0], size) if styles else start
            mask = brightness(self.inputs.content_map, self.device)
            terms += content_terms(self.settings, self.network, photo, against, mask=mask)
        return self.memory.objective(
            [term for term in terms if term.weight > 0],
            start=start,
            style=styles[0] if styles else other,
            precision=precision,
            penalties={
                "total_variation": self.settings.total_variation * (not self._keeps_photo),
                "pixel_range": self.settings.pixel_range * (1 if self._relative else 0),
            },
        )

    def _styles(self, long_side: int) -> list[Tensor]:
        side = max(1, round(long_side * self.settings.style_scale))
        return [at_size(p, size_of(p, side), self.device) for p in self.inputs.paintings]

    @cached_property
    def _style_regions(self) -> list[StyleRegion]:
        mask = self.inputs.content_mask
        return style_regions(
            self.settings,
            len(self.inputs.paintings),
            None if mask is None else mask.batch.to(self.device),
            [mask.batch.to(self.device) for mask in self.inputs.style_masks],
        )

    @property
    def _keeps_photo(self) -> bool:
        """Whether the result is to be the photo itself: nothing but its content has a weight."""
        style, _ = self.settings.weights_of_terms
        return self.task == "stylize" and style == 0 and self.settings.start == "content"

    @property
    def _relative(self) -> bool:
        return self.settings.normalisation not in ("paper", "released-code")
