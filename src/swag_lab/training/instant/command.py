"""Train a painter on folders of pictures, and write its weights as they are shipped."""

from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save

from swag import backbones
from swag.backbones import bundled
from swag.errors import SettingsError
from swag.files import create_folder, write_atomically
from swag_lab.training import checkpoint
from swag_lab.training.command import check_device
from swag_lab.training.data import large_pictures
from swag_lab.training.instant.loop import PainterProgress, train_painter
from swag_lab.training.instant.recipe import PainterRecipe

CONTENT_OF_STUDENTS = ("relu3_1", "relu4_2")
"""The content of all crops is held in memory; that at relu2_1 alone is larger than these two."""


def train_on(
    photos: Path,
    paintings: Path,
    out: Path,
    *,
    recipe: PainterRecipe,
    backbone: str = "swag/vgg16-distilled",
    weights: str = "pretrained",
    device: str = "cpu",
) -> Iterator[PainterProgress]:
    """Train a painter on two folders or packed files; resumes from `out` if it exists.

    Raises:
        ImageError: no pictures, or one that cannot be read.
        SwagError: the backbone cannot be made, or `out` is of another training.
    """
    check_device(device)
    checkpoint.check_ending(out)
    student = bundled.bare(backbone) in bundled.STUDENTS
    content_layers = CONTENT_OF_STUDENTS if student else None
    network = backbones.create(backbone, weights=weights, content_layers=content_layers)
    create_folder(out.parent)
    large = [
        large_pictures([path], recipe.size, smaller="a smaller size")
        for path in (photos, paintings)
    ]
    return train_painter(network, recipe, *large, out=out, device=device)


def export_painter(saved: Path, out: Path) -> None:
    """Write the weights of a training in half precision, as `swag.instant` reads them."""
    state = checkpoint.load_training(saved)["model"]
    means = {name.removeprefix("mean."): t for name, t in state.items() if name.startswith("mean.")}
    if not means:
        raise SettingsError(f"{saved}: not a training of a painter")
    data = save({name: tensor.to(torch.float16).contiguous() for name, tensor in means.items()})
    write_atomically(out, lambda file: file.write(data))
