"""Distill students of a network on the pictures in a folder."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from math import log2
from pathlib import Path

import torch

from swag.backbones import Backbone, bundled, create
from swag.backbones.distilled import VGG16, DistilledArchitecture, Tap
from swag.errors import SettingsError
from swag.files import create_folder, write_text
from swag_lab.training.checkpoint import check_ending
from swag_lab.training.command import check_device
from swag_lab.training.data import load_pictures
from swag_lab.training.distillation.coordinates import ActivationMoments, principal_coordinates
from swag_lab.training.distillation.crops import Pictures, crops_of
from swag_lab.training.distillation.loop import DistillationProgress, distill
from swag_lab.training.distillation.recipe import DistillationRecipe, continued_distillation
from swag_lab.training.distillation.report import as_markdown, report
from swag_lab.training.distillation.students import load_students

HELD_OUT = 20
"""One picture in this many is held out to measure errors."""


@dataclass(frozen=True)
class Teacher:
    """The network that is predicted, as `swag.backbones.create` takes it.

    `layers` and `explained` are for students that are not in the package: which layers they
    predict, each in as many coordinates as explain this share of its variance, or as its block has
    channels if that is less.
    """

    name: str
    weights: str | Path = "pretrained"
    layers: tuple[str, ...] = ()
    explained: float = 0.9

    def __post_init__(self) -> None:
        if not 0 < self.explained <= 1:
            raise SettingsError(
                f"explained = {self.explained}: expected a share of the variance above 0, at most 1"
            )

    def create(self) -> Backbone:
        """The network."""
        return create(self.name, weights=self.weights)


def distill_backbones(
    names: tuple[str, ...],
    data: Path,
    out: Path,
    *,
    teacher: Teacher,
    recipe: DistillationRecipe | None = None,
    start: Path | None = None,
    device: str = "cpu",
) -> Iterator[DistillationProgress]:
    """Distill the named students on the pictures in `data`; resumes from `out` if it exists.

    A name of the package has its own layers; any other name is a student for the teacher's
    `layers`, with the widths of `VGG16`. `start` is a checkpoint of the same students to begin
    with.

    Raises:
        SettingsError: a student without layers or a name, students that predict different
            layers, or `out` with the ending of a log or of weights.
        ImageError: no pictures in `data`, or one that cannot be read.
        BackboneError, WeightsError: the teacher cannot be made, or `out` is of another training.
    """
    check_device(device)
    check_ending(out)
    chosen = recipe or DistillationRecipe()
    network = teacher.create()
    training, _ = split(load_pictures(data))
    architectures = _architectures(names, network, teacher, recipe=chosen, sources=training)
    create_folder(out.parent)
    return distill(network, architectures, chosen, training, out=out, start=start, device=device)


def split(
    sources: Mapping[str, Pictures],
) -> tuple[dict[str, Pictures], dict[str, Pictures]]:
    """Pictures to train on and held-out pictures, by source; a source of one picture is in both."""
    training = {
        name: [picture for i, picture in enumerate(source) if i % HELD_OUT] or source
        for name, source in sources.items()
    }
    return training, {name: source[::HELD_OUT] for name, source in sources.items()}


def recipe_for(*, steps: int | None, seed: int, start: Path | None = None) -> DistillationRecipe:
    """The recipe with this seed and, if given, this number of steps; gentler with a `start`."""
    recipe = DistillationRecipe(seed=seed)
    recipe = recipe if start is None else continued_distillation(recipe)
    return recipe if steps is None else replace(recipe, steps=steps)


def measure(data: Path, saved: Path, *, teacher: Teacher) -> str:
    """Measure the errors of the students in a checkpoint on the held-out pictures.

    Returns a table in Markdown, and writes the numbers beside the checkpoint as `.report.json`.
    """
    network = teacher.create()
    _, held_out = split(load_pictures(data))
    model, _ = load_students(saved)
    lines = report(network, model, held_out)
    text = json.dumps([asdict(line) for line in lines], indent=1) + "\n"
    write_text(saved.with_suffix(".report.json"), text)
    return as_markdown(lines)


def _architectures(
    names: tuple[str, ...],
    network: Backbone,
    teacher: Teacher,
    *,
    recipe: DistillationRecipe,
    sources: Mapping[str, Pictures],
) -> dict[str, DistilledArchitecture]:
    if not all(names) or any("." in name for name in names):
        raise SettingsError(f"{','.join(names)!r}: expected names of students, without dots")
    architectures = {name: bundled.STUDENTS.get(bundled.bare(name)) for name in names}
    others = [name for name, architecture in architectures.items() if architecture is None]
    if others and not teacher.layers:
        raise SettingsError(
            f"{', '.join(others)}: not a distilled network of the package; name the layers of "
            f"{teacher.name} to predict, as with --layers"
        )
    if others:
        architectures |= dict.fromkeys(others, architecture_for(network, teacher, recipe, sources))
    return {name: a for name, a in architectures.items() if a is not None}


def architecture_for(
    network: Backbone,
    teacher: Teacher,
    recipe: DistillationRecipe,
    sources: Mapping[str, Pictures],
) -> DistilledArchitecture:
    """A student for the chosen layers of a teacher, of the widths and depths of `VGG16`.

    The n-th layer of one resolution is predicted from the n-th convolution of the block of that
    resolution. SettingsError: a layer is coarser than any block.
    """
    moments = {layer: ActivationMoments() for layer in teacher.layers}
    blocks: dict[str, int] = {}
    for i in range(recipe.axes_batches):
        pictures = crops_of(recipe, sources, (), -1 - i)
        with torch.no_grad():
            maps = network.extract(pictures, teacher.layers)
        for layer, features in maps.items():
            moments[layer].add(features)
            blocks[layer] = 1 + round(log2(pictures.shape[-1] / features.shape[-1]))
    taps: list[Tap] = []
    for layer, block in blocks.items():
        if block > len(VGG16.widths):
            raise SettingsError(
                f"{layer} of {teacher.name} has 1 / {2 ** (block - 1)} of the picture's "
                f"resolution; students go to 1 / {2 ** (len(VGG16.widths) - 1)}"
            )
        axes = principal_coordinates(moments[layer], teacher.explained).axes
        depth = 1 + sum(tap.block == block for tap in taps)
        count = min(len(axes), VGG16.widths[block - 1])
        taps.append(Tap(layer, block=block, depth=depth, coordinates=count))
    deepest = max(blocks.values())
    depths = [
        max([depth, *(tap.depth for tap in taps if tap.block == block)])
        for block, depth in enumerate(VGG16.depths[:deepest], start=1)
    ]
    return replace(VGG16, widths=VGG16.widths[:deepest], depths=tuple(depths), taps=tuple(taps))
