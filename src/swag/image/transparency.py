"""Hidden colors: those that files hold where a picture is transparent."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from swag.errors import SettingsError
from swag.image.picture import Picture

HIDDEN = 0.5 / 255
"""Alpha below which colors are hidden: with 8 bits it would be written as 0."""


def check_visible(name: str, picture: Picture) -> None:
    """SettingsError if nothing of a picture is visible; `name` says what it is for."""
    if picture.alpha is not None and not bool((picture.alpha >= HIDDEN).any()):
        raise SettingsError(
            f"{name} is transparent everywhere; give a picture that shows something"
        )


def filled(picture: Picture) -> Picture:
    """The picture with its hidden colors replaced by what is visible around them.

    Visible pixels stay as they are. The others are taken from the nearest of ever coarser
    averages, weighted by alpha, in which something is visible (pull-push: Gortler, Grzeszczuk,
    Szeliski and Cohen, "The lumigraph", 1996). What was hidden has no influence, to the bit. In a
    picture of which nothing is visible, everything is black.
    """
    if picture.alpha is None or bool((picture.alpha >= HIDDEN).all()):
        return picture
    weight = torch.where(picture.alpha >= HIDDEN, picture.alpha, 0.0)[None]
    colors = torch.where(weight > 0, picture.batch, 0.0)
    return replace(picture, pixels=_filled(colors, weight)[0])


def _filled(colors: Float[Tensor, "1 3 h w"], weight: Float[Tensor, "1 1 h w"]) -> Tensor:
    if max(weight.shape) == 1 or bool((weight > 0).all()):
        return colors
    coarse_weight = _halved(weight)
    summed = _halved(colors * weight)
    coarse = torch.where(coarse_weight > 0, summed / coarse_weight, 0.0).clamp(0, 1)
    around = interpolate(_filled(coarse, coarse_weight), weight.shape[2:], mode="bilinear")
    return torch.where(weight > 0, colors, around)


def _halved(layers: Float[Tensor, "1 c h w"]) -> Float[Tensor, "1 c new_h new_w"]:
    return avg_pool2d(layers, 2, ceil_mode=True, count_include_pad=False)
