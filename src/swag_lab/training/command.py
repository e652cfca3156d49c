"""Train a bundled backbone on the pictures in a folder."""

import difflib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from swag.backbones import bundled
from swag.errors import ImageError, SettingsError
from swag.files import create_folder
from swag_lab.training.checkpoint import check_ending
from swag_lab.training.data import PictureSource, load_source
from swag_lab.training.loop import Progress, train
from swag_lab.training.recipe import RECIPES, Recipe, continued

SHIPPED = "shipped"
"""The value of `start` that stands for the weights in the package."""


def train_backbone(
    name: str,
    data: Path,
    out: Path,
    *,
    epochs: float | None = None,
    recipe: str = "cpu",
    seed: int = 0,
    start: Path | str | None = None,
    device: str = "cpu",
) -> Iterator[Progress]:
    """Train a network of the package, yielding a `Progress` now and then; resumes from `out`.

    `data` holds packed files, `tiny_imagenet_train_*.npz` to train, `tiny_imagenet_val_*.npz` to
    measure and any others for detail; or a folder of pictures for each class; or two folders
    `train` and `val` of such folders. `recipe` is "cpu", "gpu" or "plain", and sets the
    default of `epochs`. `start` is a checkpoint, exported weights, or "shipped" for those in the
    package; the recipe is then a gentler one (`recipe.continued`).
    """
    architecture = bundled.architecture(name)
    chosen = _recipe(recipe, epochs, seed)
    if chosen.near_identity and architecture.shortcuts:
        raise SettingsError(f"recipe {recipe!r} is for networks without shortcuts; {name} has them")
    if start is not None:
        chosen = continued(chosen)
    path = bundled.path(name) if start == SHIPPED else Path(start) if start is not None else None
    check_device(device)
    check_ending(out)
    sources, validation = find(data)
    create_folder(out.parent)
    return train(
        architecture, chosen, sources, out=out, validation=validation, device=device, start=path
    )


def find(data: Path) -> tuple[dict[str, PictureSource], PictureSource | None]:
    """The sources in a folder by name, one of them "main", and validation pictures, if any."""
    if not data.is_dir():
        raise ImageError(f"{data}: not a folder; expected one with pictures to train on")
    packed = sorted(data.glob("*.npz"))
    uses = ("train", "val")
    if packed:
        training, held_out = (
            [path for path in packed if path.name.startswith(f"tiny_imagenet_{use}_")]
            for use in uses
        )
        if not training:
            names = ", ".join(path.name for path in packed)
            raise ImageError(f"{data}: expected a file tiny_imagenet_train_*.npz, found {names}")
    else:
        training, held_out = ([path for path in [data / use] if path.is_dir()] for use in uses)
        if not training:
            training, held_out = [data], []
        elif held_out:
            _check_same_classes(*training, *held_out)
    sources = {path.stem: load_source(path) for path in packed if path not in training + held_out}
    sources["main"] = load_source(*training)
    if not held_out:
        return sources, None
    validation = load_source(*held_out)
    if validation.classes > sources["main"].classes:
        raise ImageError(
            f"{data}: {validation.classes} classes to measure with, but "
            f"{sources['main'].classes} to train on; expected the same classes in both"
        )
    return sources, validation


def _check_same_classes(*folders: Path) -> None:
    """ImageError unless the folders have the same class folders, whose order is that of labels."""
    first, second = (
        {path.name for path in folder.iterdir() if path.is_dir()} for folder in folders
    )
    if first != second:
        odd = ", ".join(sorted(first ^ second)[:5])
        raise ImageError(
            f"{' and '.join(map(str, folders))} differ: only one of them has the classes {odd}; "
            "expected a folder for each class in both"
        )


def _recipe(name: str, epochs: float | None, seed: int) -> Recipe:
    if name not in RECIPES:
        matches = difflib.get_close_matches(name, RECIPES, 1)
        hint = f"; did you mean {matches[0]}?" if matches else ""
        raise SettingsError(f"no recipe {name!r}; expected one of {', '.join(RECIPES)}{hint}")
    chosen = replace(RECIPES[name], seed=seed)
    return chosen if epochs is None else replace(chosen, epochs=epochs)


def check_device(device: str) -> None:
    """SettingsError if nothing can be computed on a device of this name."""
    try:
        float(torch.ones(1, device=device))  # meta has no numbers
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise SettingsError(f"device {device!r} cannot be used here ({reason})") from error
