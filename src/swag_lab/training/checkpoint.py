"""Checkpoints, from which trainings resume, and the trainings behind a network's weights."""

import json
import pickle
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from torch import nn

from swag.errors import SettingsError, WeightsError
from swag.files import write_atomically


@runtime_checkable
class AnyRecipe(Protocol):
    """The settings of a training: any dataclass with a default for every field."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


@dataclass(frozen=True)
class ProgressLine:
    """A line of the log of a training: steps done, steps in all, side of the pictures in pixels."""

    step: int
    steps: int
    size: int

    @property
    def summary(self) -> str:
        """The errors in words."""
        raise NotImplementedError


def check_ending(saved: Path) -> None:
    """Refuse a checkpoint with the ending of its log or of weights: SettingsError."""
    if saved.suffix in (".jsonl", ".safetensors"):
        raise SettingsError(
            f"{saved}: a checkpoint cannot end in {saved.suffix}, as the log and the weights of a "
            f"training do; give a name such as {saved.with_suffix('.pt')}"
        )


def save_training(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    recipe: AnyRecipe,
    *,
    step: int,
    planned: int,
    earlier: list[dict[str, Any]],
) -> None:
    """Write everything that the steps from `step` on depend on.

    The training ends after `planned` steps. `earlier` are the trainings, first to last, that made
    the weights this one began with.
    """
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "step": step,
        "planned": planned,
        "recipe": asdict(recipe),
        "earlier": earlier,
    }
    write_atomically(path, lambda file: torch.save(state, file))


def load_training(path: Path) -> dict[str, Any]:
    """Read a checkpoint without running any code in it; WeightsError if it is not one."""
    if path.is_file() and not zipfile.is_zipfile(path):  # torch would try its older formats
        raise WeightsError(f"{path}: cannot be read as a checkpoint (damaged, or another format)")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise WeightsError(f"{path}: cannot be read as a checkpoint ({reason[0]})") from error
    if not isinstance(state, dict) or not {"model", "optimizer", "step", "recipe"} <= set(state):
        raise WeightsError(f"{path}: not a checkpoint of a training")
    return state


def write_line(log: Path, line: ProgressLine) -> None:
    """Add a line to the log of a training, as JSON."""
    with log.open("a") as file:
        file.write(json.dumps(asdict(line)) + "\n")


def trainings(state: dict[str, Any]) -> list[dict[str, Any]]:
    """Recipe, and steps made and planned, of each training behind a checkpoint, first to last.

    Those of older versions lack the planned steps: they count as made to the end.
    """
    made = {"steps": state["step"], "planned": state.get("planned", state["step"])}
    return [*state.get("earlier", []), {**made, "recipe": state["recipe"]}]


def network_of(state: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The tensors of the network in a checkpoint, without the heads."""
    tensors = state["model"].items()
    return {k.removeprefix("network."): v for k, v in tensors if k.startswith("network.")}


def restore(
    state: dict[str, Any],
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    recipe: AnyRecipe,
) -> None:
    """Load a checkpoint into a training; WeightsError if it is of another training."""
    current = asdict(recipe)
    saved = asdict(type(recipe)()) | state["recipe"]  # older versions had fewer settings
    if saved != current:
        changed = sorted(k for k in {**saved, **current} if saved.get(k) != current.get(k))
        raise WeightsError(
            f"{path}: holds a training with another recipe (different: {', '.join(changed)}); "
            "use the same settings to go on, or another file to begin anew"
        )
    try:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
    except (RuntimeError, ValueError) as error:
        raise WeightsError(
            f"{path}: holds a training of another network or with other classes; "
            "use the same ones to go on, or another file to begin anew"
        ) from error
