"""Make the file that the package ships, and its card, from a training's checkpoint.

python -m swag_lab.training.export CHECKPOINT NAME [FOLDER]
"""

import hashlib
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from swag.backbones import bundled
from swag.backbones.distilled import folded_student
from swag.backbones.family import folded, from_state
from swag.errors import SwagError, WeightsError
from swag.files import write_atomically
from swag_lab.training import checkpoint
from swag_lab.training.distillation.students import load_students as load_distillation

HEADS = {"main": 200, "caltech101": 101, "imagenet_samples": 1000}
"""The classes of the sources that DATA describes."""

DATA = [
    {
        "name": "Tiny ImageNet, 75,000 training pictures of 64 x 64 pixels in 200 classes",
        "terms": "a subset of ImageNet: non-commercial research and education; the pictures "
        "stay their owners'",
    },
    {
        "name": "Caltech-101 (Fei-Fei, Fergus and Perona 2004), 4,370 pictures, for detail",
        "terms": "CC BY 4.0",
    },
    {
        "name": "ImageNet, one picture of each of 1,000 classes, for detail",
        "terms": "ImageNet's, as above",
    },
]

INTENDED_USE = (
    "Features for style transfer, texture synthesis and their study: style from the stem and the "
    "stages, content from stage1 and stage2. Pictures in sRGB [0, 1], normalized by ImageNet's "
    "mean and standard deviation."
)

LIMITS = (
    "Not a classifier: the heads are not shipped and the training was short, on small pictures of "
    "few classes, with the biases of photographs collected from the web. Measured once, with one "
    "seed. The terms of the pictures limit what they may be used for; whether they reach weights "
    "trained on them is not settled, so take the weights as meant for research and education."
)

STUDENT_DATA = [
    {
        "name": "VGG-16 (Simonyan and Zisserman 2014), the teacher, trained on ImageNet",
        "terms": "CC BY 4.0, Visual Geometry Group, University of Oxford",
    },
    {
        "name": "photographs: BSDS500, ImageNet samples, Urban100, Sun-Hays80, describable "
        "textures and Kodak, 898 pictures of 384 to 448 pixels, without labels",
        "terms": "research use, as stated by each collection; the pictures stay their owners'",
    },
    {
        "name": "paintings of artists who died before 1955, 107 pictures, without labels",
        "terms": "public domain by age; reproductions as stated at their sources",
    },
    *DATA[1:],
]

STUDENT_USE = (
    "Features for style transfer, texture synthesis and their study, in place of VGG-16: style "
    "from relu1_1 ... relu5_1, content from relu2_1, relu3_1 and relu4_2, as principal "
    "coordinates of VGG-16's activations. Pictures in sRGB [0, 1], normalized by ImageNet's "
    "mean and standard deviation."
)

STUDENT_LIMITS = (
    "Not a classifier. Coordinates are predictions with the errors stated here, and leave out the "
    "variance beyond those that are kept; they are centered, so they are below zero as often as "
    "above. Trained once, with one seed, on photographs collected from the web and on European, "
    "American and Japanese paintings, with their biases."
)


def export(saved: Path, name: str, folder: Path = bundled.FOLDER) -> bundled.Card:
    """Write the weights of a checkpoint, folded and in half precision, and their card to a folder.

    The accuracy on the card is the last one in the log beside the checkpoint, measured before
    folding. WeightsError: the checkpoint is damaged, of another network, or too large for half
    precision.
    """
    bare = bundled.bare(name)
    if bare in bundled.STUDENTS:
        return _export_student(saved, bare, folder)
    architecture = bundled.architecture(name)
    state = checkpoint.load_training(saved)
    trained = checkpoint.network_of(state)
    try:
        network = from_state(architecture, trained)
    except RuntimeError as error:
        raise WeightsError(f"{saved}: not a checkpoint of {name}") from error
    return _write_network(
        folded(network),
        bare,
        folder,
        saved,
        architecture=asdict(architecture),
        **_training_record(state, saved),
        data=_data_sources(state),
        intended_use=INTENDED_USE,
        limits=LIMITS,
        continued_by=f"swag train-backbone {bare} DATA OUT.pt --start shipped --epochs 5",
    )


