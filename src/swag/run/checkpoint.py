"""Checkpoints: a run's state, written to a file and read to continue the run.

On a processor, with as many threads, a resumed run gives the same bits as one that never stopped.
Targets and the network itself are not saved: they can be made again from the inputs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from swag import checkpoint as tensor_file
from swag.config import Settings
from swag.errors import CheckpointError, SwagError
from swag.optimize import Optimizer, State, is_real_number
from swag.run.provenance import (
    MOST_FALLBACKS,
    MOST_LOSSES,
    Name,
    Number,
    Provenance,
    Task,
    check_named,
    fitting_fallbacks,
    fitting_losses,
    versions,
)
from swag.schedule import Scale
from swag.types import Precision, Size, StrPath

if TYPE_CHECKING:
    from swag.run.update import Update


MEMORY = "memory."
_IMAGES = ("image", "best", "ema")
_NUMBERS = ("step", "best_value", "ema_steps", "step_scale", "rollbacks")


class Numbers(BaseModel):
    """The numbers of an optimizer's state."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: int = Field(ge=0, le=1_000_000)
    best_value: Number
    ema_steps: int = Field(ge=0, le=1_000_000)
    step_scale: float = Field(gt=0, le=1)
    rollbacks: int = Field(ge=0, le=1_000_000)


