"""The networks in the package: small, trained, ready without a download.

network("resnet")                                   with the weights in the package
network("resnet", weights="random", seed=1)         with random ones
card("resnet").top1                                 share of pictures classified correctly
"""

import difflib
import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from swag.backbones import distilled
from swag.backbones.distilled import VGG16, DistilledNetwork
from swag.backbones.family import Architecture, ThinNetwork, from_state
from swag.backbones.initialization import seeded
from swag.backbones.presets import VGG_CONTENT, VGG_STYLE, Layers
from swag.backbones.weights import read_weights
from swag.errors import BackboneError, WeightsError

ARCHITECTURES = {
    "resnet": Architecture(),
    "noresnet": Architecture(shortcuts=False),
    "vgg": Architecture(shortcuts=False, stem=3, downsampling="max"),
    "resvgg": Architecture(stem=3, downsampling="max"),
    "resnet-deep": Architecture(widths=(16, 32, 64, 128), depths=(3, 4, 6, 3)),
    "noresnet-deep": Architecture(shortcuts=False, widths=(16, 32, 64, 128), depths=(3, 4, 6, 3)),
}
"""The ablation family. The deep pair has the blocks of ResNet-34, the others of ResNet-18."""

STUDENTS = {
    "vgg16-distilled": VGG16,
    "vgg16-distilled-residual": replace(VGG16, shortcuts=True),
}
"""Networks distilled from VGG-16: one as VGG is, and its twin with shortcuts in the blocks."""

STYLE_LAYERS = ("stem", "stage1", "stage2")
CONTENT_LAYERS = ("stage1", "stage2")
"""Layers of the ablation family, without the deep ones, which cost style (docs/strength.md). The
studies that repeat the paper read style from all stages, and content from `stage3`."""

FOLDER = Path(__file__).parent / "weights_files"
CARDS = "cards.json"


@dataclass(frozen=True)
class Card:
    """The weights of a network: their file, their training, and their intended use.

    `top1` is the share in [0, 1] of Tiny ImageNet's 5,000 validation pictures (200 classes) that
    the network and its head classified correctly, before folding and rounding; None for students,
    which do not classify: `unexplained` has their error at each layer of the teacher, on held-out
    pictures. `epochs` are passes over the main pictures in all `trainings`; `finished` is false
    if the last was cut short. `bytes` and `sha256` are the file's.
    """

    name: str
    file: str
    sha256: str
    bytes: int
    parameters: int
    architecture: dict[str, Any]
    top1: float | None
    epochs: float
    finished: bool
    trainings: list[dict[str, Any]]
    data: list[dict[str, str]]
    intended_use: str
    limits: str
    continued_by: str
    teacher: str = ""
    unexplained: dict[str, float] = field(default_factory=dict)


def bundled_names() -> tuple[str, ...]:
    """The networks of the package, without the prefix `swag/`."""
    return (*ARCHITECTURES, *STUDENTS)


def layers(name: str) -> tuple[Layers, Layers]:
    """The layers of a network that are read for style, and those for content."""
    if bare(name) in STUDENTS:
        return VGG_STYLE, VGG_CONTENT
    return STYLE_LAYERS, CONTENT_LAYERS


def bare(name: str) -> str:
    """A network's name without the prefix `swag/`."""
    return name.removeprefix("swag/")


def architecture(name: str) -> Architecture:
    """The switches of a network of the ablation family; BackboneError if there is none."""
    _check_known(name, (*ARCHITECTURES,))
    return ARCHITECTURES[bare(name)]


def _check_known(name: str, known: tuple[str, ...]) -> None:
    if bare(name) not in known:
        near = difflib.get_close_matches(bare(name), known, 1)
        hint = f"; did you mean swag/{near[0]}?" if near else ""
        expected = ", ".join(f"swag/{each}" for each in known)
        raise BackboneError(f"no bundled network {name!r}; expected one of {expected}{hint}")


