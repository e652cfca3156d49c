"""Train a network of one painting on folders of photos, and write the style as it trains."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import pad

from swag import backbones
from swag.backbones import weights_fingerprint
from swag.config import Settings
from swag.errors import SettingsError
from swag.files import create_folder, remove
from swag.image import check_visible, fitted, read, read_hashed, resize, write
from swag.instant import StyleCard, StyleNetwork, StylePainter, write_style
from swag.run import device_of
from swag.run.provenance import versions, without_paths
from swag.types import Image
from swag_lab.training.data import large_pictures
from swag_lab.training.style.crops import CropSource
from swag_lab.training.style.loop import StyleCadence, StyleProgress, train_style
from swag_lab.training.style.loss import StyleObjective
from swag_lab.training.style.recipe import StyleRecipe

PREVIEWS, PREVIEW_SIZE = 4, 256
"""Number of photos on the preview sheet, and their long side there in pixels."""


def train_style_on(
    painting: Path,
    photos: Sequence[Path],
    out: Path,
    *,
    settings: Settings,
    recipe: StyleRecipe,
    cadence: StyleCadence | None = None,
    overwrite: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[StyleProgress]:
    """Train a network for a painting on folders or packed files of photos.

    From the first checkpoint on, `out` holds the style of the steps so far; beside it are the
    checkpoint (`.ckpt`), from which the same call resumes and which is removed at the end, the
    log (`.jsonl`), and a sheet of photos, painted and unpainted (`.png`).

    Raises:
        ImageError: no pictures, or one that cannot be read.
        SettingsError: `out` exists, no photo is large enough, the painting is transparent
            everywhere, or a setting is not supported.
        SwagError: the backbone cannot be made, or the checkpoint is of another training.
    """
    saved = checkpoint_of(out)
    if out.suffix != ".safetensors":
        raise SettingsError(f"{out}: expected a name that ends in .safetensors")
    if out.exists() and not saved.exists() and not overwrite:
        raise SettingsError(f"{out} exists; give another name, or --overwrite")
    side = round(settings.size_without_photo() * settings.style_scale)
    picture, digest = read_hashed(painting, size=side)
    check_visible("style", picture)
    device = device_of(settings.device)
    network = backbones.create(
        settings.backbone, weights=settings.weights, seed=settings.seed, edits=settings.edits
    ).to(device)
    recipe = replace(
        recipe,
        seed=settings.seed,
        settings=without_paths(settings).model_dump_json(),
        painting=digest,
        fingerprint=weights_fingerprint(network),
    )
    large = large_pictures(photos, recipe.size, smaller="smaller crops")
    objective = StyleObjective(settings, network, picture, size=recipe.size)
    create_folder(out.parent)
    if overwrite:
        remove(saved)
    if not saved.exists():
        remove(out.with_suffix(".jsonl"))

    def show(style: StyleNetwork, steps: int) -> None:
        write_style(out, style, card_of(recipe, settings, steps=steps, network=style))
        preview = sheet_of([preview_photo(photo) for photo in large[:PREVIEWS]], style, device)
        write(out.with_suffix(".png"), preview)

    lines = train_style(
        CropSource(recipe, objective, large, device),
        saved=saved,
        log=out.with_suffix(".jsonl"),
        cadence=cadence or StyleCadence(),
        show=show,
        should_stop=should_stop,
    )
    return _remove_at_end(lines, saved)


def _remove_at_end(lines: Iterator[StyleProgress], saved: Path) -> Iterator[StyleProgress]:
    """Yield the lines; remove the checkpoint at the end of the training."""
    for line in lines:
        yield line
        if line.step == line.steps:
            remove(saved)


def checkpoint_of(out: Path) -> Path:
    """The path of the checkpoint of a training that writes the style `out`."""
    return out.with_name(out.name + ".ckpt")


def card_of(
    recipe: StyleRecipe, settings: Settings, *, steps: int, network: StyleNetwork
) -> StyleCard:
    """The card in a style's file: its network, painting, settings, recipe and steps."""
    numbers = {name: value for name, value in vars(recipe).items() if not isinstance(value, str)}
    return StyleCard(
        widths=network.widths,
        blocks=len(network.blocks),
        painting=recipe.painting,
        weights=recipe.fingerprint,
        settings=without_paths(settings).model_dump(mode="json", exclude={"device"}),
        recipe=numbers,
        steps=steps,
        versions=versions(),
    )


def preview_photo(picture: Tensor) -> Image:
    """A photo in the size of the preview (1, 3, h, w), sRGB in [0, 1]."""
    photo = read(picture.float().div(255)).batch
    return resize(photo, fitted(photo.shape[2], photo.shape[3], PREVIEW_SIZE)).clamp(0, 1)


def sheet_of(photos: Sequence[Image], network: StyleNetwork, device: torch.device) -> Tensor:
    """Photos in a row, and below each its painted version: one picture (3, h, w)."""
    was_training = network.training
    painter = StylePainter(network)
    pairs = [torch.cat([p, painter.paint(p.to(device)).cpu().clamp(0, 1)], dim=2) for p in photos]
    network.requires_grad_(True).train(was_training)
    height = max(pair.shape[2] for pair in pairs)
    row = torch.cat([pad(p, (0, 0, 0, height - p.shape[2]), value=1.0) for p in pairs], dim=3)
    return row[0]
