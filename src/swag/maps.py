"""Checks of tensors from callers, whose shapes would otherwise be guessed."""

from torch import Tensor

from swag.errors import SettingsError


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