def card(name: str, folder: Path = FOLDER) -> Card:
    """The card of a network's weights; WeightsError if it has none."""
    _check_known(name, bundled_names())
    cards = _read_cards(folder)
    if bare(name) not in cards:
        names = ", ".join(f"swag/{known}" for known in cards) or "none"
        raise WeightsError(
            f"swag/{bare(name)} has no trained weights in this package (there are: {names}); "
            f"use random ones, or train it: swag train-backbone {bare(name)} DATA OUT.pt"
        )
    return Card(**cards[bare(name)])


def path(name: str, folder: Path = FOLDER) -> Path:
    """The file of a network's weights; WeightsError if the network has none."""
    return folder / card(name, folder).file


def network(
    name: str,
    *,
    weights: Literal["pretrained", "random"] = "pretrained",
    seed: int = 0,
    folder: Path = FOLDER,
) -> ThinNetwork | DistilledNetwork:
    """A network in evaluation mode, with the weights in the package or with random ones.

    Pretrained weights are checked against their card; batch norm is part of the convolutions.
    Random ones are plain He initialization of every filter (He et al. 2015), drawn from `seed`,
    with batch norm at its initial statistics: weight 1, also at the end of a branch, where a
    training begins with 0. With 0 a random block would be its shortcut alone, and the sum of a
    shortcut and a random branch, which the paper studies, could not be observed.

    Raises:
        BackboneError: no such network.
        WeightsError: no weights for it in the package, or not those of the card.
    """
    if weights == "random":
        _check_known(name, bundled_names())
        with seeded(seed):
            if bare(name) in STUDENTS:
                return DistilledNetwork(STUDENTS[bare(name)]).eval()
            return ThinNetwork(architecture(name)).eval()
    model_card = card(name, folder)
    file = folder / model_card.file
    data = _read_bytes(file)
    if hashlib.sha256(data).hexdigest() != model_card.sha256:
        raise WeightsError(
            f"{file}: not the weights that belong to {model_card.name} (their SHA-256 differs from "
            "the card's); the file is damaged or was replaced: install the package again"
        )
    return _with_state(name, _parse_state(data, file), file)


def from_file(name: str, file: Path) -> ThinNetwork | DistilledNetwork:
    """A network in evaluation mode with the weights of an exported file, whatever its hash.

    Raises:
        WeightsError: the file cannot be read, or holds the weights of another network.
    """
    return _with_state(name, read_state(file), file)


def read_state(file: Path) -> dict[str, Tensor]:
    """The tensors in a file, in float32; WeightsError if it cannot be read.

    The file is of safetensors, or .pth or .pt of torch.save.
    """
    if file.suffix in (".pth", ".pt"):
        return {key: value.float() for key, value in read_weights(file).items()}
    return _parse_state(_read_bytes(file), file)


def recorded_trainings(file: Path) -> list[dict[str, Any]]:
    """The trainings of an exported file, from the card of its hash in its folder; empty without."""
    digest = hashlib.sha256(_read_bytes(file)).hexdigest()
    cards = [card for card in _read_cards(file.parent).values() if card["file"] == file.name]
    return [
        training for card in cards if card["sha256"] == digest for training in card["trainings"]
    ]


def _with_state(name: str, state: dict[str, Tensor], file: Path) -> ThinNetwork | DistilledNetwork:
    _check_known(name, bundled_names())
    try:
        if bare(name) in STUDENTS:
            student = replace(STUDENTS[bare(name)], norm=False)
            return distilled.student_from_state(student, state)
        return from_state(replace(architecture(name), norm=False), state)
    except RuntimeError as error:
        raise WeightsError(f"{file}: holds the weights of another network than {name}") from error


def _read_bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise WeightsError(f"{file}: weights cannot be read ({error.strerror})") from error


def _parse_state(data: bytes, file: Path) -> dict[str, Tensor]:
    try:
        return {key: value.float() for key, value in load(data).items()}
    except SafetensorError as error:
        raise WeightsError(f"{file}: not a safetensors file, or damaged ({error})") from error


def _read_cards(folder: Path) -> dict[str, Any]:
    file = folder / CARDS
    try:
        cards: dict[str, Any] = json.loads(_read_bytes(file)) if file.exists() else {}
    except ValueError as error:
        raise WeightsError(f"{file}: damaged ({error}); install the package again") from error
    return cards
