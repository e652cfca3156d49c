"""Train students to predict a teacher's activations, all on the same pictures."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from swag.backbones import Backbone, weights_fingerprint
from swag.backbones.distilled import DistilledArchitecture
from swag.errors import WeightsError
from swag.types import Image
from swag_lab.training import checkpoint
from swag_lab.training.distillation.coordinates import (
    ActivationMoments,
    PrincipalCoordinates,
    principal_coordinates,
)
from swag_lab.training.distillation.crops import Pictures, crops_of
from swag_lab.training.distillation.recipe import DistillationRecipe
from swag_lab.training.distillation.restyle import restyle_stages
from swag_lab.training.distillation.students import (
    Distillation,
    coordinates_in,
    errors,
    layers_of,
)
from swag_lab.training.loop import USUAL, Cadence


@dataclass(frozen=True)
class DistillationProgress(checkpoint.ProgressLine):
    """One line of the log of a distillation.

    `unexplained` holds, for each student, the error of each tap as a share of its layer's total
    variance, averaged over the last steps.
    """

    rate: float
    pictures_per_second: float
    unexplained: dict[str, dict[str, float]]

    @property
    def summary(self) -> str:
        """The mean error of each student in words."""
        means = (sum(by_layer.values()) / len(by_layer) for by_layer in self.unexplained.values())
        return "unexplained " + ", ".join(f"{mean:.3f}" for mean in means)


def distill(
    teacher: Backbone,
    architectures: Mapping[str, DistilledArchitecture],
    recipe: DistillationRecipe,
    sources: Mapping[str, Pictures],
    *,
    out: Path,
    start: Path | None = None,
    device: str = "cpu",
    cadence: Cadence = USUAL,
) -> Iterator[DistillationProgress]:
    """Distill students, yielding a line of the log now and then; resumes from `out` if it exists.

    `start` is a finished distillation of the same students, whose weights and coordinates a new
    one begins with. Stylized pictures are made with the first student. Checkpoints go to `out`,
    the log is appended to the file beside it that ends in `.jsonl`. On one kind of machine an
    interrupted training ends with the same bits as an uninterrupted one.

    Raises:
        WeightsError: `out` or `start` is damaged, or holds a distillation of other students, of
            another teacher, or (`out`) with another recipe.
    """
    recipe = replace(
        recipe,
        teacher=teacher.name,
        fingerprint=weights_fingerprint(teacher),
        students={name: asdict(a) for name, a in architectures.items()},
    )
    layers = layers_of(architectures)
    teacher.to(device)
    setup = _Setup(teacher, architectures, recipe, sources, device=device)
    model, optimizer, first, earlier = setup.create_or_resume(out, start)
    mean_errors: Tensor | None = None
    count, since = 0, time.perf_counter()
    for step in range(first, recipe.steps):
        if recipe.restyles(step):
            setup.restyle(model, step)
        pictures = crops_of(recipe, sources, model.stylized, step).to(device)
        targets = model.targets(teacher, pictures)
        rate = optimizer.param_groups[0]["lr"] = recipe.rate(step)
        fixed = recipe.fixes_norms(step)
        inputs = teacher.prepare(pictures)
        step_errors = _update(model, optimizer, inputs, targets, recipe=recipe, fixed_norms=fixed)
        mean_errors = step_errors if mean_errors is None else mean_errors.lerp(step_errors, 0.02)
        count, completed = count + len(pictures), step + 1
        if completed % cadence.save == 0 or completed == recipe.steps:
            checkpoint.save_training(
                out, model, optimizer, recipe, step=completed, planned=recipe.steps, earlier=earlier
            )
        if completed % cadence.log == 0 or completed == recipe.steps:
            speed, since, count = count / (time.perf_counter() - since), time.perf_counter(), 0
            table = {
                name: dict(zip(layers, (round(float(e), 5) for e in row), strict=True))
                for name, row in zip(architectures, mean_errors, strict=True)
            }
            line = DistillationProgress(
                step=completed,
                steps=recipe.steps,
                size=recipe.size(step),
                rate=rate,
                pictures_per_second=speed,
                unexplained=table,
            )
            checkpoint.write_line(out.with_suffix(".jsonl"), line)
            yield line


@dataclass(frozen=True)
class _Setup:
    """What stays the same in a distillation: teacher, students, recipe, pictures and device."""

    teacher: Backbone
    architectures: Mapping[str, DistilledArchitecture]
    recipe: DistillationRecipe
    sources: Mapping[str, Pictures]
    device: str

    def create_or_resume(
        self, out: Path, start: Path | None
    ) -> tuple[Distillation, torch.optim.Optimizer, int, list[dict[str, Any]]]:
        """Students, optimizer, first step, past trainings: from `out` if it exists, or `start`."""
        source = out if out.exists() else start
        state = None if source is None else checkpoint.load_training(source)
        coordinates = (
            coordinates_in(state, source, self.architectures)
            if source is not None and state is not None
            else self._measure_coordinates()
        )
        model = Distillation(self.architectures, coordinates, asdict(self.recipe))
        model = model.to(self.device).to(memory_format=torch.channels_last)
        optimizer = torch.optim.AdamW(
            model.parameters(), lr=self.recipe.peak_rate, weight_decay=self.recipe.weight_decay
        )
        if source is None or state is None:
            return model, optimizer, 0, []
        if source == start:
            if state["recipe"].get("fingerprint") != self.recipe.fingerprint:
                raise WeightsError(
                    f"{source}: was distilled from a network with other weights; give the same "
                    "teacher"
                )
            model.load_state_dict(state["model"])
            return model, optimizer, 0, checkpoint.trainings(state)
        checkpoint.restore(state, out, model, optimizer, recipe=self.recipe)
        return model, optimizer, int(state["step"]), state.get("earlier", [])

    def _measure_coordinates(self) -> dict[str, PrincipalCoordinates]:
        taps = next(iter(self.architectures.values())).taps
        moments = {tap.layer: ActivationMoments() for tap in taps}
        for i in range(self.recipe.axes_batches):  # negative steps, before training
            pictures = crops_of(self.recipe, self.sources, (), -1 - i).to(self.device)
            with torch.no_grad():
                maps = self.teacher.extract(pictures, moments, precision="bfloat16")
            for layer, sums in moments.items():
                sums.add(maps[layer])
        return {t.layer: principal_coordinates(moments[t.layer], t.coordinates) for t in taps}

    def restyle(self, model: Distillation, step: int) -> None:
        """Optimize a few pictures through the first student and put every stage into the pool."""
        recipe = self.recipe
        largest = replace(recipe, sizes=(max(recipe.sizes),), seed=recipe.seed + 1)
        pictures = crops_of(largest, self.sources, (), step).to(model.pool.device)
        student = model.student(next(iter(model.students)))
        model.eval()
        for stage in restyle_stages(
            student, self.teacher.prepare, pictures, steps=recipe.restyle_steps
        ):
            model.add_to_pool(stage)


def _update(
    model: Distillation,
    optimizer: torch.optim.Optimizer,
    inputs: Image,
    targets: Sequence[Tensor],
    *,
    recipe: DistillationRecipe,
    fixed_norms: bool,
) -> Float[Tensor, "students taps"]:
    """Update every student once; returns the error of each of its taps before the update."""
    model.train(not fixed_norms)
    student_errors = []
    for student in model.students.values():
        with torch.autocast(inputs.device.type, torch.bfloat16):
            predicted = student(inputs)
        student_errors.append(errors(predicted, targets))
    tap_errors = torch.stack(student_errors)
    weights = [
        [tap.weight for tap in model.student(name).architecture.taps] for name in model.students
    ]
    optimizer.zero_grad()
    (tap_errors * tap_errors.new_tensor(weights)).sum().backward()  # type: ignore[no-untyped-call]
    for student in model.students.values():
        nn.utils.clip_grad_norm_(student.parameters(), recipe.largest_gradient)
    optimizer.step()
    return tap_errors.detach()
