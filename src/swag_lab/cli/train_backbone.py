"""swag train-backbone NAME DATA OUT: train a network of the package, on labels or on a teacher."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from swag.cli import options
from swag.errors import SettingsError

if TYPE_CHECKING:
    from swag_lab.training.checkpoint import ProgressLine

Name = Annotated[
    str,
    options.argument(
        "NAME",
        "Network to train: resnet ..., or with --teacher vgg16-distilled ... Several names "
        "with commas between them are trained side by side on the same pictures.",
    ),
]
Data = Annotated[
    Path,
    options.argument(
        "DATA",
        "Folder with packed .npz files, or with a folder of pictures for each class. "
        "--teacher needs no classes and uses all pictures in the folder.",
    ),
]
Checkpoint = Annotated[
    Path,
    options.argument("OUT", "Checkpoint file. If the file exists, its training is continued."),
]
Epochs = Annotated[float | None, options.option("--epochs N", "Passes over all pictures.")]
Recipe = Annotated[
    str, options.option("--recipe NAME", "Training recipe: cpu, gpu or plain.", default=True)
]
Seed = Annotated[
    int,
    options.option("--seed N", "Seed of the random numbers.", default=True, min=0, max=2**63 - 1),
]
Start = Annotated[
    str | None,
    options.option(
        "--start WEIGHTS",
        "Weights to begin with: a checkpoint. Without --teacher also an exported file, or "
        "`shipped`: the weights in the package.",
    ),
]
Device = Annotated[str, options.option("--device NAME", "cpu, cuda, cuda:1 ...", default=True)]
Teacher = Annotated[
    str | None,
    options.option(
        "--teacher NETWORK",
        "Network whose activations NAME learns to predict, for example torchvision/vgg16.",
    ),
]
TeacherWeights = Annotated[
    str,
    options.option("--teacher-weights FILE", "Weights of the teacher.", default=True),
]
Layers = Annotated[
    str | None,
    options.option(
        "--layers LAYER,...", "The teacher's layers to predict, if NAME is not in the package."
    ),
]
Explained = Annotated[
    float,
    options.option(
        "--explained SHARE",
        "Share of a layer's variance that its principal coordinates keep (with --layers).",
        default=True,
    ),
]
Steps = Annotated[int | None, options.option("--steps N", "Steps of a training with --teacher.")]


def train_backbone(  # noqa: PLR0913 - the arguments of a command are its options
    name: Name,
    data: Data,
    out: Checkpoint,
    epochs: Epochs = None,
    recipe: Recipe = "cpu",
    seed: Seed = 0,
    start: Start = None,
    device: Device = "cpu",
    teacher: Teacher = None,
    teacher_weights: TeacherWeights = "pretrained",
    layers: Layers = None,
    explained: Explained = 0.9,
    steps: Steps = None,
    quiet: options.Quiet = False,
) -> None:
    """Train a bundled network: on class labels, or to predict the activations of a larger network.

    After Ctrl-C, the same command continues from the last checkpoint. A training with --teacher
    ends with a table of the errors on held-out pictures, which is also written beside OUT.
    """
    from swag_lab.cli.bars import watch
    from swag_lab.training import command
    from swag_lab.training.distillation import command as distillation

    _check_options(teacher, epochs=epochs, recipe=recipe, start=start, layers=layers, steps=steps)
    train: Callable[[], Iterator[ProgressLine]]
    if teacher is None:
        train = partial(
            command.train_backbone,
            name,
            data,
            out,
            epochs=epochs,
            recipe=recipe,
            seed=seed,
            start=start,
            device=device,
        )
    else:
        start_path = None if start is None else Path(start)
        taught_by = distillation.Teacher(
            name=teacher,
            weights=teacher_weights,
            layers=tuple(layers.split(",")) if layers else (),
            explained=explained,
        )
        train = partial(
            distillation.distill_backbones,
            tuple(name.split(",")),
            data,
            out,
            teacher=taught_by,
            recipe=distillation.recipe_for(steps=steps, seed=seed, start=start_path),
            start=start_path,
            device=device,
        )
    watch(train, out, quiet=quiet)
    table = distillation.measure(data, out, teacher=taught_by) if teacher is not None else None
    if not quiet:
        if table is not None:
            typer.echo(table)
        typer.echo(str(out))


def _check_options(teacher: str | None, **values: object) -> None:
    """Refuse options that the chosen kind of training has no use for."""
    of_labels = {"epochs": None, "recipe": "cpu"}
    of_teacher = {"layers": None, "steps": None}
    unused = of_labels if teacher is not None else of_teacher
    ineffective = [name for name, default in unused.items() if values[name] != default]
    if ineffective:
        kind = (
            "a training with --teacher" if teacher is not None else "a training without --teacher"
        )
        raise SettingsError(f"--{ineffective[0]} has no effect in {kind}; leave it out")
