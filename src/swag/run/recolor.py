"""Whose colors the result has: what is done to the pictures before a run, and to its result.

Gatys, Bethge, Hertzmann and Shechtman, "Preserving color in neural artistic style transfer",
2016: the colors of the style are matched to the photo's before, or the run sees luminance alone
and the photo's colors come back at its end.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from torch import Tensor

from swag.colors import luminance, match, match_luminance, with_colors_of
from swag.config import Settings
from swag.errors import SettingsError
from swag.image import Picture, resize
from swag.run.inputs import Inputs

MATCHING_METHODS = {
    "match": "symmetric",
    "match-cholesky": "cholesky",
    "match-histogram": "histogram",
}
PHOTO_COLOR_SPACES = {"content": "oklab", "content-linear": "linear"}

Finish = Callable[[Tensor], Tensor]
"""A function from a run's picture to the one that is shown."""


def recolored(settings: Settings, inputs: Inputs) -> tuple[Inputs, Finish | None]:
    """The pictures that the run computes with, and the `Finish` of its result, if it needs one.

    SettingsError if the photo's colors are asked for and there is no photo.
    """
    if settings.colors == "style":
        return inputs, None
    photo = inputs.photo
    if photo is None:
        raise SettingsError(
            f"colors = {settings.colors}: there is no content picture to take colors from; "
            "use colors = style"
        )
    if settings.colors in MATCHING_METHODS:
        method = MATCHING_METHODS[settings.colors]
        return _recolor_paintings(inputs, lambda style: match(style, photo.batch, method)), None
    space = PHOTO_COLOR_SPACES[settings.colors]
    gray = replace(photo, pixels=luminance(photo.batch)[0])
    adjusted = _recolor_paintings(inputs, lambda style: match_luminance(style, photo.batch))
    return replace(adjusted, photo=gray), partial(_with_colors, photo=photo, space=space)


def _with_colors(result: Tensor, *, photo: Picture, space: str) -> Tensor:
    rows, columns = result.shape[-2:]
    return with_colors_of(result, resize(photo.batch, (rows, columns)).clamp(0, 1), space)


def _recolor_paintings(inputs: Inputs, recolor: Callable[[Tensor], Tensor]) -> Inputs:
    paintings = (replace(picture, pixels=recolor(picture.batch)[0]) for picture in inputs.paintings)
    return replace(inputs, paintings=tuple(paintings))
