"""The students of a distillation, with all of their state that a checkpoint holds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from swag.backbones import Backbone
from swag.backbones.distilled import DistilledArchitecture, DistilledNetwork, start
from swag.backbones.initialization import seeded
from swag.errors import SettingsError, WeightsError
from swag.types import Image
from swag_lab.training import checkpoint
from swag_lab.training.distillation.coordinates import PrincipalCoordinates
from swag_lab.training.distillation.crops import Pictures

PARTS = ("mean", "axes", "total", "explained")
"""The fields of a layer's `PrincipalCoordinates`, each of which is a buffer."""


class Distillation(nn.Module):
    """The students, the coordinates that they predict, and the latest stylized pictures.

    All of it is state: a checkpoint holds what the next step needs. The taps of all students
    predict the same layers, in coordinates of the same number. The students' seed, and the number
    and size of the pictures, are those of `recipe`, a `DistillationRecipe` in plain values.
    """

    pool: Tensor
    filled: Tensor

    def __init__(
        self,
        architectures: Mapping[str, DistilledArchitecture],
        coordinates: Mapping[str, PrincipalCoordinates],
        recipe: Mapping[str, Any],
    ) -> None:
        super().__init__()
        students: dict[str, nn.Module] = {}
        for name, architecture in architectures.items():
            with seeded(recipe["seed"]):
                student = DistilledNetwork(architecture)
            start(student)
            students[name] = student
        self.students = nn.ModuleDict(students)
        self.layers = tuple(coordinates)
        for layer, layer_coordinates in coordinates.items():
            for part in PARTS:
                self.register_buffer(_buffer_name(layer, part), getattr(layer_coordinates, part))
        side = max(recipe["sizes"])
        pool = torch.zeros(recipe["pool"], 3, side, side, dtype=torch.uint8)
        self.register_buffer("pool", pool)
        self.register_buffer("filled", torch.zeros((), dtype=torch.int64))

    def student(self, name: str) -> DistilledNetwork:
        """A student by its name."""
        network = self.students[name]
        assert isinstance(network, DistilledNetwork)
        return network

    def coordinates(self, layer: str) -> PrincipalCoordinates:
        """The coordinates of a layer of the teacher."""
        return PrincipalCoordinates(
            **{part: self.get_buffer(_buffer_name(layer, part)) for part in PARTS}
        )

    def targets(self, teacher: Backbone, pictures: Image) -> list[Tensor]:
        """The teacher's coordinates of these pictures, in the order of the layers."""
        with torch.no_grad():
            maps = teacher.extract(pictures, self.layers, precision="bfloat16")
            return [self.coordinates(layer).of(maps[layer].float()) for layer in self.layers]

    def add_to_pool(self, pictures: Image) -> None:
        """Put stylized pictures into the pool in place of the oldest."""
        for picture in pictures:
            index = int(self.filled) % len(self.pool)
            self.pool[index] = picture.mul(255).round().to(torch.uint8)
            self.filled += 1

    @property
    def stylized(self) -> Pictures:
        """The stylized pictures in the pool, uint8."""
        return list(self.pool[: min(int(self.filled), len(self.pool))].cpu())


def errors(predicted: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
    """Squared distance between coordinates, averaged over positions, for each tap."""
    pairs = zip(predicted, targets, strict=True)
    return torch.stack([(p.float() - t).square().sum(1).mean() for p, t in pairs])


def load_students(saved: Path) -> tuple[Distillation, dict[str, Any]]:
    """The students of a checkpoint, in evaluation mode, and the whole checkpoint."""
    state = checkpoint.load_training(saved)
    recorded = state["recipe"].get("students")
    if not recorded:
        raise WeightsError(f"{saved}: not a distillation")
    architectures = {n: DistilledArchitecture.from_dict(fields) for n, fields in recorded.items()}
    model = Distillation(
        architectures, coordinates_in(state, saved, architectures), state["recipe"]
    )
    try:
        model.load_state_dict(state["model"])
    except RuntimeError as error:
        raise WeightsError(f"{saved}: not a distillation of {', '.join(architectures)}") from error
    return model.eval(), state


def layers_of(architectures: Mapping[str, DistilledArchitecture]) -> tuple[str, ...]:
    """The teacher's layers that the students predict; SettingsError if they do not agree."""
    taps = {tuple((t.layer, t.coordinates) for t in a.taps) for a in architectures.values()}
    if len(taps) != 1:
        raise SettingsError(
            f"students {', '.join(architectures)}: expected the same layers and coordinates in "
            "all; distill them one by one"
        )
    return tuple(layer for layer, _ in taps.pop())


def coordinates_in(
    state: dict[str, Any], saved: Path, architectures: Mapping[str, DistilledArchitecture]
) -> dict[str, PrincipalCoordinates]:
    """The coordinates in a checkpoint; WeightsError if its students have other sizes."""
    tensors = state["model"]
    try:
        return {
            layer: PrincipalCoordinates(
                **{part: tensors[_buffer_name(layer, part)] for part in PARTS}
            )
            for layer in layers_of(architectures)
        }
    except KeyError as error:
        raise WeightsError(f"{saved}: not a distillation of {', '.join(architectures)}") from error


def _buffer_name(layer: str, part: str) -> str:
    return f"{part}_of_{layer.replace('.', '_')}"
