"""Distillation: a thin network learns to predict the activations of a large one, without labels.

    for line in distill(teacher, {"thin": VGG16}, recipe, pictures, out=Path("thin.pt")): ...
    report(teacher, model, "thin", held_out)          what the student gets wrong, layer by layer

`recipe` says what is shown when and is a pure function of the step, `crops` cuts and alters the
pictures, `coordinates` finds the principal coordinates that are predicted, `loop` trains,
`restyle` makes the pictures that a student meets when it is optimized through, `report` measures.
"""

from swag_lab.training.distillation.coordinates import PrincipalCoordinates, principal_coordinates
from swag_lab.training.distillation.loop import DistillationProgress, distill
from swag_lab.training.distillation.recipe import DistillationRecipe
from swag_lab.training.distillation.report import LayerError, report
from swag_lab.training.distillation.students import Distillation

__all__ = [
    "Distillation",
    "DistillationProgress",
    "DistillationRecipe",
    "LayerError",
    "PrincipalCoordinates",
    "distill",
    "principal_coordinates",
    "report",
]
