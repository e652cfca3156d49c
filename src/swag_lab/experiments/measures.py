"""Measurements of a network on a picture: rows of numbers, which are all that is written.

Peakiness of activations and Gram matrices; the fate of the largest entries in a block; the share
of a squared error that a few entries hold; errors of degraded pictures under each judge.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from swag.backbones import Backbone
from swag.losses import gram
from swag.run import stylize
from swag.smoothing import parse, softmax
from swag.statistics import (
    DISTRIBUTIONS,
    count_of_largest,
    entropy,
    maximum,
    share_of_largest,
    standard_deviation,
)
from swag.types import GramMatrix, Image
from swag_lab.evaluation.degradations import DEGRADATIONS, DEGREES, degraded
from swag_lab.evaluation.evaluator import Evaluator
from swag_lab.experiments.blocks import BlockActivations, blocks_of
from swag_lab.experiments.job import BASE, JobKind, StudyJob

Measured = dict[str, Any]
JudgedValue = tuple[str, str, float]
"""Judge, measure and value."""
LARGEST = 0.01
"""The fraction of a layer's entries that counts as its largest."""
FRACTIONS = (0.001, 0.01, 0.1)
TEMPERATURES = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Temperatures of a softmax over the layer, in the layer's standard deviations."""
SMOOTHINGS = ("none", "softmax", "softmax:temperature=auto", "power", "log")


@torch.no_grad()
def peakiness(network: Backbone, picture: Image) -> list[Measured]:
    """Maximum and entropies of activations and Gram matrices, a row for each layer."""
    layers = dict.fromkeys((*network.style_layers, *network.content_layers))
    return [
        {
            "layer": layer,
            **_statistics("F", features),
            **_statistics("G", gram.describe(features)),
        }
        for layer, features in network.extract(picture, tuple(layers)).items()
    ]


def _statistics(name: str, values: Float[Tensor, "b n *rest"]) -> dict[str, float]:
    entropies = {
        f"entropy {name} ({distribution})": entropy(values, distribution).item()
        for distribution in DISTRIBUTIONS
    }
    return {f"max {name}": maximum(values).item(), **entropies}


@torch.no_grad()
def suppression(network: Backbone, picture: Image) -> list[Measured]:
    """The fate of the largest hundredth of a block's input, for each block that keeps the shape.

    Of these entries, `kept` is the mean after the block over that before, both over the mean of
    the layer; `still largest` the share that is among the largest afterwards (0.01 by chance);
    `lowered` the share that the branch of a residual block lowers; `found of needed` the branch's
    mean over the change that would bring the entries to the mean of the layer.
    """
    blocks = list(blocks_of(network, picture))
    return [
        {"block": block.name, "depth": (i + 1) / len(blocks), **_fate_of_largest(block)}
        for i, block in enumerate(blocks)
    ]


def _fate_of_largest(block: BlockActivations) -> dict[str, float | None]:
    before, after = block.before.flatten().double(), block.after.flatten().double()
    count = max(1, round(LARGEST * before.numel()))
    largest = before.topk(count).indices
    still_largest = torch.isin(largest, after.topk(count).indices)
    ratio = (after[largest].mean() / after.mean()) / (before[largest].mean() / before.mean())
    row: dict[str, float | None] = {
        "kept": float(ratio),
        "still largest": float(still_largest.double().mean()),
    }
    if block.branch is None:
        return {**row, "lowered": None, "found of needed": None}
    branch = block.branch.flatten().double()[largest]
    needed = before.mean() - before[largest].mean()
    return {
        **row,
        "lowered": float((branch < 0).double().mean()),
        "found of needed": float(branch.mean() / needed),
    }


@torch.no_grad()
def outliers(network: Backbone, photo: Image, style: Image) -> list[Measured]:
    """The shares of the squared Gram error and of its gradient that the largest entries hold.

    At the photo, by layer and smoothing. `loss` is the share of the largest differences, `gram`
    that of the entries largest in either matrix, `gradient` the part of the gradient with respect
    to the smoothed activations that comes through the latter, along the whole gradient.
    """
    maps, targets = (network.extract(p, network.style_layers) for p in (photo, style))
    rows = []
    for layer in network.style_layers:
        for spec in SMOOTHINGS:
            smooth = parse(spec).fitted(targets[layer])
            features = smooth(maps[layer]).double()
            photo_gram, style_gram = (
                gram.describe(features),
                gram.describe(smooth(targets[layer]).double()),
            )
            rows.append(
                {"layer": layer, "smoothing": spec, **_shares(features, photo_gram, style_gram)}
            )
    return rows


