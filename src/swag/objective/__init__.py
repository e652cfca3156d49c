"""The objective: the weighted sum of compare(describe(smooth(features)), target).

    style = LossTerm("style", get("gram"), {"layer1": 1, "layer2": 1}, painting, parse("softmax"))
    objective = Objective.of(extract, [style, content], start=photo, style=painting)
    objective(picture)                                 {"style": ..., "content": ...}

Targets are described once, when the objective is made; then every picture costs one pass of the
network, however many terms there are. The picture itself is the layer `pixels`.
`swag.tiling.TiledObjective` is the same for pictures whose activations do not fit into memory.
"""

from swag.objective.layer_loss import PIXELS, LayerLoss, LayerView, with_pixels
from swag.objective.loss_term import LossTerm, Matched, Normalization
from swag.objective.objective import Objective

__all__ = [
    "PIXELS",
    "LayerLoss",
    "LayerView",
    "LossTerm",
    "Matched",
    "Normalization",
    "Objective",
    "with_pixels",
]
