"""Where the nouns meet: the weighted sum of compare(describe(smooth(features)), target).

    style = Term("style", get("gram"), {"layer1": 1, "layer2": 1}, painting, parse("softmax"))
    objective = Objective.of(extract, [style, content], start=photo, style=painting)
    objective(picture)                                 {"style": ..., "content": ...}

Targets are described once, when the objective is made; then every picture costs one pass of the
network, however many terms there are. The picture itself is the layer `pixels`.
`TiledObjective` is the same for pictures whose activations do not fit into memory.
"""

from swag.objective.behind import Behind
from swag.objective.objective import Objective
from swag.objective.term import Matched, Normalisation, Term
from swag.objective.tiled import TiledObjective
from swag.objective.view import PIXELS, Part, View, with_pixels

__all__ = [
    "PIXELS",
    "Behind",
    "Matched",
    "Normalisation",
    "Objective",
    "Part",
    "Term",
    "TiledObjective",
    "View",
    "with_pixels",
]
