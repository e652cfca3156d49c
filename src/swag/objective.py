"""Where the nouns meet: the weighted sum of compare(describe(smooth(features)), target).

    style = Term("style", get("gram"), {"layer1": 1, "layer2": 1}, painting, parse("softmax"))
    objective = Objective.of(extract, [style, content], start=photo, style=painting)
    objective(picture)                                 {"style": ..., "content": ...}

Targets are described once, when the objective is made; then every picture costs one pass of the
network, however many terms there are.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from swag.losses import PENALTIES, Description, Loss
from swag.precision import widened
from swag.shapes import FeatureMap, FeatureMaps, Image, OwnImage
from swag.smoothing import Smoothing

Extract = Callable[[Tensor, Sequence[str]], FeatureMaps]

Normalisation = Literal["span", "target", "initial", "paper", "released-code"]
"""What the error of a layer is measured in; see `Objective.of`."""

SMALLEST_SPAN = 1e-6
"""Share of a target's size below which two pictures count as equal when spans are measured."""


@dataclass(frozen=True)
class Term:
    """What of `layers` is to be like that of `target`, and how much each layer counts.

    `other` is the picture whose error is one under the normalisation `span`.
    """

    name: str
    loss: Loss
    layers: Mapping[str, float]
    target: OwnImage
    smoothing: Smoothing
    weight: float = 1.0
    normalisation: Normalisation = "span"
    other: OwnImage | None = None


@dataclass(frozen=True)
class Part:
    """One layer of one term, ready to be compared; `factor` holds all of its constants."""

    term: str
    layer: str
    loss: Loss
    smoothing: Smoothing
    target: Description
    factor: float

    def error(self, features: FeatureMaps) -> Tensor:
        """This part of the term for the first picture of the batch, in float64."""
        described = self.loss.describe(self.smoothing(features[self.layer]))
        return widened(self.loss.compare(described, self.target)[0]) * self.factor


@dataclass(frozen=True)
class Objective:
    """The terms of a loss with their targets; call it with a picture.

    `penalties` are weights of the terms on the pixels, by name.
    """

    extract: Extract
    parts: tuple[Part, ...]
    penalties: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        extract: Extract,
        terms: Iterable[Term],
        *,
        start: OwnImage,
        style: OwnImage,
        penalties: Mapping[str, float] | None = None,
    ) -> "Objective":
        """Describe the targets of all terms.

        `auto` parameters of smoothings are fitted to `style`. The error of a layer is
            paper           the poster's, to the letter: 1 / (4 D^2 M^2) and 1/2 of sums of squares;
                            where the pictures differ in size, the target's Gram matrix counts as
                            that of a picture of the same size as `start`
            released-code   the authors' script's: mean squares
            target          a share of the target's own size
            initial         a share of the error of the picture `start`
            span            a share of the error of the term's picture `other`: for style, that of
                            the content picture; for content, that of the style picture. Style
                            and content then both run from 0 to about 1, whatever the network.
        The last three average over layers; the first two are weighted sums.
        """
        parts = [part for term in terms for part in _parts(term, extract, start, style)]
        return cls(extract, tuple(parts), dict(penalties or {}))

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers that are read."""
        return tuple(dict.fromkeys(part.layer for part in self.parts))

    def __call__(self, image: Image) -> dict[str, Tensor]:
        """The weighted terms at a picture, float64 scalars."""
        features = self.extract(image, self.layers) if self.parts else {}
        terms: dict[str, Tensor] = {}
        for part in self.parts:
            error = part.error(features)
            terms[part.term] = terms[part.term] + error if part.term in terms else error
        for name, weight in self.penalties.items():
            if weight:
                terms[name] = widened(PENALTIES[name].measure(image)[0]) * weight
        return terms


@torch.no_grad()
def _parts(term: Term, extract: Extract, start: OwnImage, style: OwnImage) -> list[Part]:
    layers = tuple(term.layers)
    at_target, at_style, at_start = (extract(x, layers) for x in (term.target, style, start))
    at_other = at_start if term.other is None else extract(term.other, layers)
    total = sum(term.layers.values())
    parts = []
    for layer, layer_weight in term.layers.items():
        smoothing = term.smoothing.at(layer).fitted(at_style[layer])
        target = term.loss.describe(smoothing(at_target[layer]))
        reference = at_other[layer] if term.normalisation == "span" else at_start[layer]
        share = layer_weight * _unit_error(term, smoothing, target, reference)
        if term.normalisation not in ("paper", "released-code"):
            share /= total
        factor = term.weight * share
        parts.append(Part(term.name, layer, term.loss, smoothing, target, factor))
    return parts


def _unit_error(
    term: Term, smoothing: Smoothing, target: Description, reference: FeatureMap
) -> float:
    """By what the sum of squares of a layer is multiplied."""
    _, d, h, w = reference.shape
    if term.normalisation == "paper":
        return term.loss.poster_factor(d, h * w, smoothing.unit(reference.shape))
    if term.normalisation == "released-code":
        return term.loss.released_factor(d, h * w)
    size = float(term.loss.magnitude(target)[0])
    if term.normalisation == "target":
        return 1 / size
    error = float(term.loss.compare(term.loss.describe(smoothing(reference)), target)[0])
    return 1 / max(error, SMALLEST_SPAN * size)
