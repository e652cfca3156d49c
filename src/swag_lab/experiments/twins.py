"""Twins: networks that differ in one switch of the family and are trained alike.

The ablation needs them: the trained networks of the package differ in how long they learnt, too.
Every twin sees the same pictures in the same order for the same number of steps, and one more,
the residual network stopped after a third of them, shows what the length of training alone does.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save

from swag.backbones import bundled
from swag.backbones.family import Architecture, folded, from_state
from swag.errors import WeightsError
from swag.files import write_whole
from swag_lab.evaluation.networks import Network, as_in_paper
from swag_lab.experiments.job import key_of
from swag_lab.training import checkpoint
from swag_lab.training.command import find
from swag_lab.training.loop import Progress, train
from swag_lab.training.recipe import Recipe

EPOCHS = 4.0
LARGEST = 48
"""Side of the last crops in pixels: half the cost of the packaged networks' 64."""

BASE = "trained alike"
SHORTER = "stopped at a third"
THIRD = 1 / 3


@dataclass(frozen=True)
class Twin:
    """One of them: its switches away from `swag/resnet`, and how it is trained."""

    name: str
    switches: Mapping[str, Any]
    recipe: Recipe

    @property
    def architecture(self) -> Architecture:
        """The network of the family that it is."""
        return replace(bundled.architecture("resnet"), **self.switches)

    def file(self, data: Path, folder: Path) -> Path:
        """Where its weights belong: the name is a hash of all that decides them."""
        facts = [asdict(self.architecture), asdict(self.recipe), _names(data)]
        return folder / f"{key_of(facts)}.safetensors"


def twins(switches: Mapping[str, Mapping[str, Any]], epochs: float = EPOCHS) -> list[Twin]:
    """The residual network, the same stopped at a third, and one for each of the switches."""
    recipe = Recipe(epochs=epochs, largest=LARGEST)
    shorter = replace(recipe, epochs=epochs * THIRD)
    changed = [Twin(name, change, recipe) for name, change in switches.items()]
    return [Twin(BASE, {}, recipe), Twin(SHORTER, {}, shorter), *changed]


def train_twins(
    wanted: Sequence[Twin], data: Path, folder: Path
) -> Iterator[tuple[Twin, Progress]]:
    """Train those whose weights are not there; goes on if it was interrupted.

    `data` as `swag train-backbone` takes it; of its sources only the main one is shown.

    Raises:
        ImageError: no pictures to train on in `data`.
        WeightsError: a training went to numbers that are not finite.
    """
    missing = [twin for twin in wanted if not twin.file(data, folder).exists()]
    if not missing:
        return
    folder.mkdir(parents=True, exist_ok=True)
    sources, validation = find(data)
    for twin in missing:
        file = twin.file(data, folder)
        saved, top1 = file.with_suffix(".pt"), None
        for progress in train(
            twin.architecture,
            twin.recipe,
            {"main": sources["main"]},
            out=saved,
            validation=validation,
        ):
            top1 = progress.top1 if progress.top1 is not None else top1
            yield twin, progress
        _keep(twin, saved, file, top1)


def twin_networks(wanted: Sequence[Twin], data: Path, folder: Path) -> tuple[Network, ...]:
    """The trained ones of these twins, as networks of a study: t-NAME."""
    there = ((twin, file) for twin in wanted if (file := twin.file(data, folder)).exists())
    return tuple(
        as_in_paper(
            Network(
                name=f"t-{twin.name}",
                backbone="swag/resnet",
                weights="twin",
                switches=tuple(twin.switches.items()),
                file=str(file),
            )
        )
        for twin, file in there
    )


def top1(network: Network) -> float | None:
    """The share of validation pictures that a twin named rightly when its training ended."""
    with safe_open(network.file, "pt") as file:
        told = (file.metadata() or {}).get("top1", "")
    return float(told) if told else None


def _keep(twin: Twin, saved: Path, file: Path, top1: float | None) -> None:
    """Write what is needed of a checkpoint, its batch norm folded, and drop the rest."""
    own = checkpoint.network_of(checkpoint.load_training(saved))
    if not all(bool(value.isfinite().all()) for value in own.values()):
        raise WeightsError(f"the training of {twin.name!r} went to numbers that are not finite")
    kept = folded(from_state(twin.architecture, own)).float().state_dict()
    told = {"format": "pt", "name": twin.name} | ({} if top1 is None else {"top1": repr(top1)})
    contiguous = {key: value.contiguous() for key, value in kept.items()}
    write_whole(file, lambda out: out.write(save(contiguous, metadata=told)))
    saved.unlink()


def _names(data: Path) -> list[tuple[str, int]]:
    """The names and sizes of the files in a folder: what tells one set of pictures from another."""
    return sorted(
        (str(file.relative_to(data)), file.stat().st_size)
        for file in data.rglob("*")
        if file.is_file()
    )