def _export_student(saved: Path, bare: str, folder: Path) -> bundled.Card:
    """A student of a distillation, with its errors from the report beside the checkpoint."""
    model, state = load_distillation(saved)
    if bare not in model.students:
        names = ", ".join(model.students)
        raise WeightsError(f"{saved}: holds no student {bare}, but {names}")
    student, recipe = model.student(bare), state["recipe"]
    if student.architecture != bundled.STUDENTS[bare]:
        raise WeightsError(f"{saved}: holds a {bare} of other sizes than the package's")
    return _write_network(
        folded_student(student),
        bare,
        folder,
        saved,
        architecture=asdict(student.architecture),
        top1=None,
        epochs=0.0,
        finished=state["step"] == recipe["steps"],
        trainings=checkpoint.trainings(state),
        data=STUDENT_DATA,
        intended_use=STUDENT_USE,
        limits=STUDENT_LIMITS,
        continued_by=f"swag train-backbone {bare} DATA OUT.pt --teacher {recipe['teacher']}",
        teacher=recipe["teacher"],
        unexplained=_unexplained(saved, bare),
    )


def _unexplained(saved: Path, bare: str) -> dict[str, float]:
    """Mean over held-out sources of a student's error at each layer, from its report."""
    path = saved.with_suffix(".report.json")
    lines = json.loads(path.read_text()) if path.exists() else []
    errors: dict[str, list[float]] = {}
    for line in lines:
        if line["student"] == bare:
            errors.setdefault(line["layer"], []).append(line["unexplained"])
    return {layer: round(sum(values) / len(values), 4) for layer, values in errors.items()}


def _write_network(
    network: nn.Module, bare: str, folder: Path, saved: Path, **fields: Any
) -> bundled.Card:
    data = _encode(network, saved)
    file = f"{bare}.safetensors"
    card = bundled.Card(
        name=f"swag/{bare}",
        file=file,
        sha256=hashlib.sha256(data).hexdigest(),
        bytes=len(data),
        parameters=sum(value.numel() for value in network.parameters()),
        **json.loads(json.dumps(fields)),
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / file, lambda out: out.write(data))
    _add_card(card, folder)
    return card


def _encode(network: nn.Module, saved: Path) -> bytes:
    halves: dict[str, Tensor] = {
        key: value.half().contiguous() for key, value in network.state_dict().items()
    }
    overflowing = [key for key, value in halves.items() if not torch.isfinite(value).all()]
    if overflowing:
        raise WeightsError(f"{saved}: {', '.join(overflowing)} cannot be held in half precision")
    return save(halves, metadata={"format": "pt"})


def _data_sources(state: dict[str, Any]) -> list[dict[str, str]]:
    """The pictures behind a checkpoint: `DATA` if its heads are `HEADS`, else an entry a head."""
    heads = {
        key.split(".")[1]: len(value)
        for key, value in state["model"].items()
        if key.startswith("heads.") and key.endswith(".bias")
    }
    if heads == HEADS:
        return DATA
    return [
        {"name": f"{head}, {classes} classes", "terms": "not known to the program that exported it"}
        for head, classes in sorted(heads.items())
    ]


def _training_record(state: dict[str, Any], saved: Path) -> dict[str, Any]:
    """The fields of the card on how the weights were trained."""
    trainings = checkpoint.trainings(state)
    log = saved.with_suffix(".jsonl")
    lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    lines = [line for line in lines if line["step"] <= state["step"]]
    accuracies = [line["top1"] for line in lines if line["top1"] is not None]
    if "planned" not in state and lines:
        trainings[-1]["planned"] = lines[-1]["steps"]
    shares = [each["steps"] / each.get("planned", each["steps"]) for each in trainings]
    epochs = [s * each["recipe"]["epochs"] for s, each in zip(shares, trainings, strict=True)]
    return {
        "top1": accuracies[-1] if accuracies else None,
        "epochs": round(sum(epochs), 2),
        "finished": shares[-1] == 1,
        "trainings": trainings,
    }


def _add_card(card: bundled.Card, folder: Path) -> None:
    file = folder / bundled.CARDS
    cards = json.loads(file.read_text()) if file.exists() else {}
    cards[bundled.bare(card.name)] = asdict(card)
    ordered = {name: cards[name] for name in bundled.bundled_names() if name in cards}
    text = json.dumps(ordered, indent=1) + "\n"
    write_atomically(file, lambda out: out.write(text.encode()))


def main(arguments: list[str]) -> int:
    """Run `python -m swag_lab.training.export`; the exit status."""
    if len(arguments) not in (2, 3):
        print(__doc__, file=sys.stderr)
        return 2
    folder = Path(arguments[2]) if len(arguments) == 3 else bundled.FOLDER
    try:
        card = export(Path(arguments[0]), arguments[1], folder)
    except SwagError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{folder / card.file}: {card.bytes} bytes, top-1 {card.top1}, {card.epochs} epochs")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
