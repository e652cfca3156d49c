"""Errors of students on held-out pictures, layer by layer."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import torch
from jaxtyping import Float
from torch import Tensor

from swag.backbones import Backbone
from swag.types import FeatureMap
from swag_lab.training.distillation.coordinates import mean_and_covariance
from swag_lab.training.distillation.crops import Pictures
from swag_lab.training.distillation.students import Distillation, errors


@dataclass(frozen=True)
class LayerError:
    """The errors of one tap, averaged over held-out pictures.

    `left_out` is the share of the layer's variance beyond the coordinates that are kept, in
    training; `unexplained` the squared error of those that are kept, as a share of the same
    variance. The others compare a picture's statistics, as relative Frobenius norms, between the
    teacher's activations and those that the student's coordinates represent.
    """

    student: str
    source: str
    layer: str
    left_out: float
    unexplained: float
    mean: float
    covariance: float
    gram: float


ERRORS = ("unexplained", "mean", "covariance", "gram")
"""Errors of a tap on one picture, in the order in which they are computed."""


@torch.no_grad()
def report(
    teacher: Backbone, model: Distillation, pictures: Mapping[str, Pictures]
) -> list[LayerError]:
    """The errors of every student on every source, in float32; `pictures` were held out."""
    model.eval()
    lines = []
    for source, held_out in pictures.items():
        sums: dict[tuple[str, str], Tensor] = {}
        for picture in held_out:
            image = picture[None].float().div(255)
            maps = teacher.extract(image, model.layers)
            for name in model.students:
                predicted = model.student(name)(teacher.prepare(image))
                for layer, tap in zip(model.layers, predicted, strict=True):
                    tap_errors = _tap_errors(model, layer, tap, maps[layer])
                    sums[name, layer] = sums.get((name, layer), torch.zeros(4)) + tap_errors
        for (name, layer), total in sums.items():
            left_out = 1 - float(model.coordinates(layer).explained.sum())
            lines.append(
                LayerError(
                    student=name,
                    source=source,
                    layer=layer,
                    left_out=left_out,
                    **dict(zip(ERRORS, (total / len(held_out)).tolist(), strict=True)),
                )
            )
    return lines


def _tap_errors(
    model: Distillation, layer: str, tap: Float[Tensor, "b k _h _w"], maps: FeatureMap
) -> Tensor:
    """Errors of the coordinates, the mean, the covariance and the Gram matrix of one picture."""
    coordinates = model.coordinates(layer)
    # If a student rounds an odd side up and the teacher down, the last row has no counterpart.
    tap = tap[..., : maps.shape[-2], : maps.shape[-1]]
    maps = maps[..., : tap.shape[-2], : tap.shape[-1]]
    (unexplained,) = errors([tap], [coordinates.of(maps)])
    mean, covariance = mean_and_covariance(maps)
    predicted_mean, predicted_covariance = mean_and_covariance(coordinates.activations(tap))
    gram = covariance + mean.mT * mean
    predicted_gram = predicted_covariance + predicted_mean.mT * predicted_mean
    pairs = ((predicted_mean, mean), (predicted_covariance, covariance), (predicted_gram, gram))
    return torch.stack([unexplained, *((a - b).norm() / b.norm() for a, b in pairs)])


def as_markdown(lines: list[LayerError]) -> str:
    """The errors as a table, one line for each student, source and layer."""
    names = [field.name.replace("_", " ") for field in fields(LayerError)]
    rows = [f"| {' | '.join(names)} |", "|---|---|---|" + "---:|" * (len(names) - 3)]
    for line in lines:
        numbers = (line.left_out, line.unexplained, line.mean, line.covariance, line.gram)
        cells = " | ".join(f"{number:.3f}" for number in numbers)
        rows.append(f"| {line.student} | {line.source} | {line.layer} | {cells} |")
    return "\n".join(rows)
