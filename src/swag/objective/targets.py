"""From terms to the parts that are compared at each step; targets are described once."""

from dataclasses import replace
from math import sqrt

import torch

from swag.objective.feature_source import FeatureSource
from swag.objective.layer_loss import PIXELS, LayerLoss, LayerView
from swag.objective.loss_term import LossTerm
from swag.precision import to_float64
from swag.smoothing import Smoothing
from swag.types import OwnImage

SMALLEST_SPAN = 1e-6
"""Share of a target's size below which two pictures count as equal when spans are measured."""

NO_SMOOTHING = Smoothing("none")


def make_layer_losses(
    term: LossTerm, read: FeatureSource, start: OwnImage, style: OwnImage
) -> list[LayerLoss]:
    """The parts of a term: one for each layer, or a single one for a joint loss.

    `auto` parameters are fitted to `style`; `start` is the first picture of the run.
    """
    views = _views(term, read, style)
    parts = _parts(term, views, read, start)
    if term.matched == "none":
        return parts
    raw_views = [replace(view, smoothings=(NO_SMOOTHING,) * len(view.layers)) for view in views]
    image = start if term.unit_image is None else term.unit_image
    smoothed = _sizes(term, parts, read, image)
    unsmoothed = _sizes(term, _parts(term, raw_views, read, start), read, image)
    return [
        replace(part, factor=part.factor * (unsmoothed_size / size if size > 0 else 1.0))
        for part, size, unsmoothed_size in zip(parts, smoothed, unsmoothed, strict=True)
    ]


def _views(term: LossTerm, source: FeatureSource, style: OwnImage) -> list[LayerView]:
    fitted = {layer: _fit_smoothing(term, layer, source, style) for layer in term.layers}
    if not term.loss.joint:
        return [LayerView(term.loss, (layer,), (fitted[layer],)) for layer in term.layers]
    view = LayerView(term.loss, tuple(term.layers), tuple(fitted.values()))
    return [replace(view, map_scales=_map_scales(term, view, source))]


def _fit_smoothing(term: LossTerm, layer: str, source: FeatureSource, style: OwnImage) -> Smoothing:
    if layer == PIXELS:
        return NO_SMOOTHING
    smoothing = term.smoothing.at(layer)
    if smoothing.parameter != "auto":
        return smoothing
    return smoothing.fitted(source.sample(style, layer))


@torch.no_grad()
def _parts(
    term: LossTerm, views: list[LayerView], source: FeatureSource, start: OwnImage
) -> list[LayerLoss]:
    by_target = [source.descriptions(views, image, mask) for image, mask in term.targets]
    targets = [
        term.loss.combine_targets(list(descriptions)) if len(descriptions) > 1 else descriptions[0]
        for descriptions in zip(*by_target, strict=True)
    ]
    parts = [
        LayerLoss(term=term.name, view=view, mask=term.mask, target=target, factor=1.0)
        for view, target in zip(views, targets, strict=True)
    ]
    factors = _normalization_factors(term, parts, source, start)
    return [
        replace(part, factor=term.weight * _layer_share(term, part.view) * factor)
        for part, factor in zip(parts, factors, strict=True)
    ]


def _layer_share(term: LossTerm, view: LayerView) -> float:
    """The weight of a view's layers, as a share of the term's unless its factors are absolute."""
    share = sum(term.layers[layer] for layer in view.layers)
    absolute = term.normalization in ("paper", "released-code")
    return share if absolute else share / sum(term.layers.values())


def _map_scales(term: LossTerm, view: LayerView, source: FeatureSource) -> tuple[float, ...]:
    """The divisors of the maps of a joint loss, with which layers count by their weights.

    The root mean square of the targets' maps, over the root of the weight.
    """
    map_scales = []
    for layer, smooth in zip(view.layers, view.smoothings, strict=True):
        squares = [
            float(smooth(source.feature_map(image, layer)).square().mean())
            for image, _ in term.targets
        ]
        size = sqrt(sum(squares) / len(squares)) or 1.0
        map_scales.append(size / sqrt(max(term.layers[layer], 1e-12)))
    return tuple(map_scales)


def _normalization_factors(
    term: LossTerm, parts: list[LayerLoss], source: FeatureSource, start: OwnImage
) -> list[float]:
    """For each part the factor of its error that the normalization asks for."""
    # The picture whose error is the unit.
    reference = (
        start if term.normalization != "span" or term.unit_image is None else term.unit_image
    )
    if term.normalization in ("paper", "released-code"):
        return [_absolute_factor(term, part.view, source, reference) for part in parts]
    sizes = [float(term.loss.target_norm(part.target)[0]) for part in parts]
    if term.normalization == "target":
        return [1 / size for size in sizes]
    errors = source.errors(parts, reference)
    return [1 / max(error, SMALLEST_SPAN * size) for error, size in zip(errors, sizes, strict=True)]


def _absolute_factor(
    term: LossTerm, view: LayerView, source: FeatureSource, reference: OwnImage
) -> float:
    shape = source.shape(reference, view.layers[0])
    _, d, h, w = shape
    if term.normalization == "paper":
        return term.loss.paper_factor(d, h * w, view.smoothings[0].unit(shape))
    return term.loss.released_factor(d, h * w)


def _sizes(
    term: LossTerm, parts: list[LayerLoss], source: FeatureSource, image: OwnImage
) -> list[float]:
    """For each part its error at a picture, or the norm of the gradient: see `LossTerm.matched`."""
    if term.matched == "loss":
        return source.errors(parts, image)
    return [float(to_float64(source.gradient(part, image)).norm()) for part in parts]
