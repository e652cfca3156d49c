"""Train a bundled backbone on the pictures in a folder."""

import difflib
from collections.abc import Iterator
from pathlib import Path

import torch

from swag.backbones import bundled
from swag.errors import ImageError, SettingsError
from swag.files import create_folder
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
    """Train a network of the package, yielding a `Progress` now and then; goes on from `out`.

    `data` holds packed files, `tiny_imagenet_train_*.npz` to train, `tiny_imagenet_val_*.npz` to
    measure and any others for detail; or a folder of pictures for each class; or two folders
    `train` and `val` of such folders. `recipe` is "cpu", "gpu" or "plain"; `epochs` by default its.
    `start` is a checkpoint, exported weights, or "shipped" for those in the package; the recipe
    is then a gentler one (`recipe.continued`).
    """
    architecture = bundled.architecture(name)
    chosen = _recipe(recipe, epochs, seed)
    if chosen.near_identity and architecture.shortcuts:
        raise SettingsError(f"recipe {recipe!r} is for networks without shortcuts; {name} has them")
    if start is not None:
        chosen = continued(chosen)
    begin = bundled.path(name) if start == SHIPPED else Path(start) if start is not None else None
    check_device(device)
    sources, validation = find(data)
    create_folder(out.parent)
    return train(
        architecture, chosen, sources, out=out, validation=validation, device=device, start=begin
    )


def find(data: Path) -> tuple[dict[str, PictureSource], PictureSource | None]:
    """The sources in a folder by name, one of them "main", and the pictures to measure with."""
    if not data.is_dir():
        raise ImageError(f"{data}: not a folder; expected one with pictures to train on")
    packed = sorted(data.glob("*.npz"))
    if not packed:
        return _find_folders(data)
    main = [path for path in packed if path.name.startswith("tiny_imagenet_train_")]
    measured = [path for path in packed if path.name.startswith("tiny_imagenet_val_")]
    if not main:
        names = ", ".join(path.name for path in packed)
        raise ImageError(f"{data}: expected a file tiny_imagenet_train_*.npz, found {names}")
    sources = {path.stem: load_source(path) for path in packed if path not in main + measured}
    sources["main"] = load_source(*main)
    return sources, _checked(load_source(*measured), sources["main"], data) if measured else None


def _find_folders(data: Path) -> tuple[dict[str, PictureSource], PictureSource | None]:
    if not (data / "train").is_dir():
        return {"main": load_source(data)}, None
    main = load_source(data / "train")
    measured = data / "val"
    return {"main": main}, _checked(
        load_source(measured), main, data
    ) if measured.is_dir() else None


def _checked(validation: PictureSource, main: PictureSource, data: Path) -> PictureSource:
    if validation.classes > main.classes:
        raise ImageError(
            f"{data}: {validation.classes} classes to measure with, but {main.classes} to "
            "train on; expected the same classes in both"
        )
    return validation


def _recipe(name: str, epochs: float | None, seed: int) -> Recipe:
    if name not in RECIPES:
        near = difflib.get_close_matches(name, RECIPES, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise SettingsError(f"no recipe {name!r}; expected one of {', '.join(RECIPES)}{hint}")
    if epochs is None:
        return RECIPES[name](seed=seed)
    return RECIPES[name](epochs=epochs, seed=seed)


def check_device(device: str) -> None:
    """SettingsError if nothing can be computed on a device of this name."""
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise SettingsError(f"device {device!r} cannot be used here ({reason})") from error
