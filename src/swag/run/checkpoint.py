"""Runs that were interrupted go on: to a checkpoint and back.

On a processor, with as many threads, the run that goes on gives the same bits as one that never
stopped. What can be made again from the inputs is not kept: targets, and the network itself.
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
    """Whose run it is and where it stands."""

    settings: Settings
    scale: int = Field(ge=0, lt=12)
    index: int = Field(ge=0, le=1_000_000)
    state: Numbers
    losses: dict[Name, Number] = Field(max_length=MOST_LOSSES)
    seconds: float = Field(ge=0, allow_inf_nan=False)
    fallbacks: tuple[Name, ...] = Field((), max_length=MOST_FALLBACKS)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A run as a checkpoint holds it; `start` is the first picture of its scale, if needed."""

    path: StrPath
    header: CheckpointHeader
    state: State
    start: Tensor | None

    @property
    def precision(self) -> Precision:
        """Precision of the passes before the last steps."""
        return self.header.precision

    def settings_with(self, overrides: Mapping[str, Any]) -> dict[str, Any]:
        """The run's own settings with others given; whether they agree is checked later.

        SettingsError if its network is code, which no checkpoint may have run.
        """
        check_named(str(self.path), self.header.settings, overrides)
        return {**self.header.settings.model_dump(mode="json"), **overrides}

    def check_same(self, task: Task, settings: Settings, inputs: Mapping[str, str]) -> None:
        """Refuse to go on with another task, settings, inputs or versions: CheckpointError."""
        was = self.header
        if was.versions != versions():
            raise CheckpointError(
                f"{self.path} was made with {_listed(was.versions)}, and installed are "
                f"{_listed(versions())}; resume with the same versions, or start a new run"
            )
        if was.task != task:
            raise CheckpointError(
                f"{self.path} was made by `swag {was.task}`; resume with that command, not with "
                f"`{task}`"
            )
        _check_settings(self.path, was.settings, settings)
        _check_inputs(self.path, was.inputs, inputs)

    def check_weights(self, weights: str) -> None:
        """Refuse to go on with other weights, by their SHA-256: CheckpointError."""
        if self.header.weights != weights:
            raise CheckpointError(
                f"{self.path} was made with other weights of {self.header.settings.backbone} "
                "(their SHA-256 differs); resume with the same weights, or start a new run"
            )

    def check_shapes(
        self, latents: Tensor, size: Size, scales: Sequence[Scale], optimizer: Optimizer
    ) -> None:
        """Refuse a state that is not one of such latents and this optimizer: CheckpointError.

        `size` is that of the picture behind the latents.
        """
        state, was = self.state, self.header
        images = [(x, latents) for x in (state.image, state.best, state.ema) if x is not None]
        if self.start is not None:
            images.append((self.start, torch.empty(1, 3, *size)))
        alike = all((x.shape, x.dtype) == (like.shape, like.dtype) for x, like in images)
        scalar = state.loss_scale is None or is_real_number(state.loss_scale)
        averaged = (state.ema is None) == (was.state.ema_steps == 0)
        there = was.scale < len(scales) and was.state.step <= scales[was.scale].steps
        there = there and was.index < sum(scale.steps for scale in scales)
        fitting = alike and scalar and averaged and optimizer.state_fits(state.memory, latents)
        if not (there and fitting):
            raise CheckpointError(
                f"{self.path} is damaged: it does not fit its own settings; start a new run"
            )

    def to(self, device: torch.device) -> State:
        """The state on a device."""
        moved = {f.name: getattr(self.state, f.name) for f in fields(State)}
        moved = {k: v.to(device) if isinstance(v, Tensor) else v for k, v in moved.items()}
        # What a method counts stays where it was made: on the processor.
        memory = {k: v.to(device) if v.ndim else v for k, v in self.state.memory.items()}
        return State(**{**moved, "memory": memory})


def save_checkpoint(path: StrPath, update: "Update") -> None:
    """Write what is needed to go on after an update. CheckpointError if that fails."""
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
    """Read a checkpoint. CheckpointError if it is damaged or not one of a run."""
    tensors, values = tensor_file.load_tensors(path)
    try:
        header = CheckpointHeader.model_validate(values)
    except (ValidationError, SwagError) as error:
        raise CheckpointError(
            f"{path} is damaged, or no checkpoint that this version of SWAG wrote"
        ) from error
    memory = {n.removeprefix(MEMORY): t for n, t in tensors.items() if n.startswith(MEMORY)}
    images = {name: tensors[name] for name in _IMAGES if name in tensors}
    finite = all(bool(tensor.isfinite().all()) for tensor in tensors.values())
    if "image" not in images or not finite or len({x.shape for x in images.values()}) > 1:
        raise CheckpointError(f"{path} is damaged: it holds no state of a run; start a new run")
    own: dict[str, Any] = {**images, "loss_scale": tensors.get("loss_scale")}
    state = State(**own, memory=memory, **header.state.model_dump())
    return Checkpoint(path, header, state, tensors.get("start"))


def _check_settings(path: StrPath, was: Settings, now: Settings) -> None:
    before, after = was.model_dump(mode="json"), now.model_dump(mode="json")
    changed = [name for name in before if before[name] != after[name]]
    if changed:
        shown = ", ".join(f"{name} = {before[name]!r}" for name in changed[:4])
        raise CheckpointError(
            f"{path} was made with {shown}; resume with the same settings, or start a new run"
        )


def _check_inputs(path: StrPath, was: Mapping[str, str], now: Mapping[str, str]) -> None:
    names = sorted(n for n in was.keys() | now.keys() if was.get(n) != now.get(n))
    if names:
        raise CheckpointError(
            f"{path} was made with other pictures: {', '.join(names)} (the SHA-256 differs, or "
            "a picture is missing); resume with the same files, or start a new run"
        )


def _listed(named: Mapping[str, str]) -> str:
    return " and ".join(f"{name} {version}" for name, version in named.items())
