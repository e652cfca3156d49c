"""Checks of tensors from callers, whose shapes would otherwise be guessed."""

import torch
from torch import Tensor

from swag.errors import BackboneError, SettingsError

LARGEST = 16.0
"""Absolute value above which a picture is taken for bytes, 0 to 255."""


def check_maps(maps: object, name: str) -> None:
    """Raise SettingsError unless these are floating-point maps: batch, channels, rows, columns."""
    if not isinstance(maps, Tensor):
        raise SettingsError(f"{name} was given {type(maps).__name__}; expected a tensor")
    if maps.ndim != 4:
        hint = "; one picture is a batch of one: give maps[None]" if maps.ndim == 3 else ""
        raise SettingsError(
            f"{name} was given a tensor of shape {tuple(maps.shape)}; expected batch, channels, "
            f"rows, columns{hint}"
        )
    if not maps.is_floating_point():
        raise SettingsError(
            f"{name} was given a tensor of type {maps.dtype}; expected floating point"
        )


def check_pictures(image: object, *, like: Tensor | None, name: str) -> None:
    """Raise BackboneError unless `image` is a batch of sRGB pictures for a network.

    `like` is a weight of the network, on its device and in its precision. Only pictures that need a
    gradient may exceed `LARGEST`.
    """
    if not isinstance(image, Tensor):
        raise BackboneError(
            f"{name} was given {type(image).__name__}; expected a tensor of sRGB pictures: batch, "
            "3, rows, columns"
        )
    if image.ndim != 4 or image.shape[1] != 3:
        hint = "; one picture is a batch of one: give image[None]" if image.ndim == 3 else ""
        raise BackboneError(
            f"{name} was given a tensor of shape {tuple(image.shape)}; expected batch, 3, rows, "
            f"columns{hint}"
        )
    if not image.is_floating_point():
        raise BackboneError(
            f"{name} was given pictures of type {image.dtype}; expected sRGB in [0, 1]: divide "
            "bytes by 255"
        )
    if like is not None and like.device != image.device:
        raise BackboneError(
            f"{name} is on {like.device} and was given pictures on {image.device}; move one of "
            "them with .to(device)"
        )
    autocast = torch.is_autocast_enabled(image.device.type)
    if like is not None and like.dtype != image.dtype and not autocast:
        raise BackboneError(
            f"{name} computes in {like.dtype} and was given pictures in {image.dtype}; convert "
            "one of them with .to(dtype)"
        )
    if not image.requires_grad and image.numel() and image.device.type != "meta":
        largest = max(abs(float(value)) for value in image.aminmax())
        if largest > LARGEST:
            raise BackboneError(
                f"{name} was given pictures with values up to {largest:g}; expected sRGB in "
                "[0, 1]: divide by 255"
            )
