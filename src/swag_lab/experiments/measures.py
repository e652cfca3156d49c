"""What is measured of a network on a picture: rows of numbers, no picture is made.

Peakiness of activations and Gram matrices; what becomes of the largest entries in a block; how
much of a squared error a few entries hold; whether judges are worth their name.
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
Found = tuple[str, str, float]
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
    """How the largest hundredth of a block's input fares in each block that keeps the shape.

    `kept` is their mean after the block over that before, both over the mean of the layer; `still
    largest` the share of them that are among the largest afterwards (0.01 by chance); `lowered`
    the share that the branch of a residual block lowers; `found of needed` the mean of that branch
    at them over what would bring them to the mean of the layer.
    """
    found = list(blocks_of(network, picture))
    return [
        {"block": block.name, "depth": (i + 1) / len(found), **_fate(block)}
        for i, block in enumerate(found)
    ]


def _fate(block: BlockActivations) -> dict[str, float | None]:
    before, after = block.before.flatten().double(), block.after.flatten().double()
    count = max(1, round(LARGEST * before.numel()))
    largest = before.topk(count).indices
    still = torch.isin(largest, after.topk(count).indices)
    kept = (after[largest].mean() / after.mean()) / (before[largest].mean() / before.mean())
    row: dict[str, float | None] = {
        "kept": float(kept),
        "still largest": float(still.double().mean()),
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
    """The share of the squared Gram error, and of its gradient, that the largest entries hold.

    At the photo, by layer and smoothing. `loss` are the largest differences, `gram` the entries
    that are largest in either matrix, `gradient` the part of the gradient with respect to the
    activations that comes through those entries, measured along the whole gradient.
    """
    maps, targets = (network.extract(p, network.style_layers) for p in (photo, style))
    rows = []
    for layer in network.style_layers:
        for spec in SMOOTHINGS:
            smooth = parse(spec).fitted(targets[layer])
            features = smooth(maps[layer]).double()
            here, there = gram.describe(features), gram.describe(smooth(targets[layer]).double())
            rows.append({"layer": layer, "smoothing": spec, **_shares(features, here, there)})
    return rows


def _shares(features: Tensor, here: GramMatrix, there: GramMatrix) -> dict[str, float]:
    difference = here - there
    sizes = here.abs().maximum(there.abs())
    positions = features.flatten(2)
    whole = difference @ positions
    error, pull = float(difference.square().sum()), float(whole.square().sum())
    shares: dict[str, float] = {}
    for fraction in FRACTIONS:
        count = max(1, round(fraction * sizes.numel()))
        cut = sizes.flatten().topk(count).values[-1]
        through = torch.where(sizes >= cut, difference, 0.0)
        written = percent(fraction)
        shares |= {
            f"loss {written}": share_of_largest(difference, fraction).item(),
            # Equal matrices count as flat, as in `share_of_largest`, and so does no gradient.
            f"gram {written}": float(through.square().sum()) / error if error else fraction,
            f"gradient {written}": float(((through @ positions) * whole).sum()) / pull
            if pull
            else fraction,
        }
    return shares


def percent(fraction: float) -> str:
    """A fraction in the name of a column: 0.1%, 1%, 10%."""
    return f"{100 * fraction:g}%"


@torch.no_grad()
def heated(network: Backbone, picture: Image) -> list[Measured]:
    """Entropy of softmax(F / T) over log n, and how peaky that is, by layer and temperature."""
    rows = []
    for layer, features in network.extract(picture, network.style_layers).items():
        unit = float(standard_deviation(features)[0]) or 1.0
        for temperature in TEMPERATURES:
            cooled = features / (temperature * unit)
            rows.append(
                {
                    "layer": layer,
                    "temperature": temperature,
                    "entropy": entropy(cooled, "softmax").item(),
                    "share of largest": share_of_largest(softmax(cooled), LARGEST).item(),
                }
            )
    return rows


def judging(job: StudyJob, evaluator: Evaluator) -> list[Measured]:
    """What each judge says of a result that is made worse by degrees, measure by measure.

    Style is judged of a stylized picture, and so are the measures without a judge. Content is
    judged of the photo with grain of 0.02, since a stylized picture's blur also takes away what is
    not of the photo. Degree 0 is the picture itself.
    """
    photo, style = evaluator.photo, evaluator.style
    made = stylize(
        photo[0],
        style[0],
        backbone=job.network.create(job.seed),
        size=job.size,
        device="cpu",
        **{**BASE, **job.settings},
    ).image.batch
    grain = torch.randn(photo.shape, generator=torch.Generator().manual_seed(job.seed))
    content = (photo + 0.02 * grain).clamp(0, 1)
    return [
        {"judge": judge, "measure": measure, "worse by": kind, "degree": degree, "value": value}
        for picture, of_style in ((made, True), (content, False))
        for kind, degree, found in _by_degree(evaluator, picture)
        for judge, measure, value in found
        if of_style == (measure != "content")
    ]


def _by_degree(evaluator: Evaluator, picture: Image) -> Iterator[tuple[str, float, list[Found]]]:
    """What is found of the picture and of all that is made worse of it: kind, degree, values."""
    itself = list(_values(evaluator(picture)))
    for kind in DEGRADATIONS:
        yield kind, 0.0, itself
        for degree in DEGREES:
            yield kind, degree, list(_values(evaluator(degraded(picture, kind, degree))))


def _values(found: Mapping[str, Any]) -> Iterator[Found]:
    """Judge, measure and value of all that an evaluator found; without a judge, the judge is -."""
    for judge, scores in found["judges"].items():
        yield from ((judge, measure, value) for measure, value in scores.items())
    yield from (("-", name, value) for name, value in found.items() if name != "judges")


KINDS: Mapping[JobKind, Callable[[Backbone, Image, Image], list[Measured]]] = MappingProxyType(
    {
        "statistics": lambda network, _, style: peakiness(network, style),
        "suppression": lambda network, _, style: suppression(network, style),
        "outliers": outliers,
        "temperature": lambda network, _, style: heated(network, style),
    }
)
"""What kinds of jobs measure of a network, a photo and a style picture."""