def _shares(features: Tensor, photo_gram: GramMatrix, style_gram: GramMatrix) -> dict[str, float]:
    difference = photo_gram - style_gram
    magnitudes = photo_gram.abs().maximum(style_gram.abs())
    flat = features.flatten(2)
    gradient = difference @ flat
    error, squared_norm = float(difference.square().sum()), float(gradient.square().sum())
    shares: dict[str, float] = {}
    for fraction in FRACTIONS:
        count = count_of_largest(magnitudes.numel(), fraction)
        threshold = magnitudes.flatten().topk(count).values[-1]
        masked = torch.where(magnitudes >= threshold, difference, 0.0)
        label = percent(fraction)
        shares |= {
            f"loss {label}": share_of_largest(difference, fraction).item(),
            # Equal matrices count as flat, as in `share_of_largest`; so does a gradient of zero.
            f"gram {label}": float(masked.square().sum()) / error if error else fraction,
            f"gradient {label}": float(((masked @ flat) * gradient).sum()) / squared_norm
            if squared_norm
            else fraction,
        }
    return shares


def percent(fraction: float) -> str:
    """A fraction in the name of a column: 0.1%, 1%, 10%."""
    return f"{100 * fraction:g}%"


@torch.no_grad()
def peakiness_by_temperature(network: Backbone, picture: Image) -> list[Measured]:
    """Entropy of softmax(F / T) over log n, and its share of largest, by layer and temperature."""
    rows = []
    for layer, features in network.extract(picture, network.style_layers).items():
        deviation = float(standard_deviation(features)[0]) or 1.0
        for temperature in TEMPERATURES:
            logits = features / (temperature * deviation)
            rows.append(
                {
                    "layer": layer,
                    "temperature": temperature,
                    "entropy": entropy(logits, "softmax").item(),
                    "share of largest": share_of_largest(softmax(logits), LARGEST).item(),
                }
            )
    return rows


def judging(job: StudyJob, evaluator: Evaluator) -> list[Measured]:
    """The errors of pictures that are degraded by degrees, by judge and measure.

    Style errors, and measures without a judge, are those of a stylized picture; content errors are
    those of the photo with noise of standard deviation 0.02, since blurring a stylized picture
    also removes what is not of the photo. Degree 0 is the picture itself.
    """
    photo, style = evaluator.photo, evaluator.style
    stylized = stylize(
        photo[0],
        style[0],
        backbone=job.network.create(job.seed),
        size=job.size,
        device="cpu",
        **{**BASE, **job.settings},
    ).image.batch
    noise = torch.randn(photo.shape, generator=torch.Generator().manual_seed(job.seed))
    noisy_photo = (photo + 0.02 * noise).clamp(0, 1)
    return [
        {"judge": judge, "measure": measure, "worse by": kind, "degree": degree, "value": value}
        for picture, is_stylized in ((stylized, True), (noisy_photo, False))
        for kind, degree, values in _by_degree(evaluator, picture)
        for judge, measure, value in values
        if is_stylized == (measure != "content")
    ]


def _by_degree(
    evaluator: Evaluator, picture: Image
) -> Iterator[tuple[str, float, list[JudgedValue]]]:
    """Kind, degree and values of every degradation of a picture; of degree 0, the picture's own."""
    original_values = list(_values(evaluator(picture)))
    for kind in DEGRADATIONS:
        yield kind, 0.0, original_values
        for degree in DEGREES:
            yield kind, degree, list(_values(evaluator(degraded(picture, kind, degree))))


def _values(metrics: Mapping[str, Any]) -> Iterator[JudgedValue]:
    """Judge, measure and value of an evaluator's metrics; the judge is - for those without one."""
    for judge, scores in metrics["judges"].items():
        yield from ((judge, measure, value) for measure, value in scores.items())
    yield from (("-", name, value) for name, value in metrics.items() if name != "judges")


KINDS: Mapping[JobKind, Callable[[Backbone, Image, Image], list[Measured]]] = MappingProxyType(
    {
        "statistics": lambda network, _, style: peakiness(network, style),
        "suppression": lambda network, _, style: suppression(network, style),
        "outliers": outliers,
        "temperature": lambda network, _, style: peakiness_by_temperature(network, style),
    }
)
"""The measurement of a network, a photo and a style picture that each of these kinds makes."""
