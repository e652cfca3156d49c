"""Masks: a picture read as a mask, and a check of its aspect ratio."""

from swag.errors import SettingsError
from swag.image import Picture, fitted

UNIFORM = 0.06
"""How far a channel may vary over pixels of one color: in lossy files it does."""

ROUNDING = 1
"""Pixels by which the sides of two pictures of one shape may differ."""


def as_mask(picture: Picture) -> Picture:
    """The picture as a mask without alpha.

    If its visible pixels have one color and its alpha varies, the alpha is the mask, as painting
    programs save it; otherwise the colors are, on black.
    """
    alpha = picture.alpha
    if alpha is None:
        return picture
    low, high = (float(value) for value in alpha.aminmax())
    if low == high > 0:
        return Picture(picture.pixels)
    visible = picture.pixels[:, alpha[0] >= high / 2]
    if low < high and bool((visible.amax(1) - visible.amin(1) <= UNIFORM).all()):
        return Picture(alpha.expand(3, -1, -1).contiguous())
    return Picture(picture.pixels * alpha)


def check_shape(name: str, mask: Picture, picture_name: str, picture: Picture) -> None:
    """Refuse a mask of another aspect ratio than its picture: SettingsError."""
    if _same_aspect(mask.size, picture.size) or _same_aspect(picture.size, mask.size):
        return
    raise SettingsError(
        f"{name} has {' x '.join(map(str, mask.size))} pixels and {picture_name} the shape of "
        f"{' x '.join(map(str, picture.size))}; give a mask of the same aspect ratio"
    )


def _same_aspect(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether a picture of one size has the sides of the other, resized to its long side."""
    rows, columns = fitted(size[1], size[0], max(other))
    return max(abs(columns - other[0]), abs(rows - other[1])) <= ROUNDING
