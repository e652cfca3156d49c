"""A trained style on a photo: read, painted in one pass, with alpha, colors and mask."""

from dataclasses import replace
from typing import Any

from torch import lerp, nn

from swag.colors import with_colors_of
from swag.config import settings
from swag.errors import SettingsError
from swag.image import Picture, Source, check_visible, filled, read, resize
from swag.instant import StylePainter, bundled, read_style
from swag.instant.export import PaintedIn
from swag.instant.style_file import is_trained
from swag.messages import one_line
from swag.modes import own_modes
from swag.run.device import device_of
from swag.run.masks import as_mask, check_shape
from swag.run.provenance import versions
from swag.run.update import GENERATED
from swag.types import StrPath


@own_modes()
def apply_style(
    style: StylePainter | StrPath,
    photo: Source,
    *,
    size: int | None = None,
    colors: str = "style",
    mask: Source | None = None,
    device: str = "auto",
) -> Picture:
    """Paint a photo in a style that a network was trained for (`swag train-style`).

    Args:
        style: a file of a style, or what `swag.instant.read_style` made of it.
        photo: a path, a Pillow picture, an array or a tensor; its alpha stays.
        size: long side of the result in pixels; None: the photo's own.
        colors: `content` gives the result's light and shade the photo's colors.
        mask: white where the style goes; elsewhere the photo stays.
        device: auto, cpu, cuda, cuda:1 or mps.

    Raises:
        WeightsError: the file is no style, or damaged.
        ImageError: a picture cannot be read.
        SettingsError: a mask of another shape, other colors, or no such device.
    """
    if colors not in ("style", "content"):
        raise SettingsError(f"colors = {colors!r}: expected style or content")
    painter = style if isinstance(style, StylePainter) else read_style(style)
    torch_device = device_of(device)
    original = read(photo, size=size)
    source = filled(original)
    batch = source.batch
    painted = painter.to(torch_device).paint(batch.to(torch_device)).cpu().clamp_(0, 1)
    if colors == "content":
        painted = with_colors_of(painted, batch, "oklab").clamp(0, 1)
    if mask is not None:
        mask_picture = as_mask(read(mask))
        check_shape("the mask", mask_picture, "its photo", source)
        weight = resize(mask_picture.batch.mean(1, keepdim=True), (batch.shape[2], batch.shape[3]))
        painted = lerp(original.batch, painted, weight.clamp(0, 1))
    return replace(original, pixels=painted[0].contiguous())


def how_applied(name: str, painter: StylePainter, picture: Picture, colors: str) -> dict[str, Any]:
    """How `apply_style` made a picture, as keywords of `swag.image.write`.

    The text `parameters` gives the style's `name` and the SHA-256 of its painting, and no path.
    """
    values = {
        "Size": "{}x{}".format(*picture.size),
        "Model": one_line(name),
        "Painting hash": painter.card["painting"][:10],
        "Colors": colors,
        "Version": f"swag {versions()['swag']}",
    }
    line = ", ".join(f"{key}: {value}" for key, value in values.items())
    return {"metadata": {"parameters": f"apply\n{line}"}, "source_type": GENERATED}


def photo_network(
    style: StrPath, *, strength: float | None = None, size: int | str | None = None
) -> nn.Module:
    """The network, from photo to result, that a file stands for.

    For a trained style its own; for a picture the painter of any painting with the statistics of
    this picture at a long side of `size` pixels (512 if it is not given).

    Raises:
        WeightsError, ImageError: the file is damaged, or something else.
        SettingsError: strength or size is given for a trained style, or out of range, or a
            painting is transparent everywhere.
    """
    if is_trained(style):
        trained = read_style(style)
        if strength is not None or size is not None:
            raise SettingsError(
                f"{style} was trained for one strength and one size; leave out strength and size, "
                "or give a painting"
            )
        return trained.network
    chosen = settings("default", "instant", **_given(strength=strength, size=size))
    painting = filled(read(style, size=chosen.size_without_photo()))
    check_visible("style", painting)
    painter = bundled()
    alpha = None if painting.alpha is None else painting.alpha[None]
    description = painter.describe(painting.batch, alpha)
    return PaintedIn(painter, description, strength=chosen.strength)


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