class CheckpointHeader(Provenance):
    """The provenance and settings of a run, and how far it has come."""

    settings: Settings
    scale: int = Field(ge=0, lt=12)
    index: int = Field(ge=0, le=1_000_000)
    state: Numbers
    losses: dict[Name, Number] = Field(max_length=MOST_LOSSES)
    seconds: float = Field(ge=0, allow_inf_nan=False)
    fallbacks: tuple[Name, ...] = Field((), max_length=MOST_FALLBACKS)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A checkpoint as read; `start` is the first picture of its scale, if targets depend on it."""

    path: StrPath
    header: CheckpointHeader
    state: State
    start: Tensor | None

    @property
    def precision(self) -> Precision:
        """Precision of the passes before the last steps."""
        return self.header.precision

    def settings_with(self, overrides: Mapping[str, Any]) -> dict[str, Any]:
        """The saved settings with `overrides`; `check_same` later checks that they agree.

        SettingsError if the network is code, which no checkpoint may make run.
        """
        check_named(str(self.path), self.header.settings, overrides)
        return {**self.header.settings.model_dump(mode="json"), **overrides}

    def check_same(self, task: Task, settings: Settings, inputs: Mapping[str, str]) -> None:
        """Refuse to go on with another task, settings, inputs or versions: CheckpointError."""
        header = self.header
        if header.versions != versions():
            raise CheckpointError(
                f"{self.path} was made with {_version_list(header.versions)}, and installed are "
                f"{_version_list(versions())}; resume with the same versions, or start a new run"
            )
        if header.task != task:
            raise CheckpointError(
                f"{self.path} was made by `swag {header.task}`; resume with that command, not with "
                f"`{task}`"
            )
        _check_settings(self.path, header.settings, settings)
        _check_inputs(self.path, header.inputs, inputs)

    def check_weights(self, weights: str) -> None:
        """Refuse to go on with other weights or layers, by their SHA-256: CheckpointError."""
        if self.header.weights != weights:
            raise CheckpointError(
                f"{self.path} was made with other weights of {self.header.settings.backbone}, or "
                "other layers were read (the SHA-256 of both differs); resume with the same "
                "network, or start a new run"
            )

    def check_shapes(
        self, latents: Tensor, size: Size, scales: Sequence[Scale], optimizer: Optimizer
    ) -> None:
        """Refuse a state that does not fit such latents and this optimizer: CheckpointError.

        `size` is (height, width) of the picture that the latents encode.
        """
        state, header = self.state, self.header
        images = [(x, latents) for x in (state.image, state.best, state.ema) if x is not None]
        if self.start is not None:
            images.append((self.start, torch.empty(1, 3, *size)))
        alike = all((x.shape, x.dtype) == (y.shape, y.dtype) for x, y in images)
        scalar = state.loss_scale is None or is_real_number(state.loss_scale)
        ema_fits = (state.ema is None) == (header.state.ema_steps == 0)
        in_plan = header.scale < len(scales) and header.state.step <= scales[header.scale].steps
        in_plan = in_plan and header.index < sum(scale.steps for scale in scales)
        fits = alike and scalar and ema_fits and optimizer.state_fits(state.memory, latents)
        if not (in_plan and fits):
            raise CheckpointError(
                f"{self.path} is damaged: it does not fit its own settings; start a new run"
            )

    def to(self, device: torch.device) -> State:
        """The state on a device."""
        values = {f.name: getattr(self.state, f.name) for f in fields(State)}
        values = {k: v.to(device) if isinstance(v, Tensor) else v for k, v in values.items()}
        # Scalars of the optimizer, which are counts, stay on the processor.
        memory = {k: v.to(device) if v.ndim else v for k, v in self.state.memory.items()}
        return State(**{**values, "memory": memory})


def save_checkpoint(path: StrPath, update: "Update") -> None:
    """Write what is needed to continue after an update. CheckpointError if that fails."""
    if update.provenance is None:
        raise CheckpointError("only an update of `iterate` can be kept as a checkpoint")
    state = update.state
    tensors = {name: getattr(state, name) for name in (*_IMAGES, "loss_scale")}
    tensors |= {MEMORY + name: tensor for name, tensor in state.memory.items()}
    tensors["start"] = update.start
    header = CheckpointHeader(
        **update.provenance.model_dump(),
        settings=update.settings,
        scale=update.scale,
        index=update.index,
        state=Numbers(**{name: getattr(state, name) for name in _NUMBERS}),
        losses=fitting_losses(update.losses),
        seconds=update.seconds,
        fallbacks=fitting_fallbacks(update.fallbacks),
    )
    present = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    tensor_file.save_tensors(path, present, header.model_dump(mode="json"))


def load_checkpoint(path: StrPath) -> Checkpoint:
    """Read a checkpoint. CheckpointError if the file is damaged or no checkpoint of a run."""
    tensors, header_values = tensor_file.load_tensors(path)
    try:
        header = CheckpointHeader.model_validate(header_values)
    except (ValidationError, SwagError) as error:
        raise CheckpointError(
            f"{path} is damaged, or no checkpoint that this version of SWAG wrote"
        ) from error
    memory = {n.removeprefix(MEMORY): t for n, t in tensors.items() if n.startswith(MEMORY)}
    images = {name: tensors[name] for name in _IMAGES if name in tensors}
    finite = all(bool(tensor.isfinite().all()) for tensor in tensors.values())
    if "image" not in images or not finite or len({x.shape for x in images.values()}) > 1:
        raise CheckpointError(f"{path} is damaged: it holds no state of a run; start a new run")
    values: dict[str, Any] = {**images, "loss_scale": tensors.get("loss_scale")}
    state = State(**values, memory=memory, **header.state.model_dump())
    return Checkpoint(path, header, state, tensors.get("start"))


def _check_settings(path: StrPath, saved: Settings, current: Settings) -> None:
    saved_values, current_values = saved.model_dump(mode="json"), current.model_dump(mode="json")
    changed = [name for name in saved_values if saved_values[name] != current_values[name]]
    if changed:
        listing = ", ".join(f"{name} = {saved_values[name]!r}" for name in changed[:4])
        raise CheckpointError(
            f"{path} was made with {listing}; resume with the same settings, or start a new run"
        )


def _check_inputs(path: StrPath, saved: Mapping[str, str], current: Mapping[str, str]) -> None:
    changed = sorted(n for n in saved.keys() | current.keys() if saved.get(n) != current.get(n))
    if changed:
        raise CheckpointError(
            f"{path} was made with other pictures: {', '.join(changed)} (the SHA-256 differs, or "
            "a picture is missing); resume with the same files, or start a new run"
        )


def _version_list(named: Mapping[str, str]) -> str:
    return " and ".join(f"{name} {version}" for name, version in named.items())
