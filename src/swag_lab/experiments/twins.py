"""Twins: networks that differ in one switch of the family and are trained alike.

The ablation needs them: the trained networks of the package differ in how long they learnt, too.
Every twin sees the same pictures in the same order for the same number of steps. One more, the
residual network trained for a third of the steps, shows what the length of training alone does.
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
from swag.files import write_atomically
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
SHORTER = "trained for a third"
THIRD = 1 / 3


@dataclass(frozen=True)
class Twin:
    """A twin: its switches away from `swag/resnet`, and how it is trained."""

    name: str
    switches: Mapping[str, Any]
    recipe: Recipe

    @property
    def architecture(self) -> Architecture:
        """The architecture of `swag/resnet` with these switches."""
        return replace(bundled.architecture("resnet"), **self.switches)

    def file(self, data: Path, folder: Path) -> Path:
        """The file of its weights, named by a hash of everything that determines them."""
        facts = [asdict(self.architecture), asdict(self.recipe), _file_sizes(data)]
        return folder / f"{key_of(facts)}.safetensors"


def twins(switches: Mapping[str, Mapping[str, Any]], epochs: float = EPOCHS) -> list[Twin]:
    """The residual network, the same with a third of the epochs, and one for each switch."""
    recipe = Recipe(epochs=epochs, largest=LARGEST)
    shorter = replace(recipe, epochs=epochs * THIRD)
    changed = [Twin(name, change, recipe) for name, change in switches.items()]
    return [Twin(BASE, {}, recipe), Twin(SHORTER, {}, shorter), *changed]


def train_twins(
    all_twins: Sequence[Twin], data: Path, folder: Path
) -> Iterator[tuple[Twin, Progress]]:
    """Train the twins whose file of weights does not exist; resumes an interrupted training.

    `data` is as `swag train-backbone` takes it; only its main source is trained on.

    Raises:
        ImageError: no pictures to train on in `data`.
        WeightsError: a training went to numbers that are not finite.
    """
    untrained = [twin for twin in all_twins if not twin.file(data, folder).exists()]
    if not untrained:
        return
    folder.mkdir(parents=True, exist_ok=True)
    sources, validation = find(data)
    for twin in untrained:
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
        _export(twin, saved, file, top1)


def twin_networks(all_twins: Sequence[Twin], data: Path, folder: Path) -> tuple[Network, ...]:
    """The twins whose file of weights exists, as networks of a study: t-NAME."""
    twin_files = ((twin, file) for twin in all_twins if (file := twin.file(data, folder)).exists())
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
        for twin, file in twin_files
    )


def top1(network: Network) -> float | None:
    """The top-1 accuracy of a twin at the end of its training, in [0, 1]; None if not measured."""
    with safe_open(network.file, "pt") as file:
        recorded = (file.metadata() or {}).get("top1", "")
    return float(recorded) if recorded else None


def _export(twin: Twin, saved: Path, file: Path, top1: float | None) -> None:
    """Write the network of a checkpoint, its batch norm folded, and delete the checkpoint."""
    trained_state = checkpoint.network_of(checkpoint.load_training(saved))
    if not all(bool(value.isfinite().all()) for value in trained_state.values()):
        raise WeightsError(f"the training of {twin.name!r} went to numbers that are not finite")
    weights = folded(from_state(twin.architecture, trained_state)).float().state_dict()
    metadata = {"format": "pt", "name": twin.name} | ({} if top1 is None else {"top1": repr(top1)})
    contiguous = {key: value.contiguous() for key, value in weights.items()}
    write_atomically(file, lambda out: out.write(save(contiguous, metadata=metadata)))
    saved.unlink()


def _file_sizes(data: Path) -> list[tuple[str, int]]:
    """The names and sizes of the files in a folder, which identify a set of pictures."""
    return sorted(
        (str(file.relative_to(data)), file.stat().st_size)
        for file in data.rglob("*")
        if file.is_file()
    )
