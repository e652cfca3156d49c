"""Targets are described once: from terms to the parts that are compared at each step."""

from collections.abc import Iterable
from dataclasses import replace
from math import sqrt

import torch
from torch import Tensor

from swag.objective.term import Term
from swag.objective.view import PIXELS, Extract, Part, View
from swag.shapes import FeatureMap, FeatureMaps, OwnImage
from swag.smoothing import Smoothing

SMALLEST_SPAN = 1e-6
"""Share of a target's size below which two pictures count as equal when spans are measured."""

NO_SMOOTHING = Smoothing("none")


class Reader:
    """The activations of pictures at all layers of an objective; each picture is read once."""

    def __init__(self, extract: Extract, layers: Iterable[str]) -> None:
        self.extract = extract
        self.layers = tuple(dict.fromkeys(layers))
        self._kept: list[tuple[Tensor, FeatureMaps]] = []

    def __call__(self, image: OwnImage) -> FeatureMaps:
        """The activations of a picture by layer."""
        for picture, features in self._kept:
            if picture is image:
                return features
        with torch.no_grad():
            self._kept.append((image, self.extract(image, self.layers)))
        return self._kept[-1][1]


def parts_of(term: Term, read: Reader, start: OwnImage, style: OwnImage) -> list[Part]:
    """The parts of a term: one for each layer, or a single one for a joint loss.

    `auto` parameters are fitted to `style`; `start` is the first picture of the run.
    """
    fitted = {layer: _fitted(term, layer, read(style)[layer]) for layer in term.layers}
    groups = [tuple(term.layers)] if term.loss.joint else [(layer,) for layer in term.layers]
    total = sum(term.layers.values())
    parts = []
    for layers in groups:
        view = View(term.loss, layers, tuple(fitted[layer] for layer in layers))
        view = replace(view, units=_units(term, view, read)) if term.loss.joint else view
        share = sum(term.layers[layer] for layer in layers)
        if term.normalisation not in ("paper", "released-code"):
            share /= total
        part = _part(term, view, read, start, term.weight * share)
        if term.matched != "none":
            plain = replace(view, smoothings=(NO_SMOOTHING,) * len(layers))
            twin = _part(term, plain, read, start, term.weight * share)
            part = replace(part, factor=part.factor * _ratio(term, part, twin, read, start))
        parts.append(part)
    return parts


def _fitted(term: Term, layer: str, features_of_style: FeatureMap) -> Smoothing:
    if layer == PIXELS:
        return NO_SMOOTHING
    return term.smoothing.at(layer).fitted(features_of_style)


@torch.no_grad()
def _part(term: Term, view: View, read: Reader, start: OwnImage, share: float) -> Part:
    described = [view.describe(read(image), where) for image, where in term.targets]
    target = term.loss.merge(described) if len(described) > 1 else described[0]
    part = Part(term.name, view, term.where, target, 1.0)
    return replace(part, factor=share * _unit_error(term, part, read, start))


def _units(term: Term, view: View, read: Reader) -> tuple[float, ...]:
    """What the maps of a joint loss are divided by, so that layers count by their weights.

    The root mean square of the targets' maps, over the root of the weight.
    """
    units = []
    for layer, smooth in zip(view.layers, view.smoothings, strict=True):
        squares = [float(smooth(read(image)[layer]).square().mean()) for image, _ in term.targets]
        size = sqrt(sum(squares) / len(squares)) or 1.0
        units.append(size / sqrt(max(term.layers[layer], 1e-12)))
    return tuple(units)


def _reference(term: Term, start: OwnImage) -> OwnImage:
    """The picture whose error is the unit."""
    return start if term.normalisation != "span" or term.other is None else term.other


def _unit_error(term: Term, part: Part, read: Reader, start: OwnImage) -> float:
    """By what the comparison of descriptions is multiplied."""
    reference = read(_reference(term, start))
    if term.normalisation in ("paper", "released-code"):
        layer, smooth = part.view.layers[0], part.view.smoothings[0]
        _, d, h, w = reference[layer].shape
        if term.normalisation == "paper":
            return term.loss.poster_factor(d, h * w, smooth.unit(reference[layer].shape))
        return term.loss.released_factor(d, h * w)
    size = float(term.loss.magnitude(part.target)[0])
    if term.normalisation == "target":
        return 1 / size
    return 1 / max(float(part.error(reference)), SMALLEST_SPAN * size)


def _ratio(term: Term, part: Part, plain: Part, read: Reader, start: OwnImage) -> float:
    """By what a smoothed part is multiplied to weigh what it does without smoothing."""
    image = start if term.other is None else term.other
    measure = _gradient_norm if term.matched == "gradient" else _error
    smoothed, unsmoothed = measure(part, read, image), measure(plain, read, image)
    return unsmoothed / smoothed if smoothed > 0 else 1.0


def _error(part: Part, read: Reader, image: OwnImage) -> float:
    return float(part.error(read(image)))


@torch.enable_grad()
def _gradient_norm(part: Part, read: Reader, image: OwnImage) -> float:
    pixels = image.detach().clone().requires_grad_()
    error = part.error(read.extract(pixels, part.view.layers))
    (gradient,) = torch.autograd.grad(error, pixels)
    return float(gradient.double().norm())
