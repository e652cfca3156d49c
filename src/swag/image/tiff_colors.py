"""Colors of a TIFF, of every kind and depth that is read, from the samples that it stores."""

from typing import Any

import numpy as np

from swag.image.picture import Array, ColorModel, Raster
from swag.messages import one_line

COLORS: dict[str, tuple[ColorModel, int]] = {
    "MINISWHITE": ("gray", 1),
    "MINISBLACK": ("gray", 1),
    "RGB": ("rgb", 3),
    "PALETTE": ("rgb", 1),
    "YCBCR": ("rgb", 3),  # by JPEG alone, whose decoder turns it into RGB
    "SEPARATED": ("cmyk", 4),
    "CIELAB": ("lab", 3),
}
"""Of each photometric interpretation the colors, and how many samples of a pixel they take."""


def photometric_of(page: Any) -> str:
    """The name of a page's photometric interpretation."""
    return word(page.photometric)


def word(value: Any) -> str:
    """The name of a tag's value: unknown numbers stay numbers."""
    return one_line(getattr(value, "name", value))


def raster_of(page: Any, samples: Array, profile: bytes | None) -> Raster:
    """Samples of a page (rows, width, samples of a pixel) as colors, with the alpha if there is
    one; samples beyond these are left out."""
    kind = photometric_of(page)
    colors, count = COLORS[kind]
    if kind != "PALETTE":
        samples = _full_range(samples, page.bitspersample)
    color = samples[..., :count]
    extra_kind = int(page.extrasamples[0]) if page.extrasamples else 0
    alpha = samples[..., count] if extra_kind in (1, 2) else None
    if kind == "PALETTE":
        color = _from_palette(color[..., 0], page.colormap)
    elif kind == "MINISWHITE":
        color = _largest(color) - color
    elif kind == "CIELAB":  # signed a and b; LittleCMS wants them offset
        color = color ^ np.array([0, 128, 128], np.uint8)
    if alpha is not None and extra_kind == 1:
        color = _unassociated(color, alpha)
    return Raster(color, colors, alpha, profile)


def _largest(samples: Array) -> Any:
    return 1 if samples.dtype.kind == "f" else np.iinfo(samples.dtype).max


def _full_range(samples: Array, bits: int) -> Array:
    """Stretch numbers of `bits` bits over the range of their type; single bits become bytes."""
    if samples.dtype.kind == "b":
        return samples * np.uint8(255)
    if samples.dtype.kind == "f" or bits == 8 * samples.dtype.itemsize:
        return samples
    stretched: Array = np.rint(samples * (_largest(samples) / (2**bits - 1)))
    return stretched.astype(samples.dtype)


def _from_palette(indices: Array, palette: Array) -> Array:
    """Colors of 8 bits: writers disagree about the lower half of a palette's 16, and some, against
    the rules, use no other."""
    table = (palette >> (8 if palette.max() > 255 else 0)).astype(np.uint8)
    return np.moveaxis(table[:, indices.astype(np.intp)], 0, -1)


def _unassociated(color: Array, alpha: Array) -> Array:
    """Colors that were stored multiplied by their alpha, as they were before."""
    largest = _largest(color)
    share = np.where(alpha > 0, alpha / largest, 1.0)[..., None]
    straight: Array = np.clip(color / share, 0, largest)
    straight = np.rint(straight) if largest > 1 else straight
    return straight.astype(color.dtype)
