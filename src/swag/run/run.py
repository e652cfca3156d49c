"""One task on one network: the pictures at full size, made smaller for each scale."""

import logging
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from swag.backbones import Backbone, fingerprint
from swag.config import STYLED_STARTS, Settings
from swag.fallbacks import Fallbacks
from swag.image import Picture, resize
from swag.jitter import Jittered
from swag.optimize import LossFn, Optimizer, State, Step, SteppedLoss, evaluate
from swag.parametrization import PARAMETRIZATIONS, Parametrization
from swag.run.checkpoint import Checkpoint
from swag.run.inputs import Inputs
from swag.run.pictures import at_size, brightness, first_picture, size_of, upscale_state
from swag.run.places import PhotoOutside, coverage, weighted_by_alpha
from swag.run.plan import ExecutionPlan, Planner
from swag.run.precision import PrecisionPhase, phases_of
from swag.run.provenance import Provenance, Task, versions
from swag.run.recolor import Finish
from swag.run.scale_problem import ScaleProblem
from swag.run.styled_start import check_one_pass, styled_start
from swag.run.terms import StyleRegion, content_terms, smoothing_of, style_regions, style_terms
from swag.run.update import Update, early_end
from swag.schedule import Scale, plan
from swag.types import Precision, Size


@dataclass(frozen=True)
class Run:
    """A task, its settings and pictures, and the network that looks at them.

    `fallbacks` are the departures from the settings so far; the picture records them.
    `photo` is the content in its own colors, which stays where no style goes.
    `precision` is what the setting of that name means on the device (see `swag.run.precision`).
    """

    settings: Settings
    task: Task
    network: Backbone
    inputs: Inputs
    device: torch.device
    finish: Finish | None = None
    photo: Picture | None = None
    fallbacks: Fallbacks = field(default_factory=Fallbacks)
    precision: Precision = "float32"

    @cached_property
    def scales(self) -> tuple[Scale, ...]:
        """Long sides and steps, from coarse to fine."""
        sides = self.inputs.canvas.size
        settings = self.settings
        aspect = min(sides) / max(sides)
        return plan(settings.size, settings.steps, settings.scales, aspect=aspect)

    @cached_property
    def parametrization(self) -> Parametrization:
        """The form of the picture that the optimizer changes."""
        return PARAMETRIZATIONS.find(self.settings.parametrization)

    @cached_property
    def planner(self) -> Planner:
        """Plans how pictures are read, so that they fit into memory."""
        return Planner(self.settings, self.network, self.device, self.fallbacks)

    @cached_property
    def provenance(self) -> Provenance:
        """The provenance of this run."""
        return Provenance(
            task=self.task,
            versions=versions(),
            inputs=dict(self.inputs.hashes),
            weights=fingerprint(self.network),
            precision=self.precision,
        )

    @property
    def keeps_photo(self) -> bool:
        """Whether the result is to be the photo itself: nothing but its content has a weight.

        Styled starts are the photo itself then.
        """
        style, _ = self.settings.weights_of_terms
        return (
            self.task == "stylize"
            and style == 0
            and self.settings.start in (*STYLED_STARTS, "content")
        )

    @property
    def keeps_start(self) -> bool:
        """Whether there is nothing to minimize."""
        return self.keeps_photo or self.settings.steps == 0

    @property
    def full_size(self) -> Size:
        """Rows and columns of the result."""
        return size_of(self.inputs.canvas, self.settings.size)

    def size(self, scale: int) -> Size:
        """Rows and columns of the picture at a scale."""
        return size_of(self.inputs.canvas, self.scales[scale].size)

    def phases(self, scale: int) -> list[PrecisionPhase]:
        """The parts of a scale whose passes have one precision."""
        is_last = scale + 1 == len(self.scales)
        return phases_of(self.scales[scale], self.precision, last=is_last)

    def initial_state(self, scale: int) -> State:
        """The first picture: given, the photo (as it is or styled), a painting, or noise."""
        if self.settings.start in STYLED_STARTS and self.inputs.initial is None:
            picture = self._styled_start(scale)
        else:
            picture = first_picture(self.settings, self.inputs, self.size(scale), self.device)
        return State(self.parametrization.encode(picture))

    def _styled_start(self, scale: int) -> Tensor:
        photo = self.inputs.photo
        return styled_start(
            self.settings,
            photo=None if photo is None else at_size(photo, self.size(scale), self.device),
            paintings=self._styles(self.scales[scale].size),
            places=self._style_regions if self.inputs.paintings else [],
        )

    def upscale_state(self, state: State, scale: int, optimizer: Optimizer) -> State:
        """The first picture of a scale, made from the last picture of the scale before."""
        return upscale_state(
            state,
            self.size(scale - 1),
            self.size(scale),
            form=self.parametrization,
            method=optimizer,
        )

    def problem(
        self,
        scale: int,
        phase: PrecisionPhase,
        execution: ExecutionPlan,
        *,
        state: State,
        start: Tensor | None = None,
    ) -> ScaleProblem:
        """The problem of a phase of a scale that began with the picture `start`.

        None is the picture of the state.
        """
        size = self.size(scale)
        if start is None:
            start = self.parametrization.decode(state.image, size)
        return ScaleProblem(
            scale=scale,
            size=size,
            end=phase.end,
            start=start if self._targets_depend_on_start else None,
            loss_fn=self._loss_fn(execution, scale, start.to(self.device), phase.precision),
            parametrization=self.parametrization,
            precision=phase.precision,
        )

    def update(self, problem: ScaleProblem, step: Step, seconds: float) -> Update:
        """The update after a step."""
        is_last = problem.scale + 1 == len(self.scales)
        alpha = None if self.inputs.photo is None else self.inputs.photo.alpha
        return Update(
            index=self._steps_before(problem.scale) + step.index,
            steps=self.settings.steps,
            scale=problem.scale,
            scales=len(self.scales),
            size=problem.size,
            pixels=problem.decode(step.image),
            alpha=alpha if is_last else None,
            losses=step.losses,
            seconds=seconds,
            settings=self.settings,
            state=step.state,
            finish=self._complete_finish,
            decode=problem.decode,
            provenance=self.provenance,
            start=problem.start,
            fallbacks=tuple(self.fallbacks),
            precision=problem.precision,
        )

    def initial_update(self, *, steps: int) -> Update:
        """The first picture at full size, as the update after `steps` steps of the whole run.

        Its losses are measured unless the run has none to minimize.
        """
        final = len(self.scales) - 1
        state = self.initial_state(final)
        if self.settings.steps == 0:
            form, losses = self.parametrization, {}
            problem = ScaleProblem(final, self.size(final), 0, lambda _: {}, parametrization=form)
        else:
            execution = self.planner.plan(self.full_size)
            problem = self.problem(final, PrecisionPhase(0, "float32"), execution, state=state)
            losses = evaluate(problem.at(0), state.image).losses()
        step = Step(steps - 1 - self._steps_before(final), state.image, losses, state)
        return self.update(problem, step, seconds=0.0)

    def note_early_end(self, scale: int, state: State) -> None:
        """Write down that a scale has made fewer steps than planned, and why.

        `Update.result` does so for the last scale: no update comes after it.
        """
        if scale + 1 < len(self.scales) and state.step < self.scales[scale].steps:
            step = self._steps_before(scale) + state.step
            sentence = early_end(scale, len(self.scales), step, self.settings.steps)
            logging.getLogger("swag").info(sentence)
            self.fallbacks.add(sentence)

    def check(self) -> None:
        """Refuse masks, weights or a form that do not fit, before the first step: SettingsError."""
        _ = self.parametrization, self.scales, smoothing_of(self.settings, self.network)
        check_one_pass(self.settings, content_map=self.inputs.content_map is not None)
        _ = self._style_regions if self.inputs.paintings else None
        if self.settings.steps:
            self.planner.check(self.full_size)

    def check_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Refuse a checkpoint that does not fit this run: CheckpointError."""
        size = self.size(min(checkpoint.header.scale, len(self.scales) - 1))
        latents = self.parametrization.encode(torch.zeros(1, 3, *size))
        optimizer = self.planner.optimizer(self.full_size, checkpoint.state.memory)
        checkpoint.check_shapes(latents, size, self.scales, optimizer)

    def _steps_before(self, scale: int) -> int:
        return sum(earlier.steps for earlier in self.scales[:scale])

    @property
    def _targets_depend_on_start(self) -> bool:
        """Whether the targets of a scale depend on its first picture, beyond its size."""
        complete = self.inputs.photo is not None and self.inputs.paintings
        return not complete or self.settings.normalization == "initial"

    def _loss_fn(
        self, execution: ExecutionPlan, scale: int, start: Tensor, precision: Precision
    ) -> LossFn | SteppedLoss:
        """The loss of a picture, jittered if that is asked for."""
        objective = self._objective(execution, scale, start, precision)
        shift, change = self.settings.jitter, self.settings.jitter_scale
        if shift or change:
            return Jittered(objective, self.settings.seed, shift, change)
        return objective

    def _objective(
        self, execution: ExecutionPlan, scale: int, start: Tensor, precision: Precision
    ) -> LossFn:
        photo = self.inputs.photo
        content = None if photo is None else at_size(photo, execution.size, self.device)
        settings, styles = self.settings, self._styles(self.scales[scale].size)
        unit = start if content is None else content
        terms = style_terms(settings, self.network, styles, self._style_regions, unit_image=unit)
        if content is not None and self.task != "texture":
            content_unit = resize(styles[0], execution.size) if styles else start
            mask = brightness(self.inputs.content_map, self.device)
            terms += content_terms(settings, self.network, content, content_unit, mask=mask)
        relative = settings.normalization not in ("paper", "released-code")
        return execution.objective(
            [term for term in terms if term.weight > 0],
            start=start,
            style=styles[0] if styles else unit,
            penalties={
                "total_variation": 0.0 if self.keeps_photo else settings.total_variation,
                "pixel_range": settings.pixel_range if relative else 0.0,
            },
            precision=precision,
            fallbacks=self.fallbacks,
        )

    def _styles(self, long_side: int) -> list[Tensor]:
        side = max(1, round(long_side * self.settings.style_scale))
        return [at_size(p, size_of(p, side), self.device) for p in self.inputs.paintings]

    @cached_property
    def _style_regions(self) -> list[StyleRegion]:
        mask = self.inputs.content_mask
        places = style_regions(
            self.settings,
            len(self.inputs.paintings),
            None if mask is None else mask.batch.to(self.device),
            [mask.batch.to(self.device) for mask in self.inputs.style_masks],
        )
        return weighted_by_alpha(places, self.inputs.paintings, self.device)

    @cached_property
    def _complete_finish(self) -> Finish | None:
        """The function from a picture of the run to the one that is shown."""
        if self.photo is None or not self.inputs.paintings:
            return self.finish
        covered = coverage(self._style_regions)
        if covered is None:
            return self.finish
        return PhotoOutside(self.photo.batch, covered.cpu(), self.finish)
