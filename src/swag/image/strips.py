"""From the strips of a stored picture to one picture of numbers, of its own size or another.

The whole picture is never in memory as samples and as numbers at once, and if it is made smaller,
not at all: strips are resized in width as they come, and the result in height at the end. A whole
picture is resized like this, too, so that the numbers are the same.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from swag.errors import ImageError
from swag.image.color_management import to_srgb, usable_profile
from swag.image.limits import Limits, check_size, truncated
from swag.image.picture import Array, Picture, Stored, to_unit
from swag.image.resize import resize
from swag.image.transparency import HIDDEN, filled

_SIDEWAYS = (5, 6, 7, 8)
_INVERSE = {6: 8, 8: 6}
"""The orientation that undoes another; all that are not here undo themselves."""


def upright_size(stored: Stored) -> tuple[int, int]:
    """Height and width of a stored picture when it is turned upright."""
    size = stored.height, stored.width
    return size[::-1] if stored.orientation in _SIDEWAYS else size


def assembled(stored: Stored, name: str) -> Picture:
    """A picture of the stored one's size, turned upright."""
    pixels = np.zeros((0, 0, 0), np.float32)
    for top, strip in _converted(stored, name):
        if top == 0:
            pixels = np.zeros((strip.shape[2], *upright_size(stored)), np.float32)
        rows = _upright(
            pixels.transpose(1, 2, 0), _INVERSE.get(stored.orientation, stored.orientation)
        )
        rows[top : top + len(strip)] = strip
    return _picture(torch.from_numpy(pixels))


def resize_strips(stored: Stored, name: str, size: tuple[int, int], limits: Limits) -> Picture:
    """A picture of this height and width, turned upright.

    Colors are weighted by alpha; in transparent parts of the result they come from visible parts
    around. The picture in between, as high as the stored one and as wide as the new one, is within
    the limit, too.
    """
    if stored.orientation not in _SIDEWAYS:
        return filled(_picture(_resized(stored, name, size, limits)))
    resized = _resized(stored, name, size[::-1], limits)  # not upright yet
    turned = _upright(resized.permute(1, 2, 0).numpy(), stored.orientation)
    return filled(_picture(_tensor(turned)))


def _resized(
    stored: Stored, name: str, size: tuple[int, int], limits: Limits
) -> Float[Tensor, "c h w"]:
    """A picture resized in width strip by strip, and then in height.

    Its strips are turned upright before, unless the picture lies on its side.
    """
    height, orientation = stored.height, stored.orientation
    subject = f"{name}, on its way to {size[1]} x {size[0]} pixels,"
    check_size(subject, size[1], height, limits.whole)
    between = torch.zeros(1, 0, 0, 0)
    for top, strip in _converted(stored, name):
        first_row = height - top - len(strip) if orientation in (3, 4) else top
        layers = _tensor(strip if orientation in _SIDEWAYS else _upright(strip, orientation))[None]
        if layers.shape[1] == 4:
            layers = torch.cat([layers[:, :3] * layers[:, 3:], layers[:, 3:]], dim=1)
        if between.shape[1] == 0:
            between = layers.new_zeros(1, layers.shape[1], height, size[1])
        between[:, :, first_row : first_row + len(strip)] = resize(layers, (len(strip), size[1]))
    resized = resize(between, size)[0]
    if len(resized) == 3:
        return resized.clamp_(0, 1)
    opacity = resized[3:4].clamp(0, 1)
    colors = resized[:3] / opacity.clamp(min=HIDDEN)
    return torch.cat([colors.clamp(0, 1), opacity])


def _converted(stored: Stored, name: str) -> Iterator[tuple[int, Array]]:
    """Each strip's first row, and its sRGB colors in [0, 1] with its alpha if it has one.

    ImageError if they are not as wide, or together as high, as the picture that they are of.
    """
    top, profile = 0, None
    for strip in stored.strips:
        if top == 0:
            profile = usable_profile(strip, name)
        colors = to_srgb(replace(strip, profile=profile), name)
        if strip.alpha is not None:
            colors = np.concatenate([colors, to_unit(strip.alpha, name)[..., None]], axis=2)
        if colors.shape[1] != stored.width or top + len(colors) > stored.height:
            raise ImageError(f"{name} is damaged: rows {top + 1} and after are of another size")
        yield top, colors
        top += len(colors)
    if top < stored.height:
        raise truncated(name, top, stored.height)


def _tensor(array: Array) -> Float[Tensor, "c h w"]:
    # Always a copy: an array one pixel wide counts as contiguous though its stride is negative.
    return torch.from_numpy(array.transpose(2, 0, 1).copy())


def _picture(layers: Float[Tensor, "c h w"]) -> Picture:
    return Picture(layers[:3], layers[3:] if len(layers) == 4 else None)


def _upright(array: Array, orientation: int) -> Array:
    """Turn rows and columns as EXIF's orientation asks; numbers it does not know turn nothing."""
    if orientation in _SIDEWAYS:
        array = array.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return array
