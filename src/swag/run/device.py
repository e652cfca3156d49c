"""The device of a run."""

import torch

from swag.errors import SettingsError


def device_of(name: str) -> torch.device:
    """The device of this name; `auto` is CUDA, else Metal, else the processor.

    Raises:
        SettingsError: no such device here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
        if torch.backends.mps.is_available():
            name = "mps"
    try:
        device = torch.empty(0, device=name).device
        float(torch.ones(1, device=device) + 1)  # meta has no numbers
    except Exception as error:  # a back end that is not installed may raise anything
        raise SettingsError(
            f"device {name[:50]!r} is not there; use {', '.join(_present())}"
        ) from error
    return device


def _present() -> list[str]:
    """The devices that can be named here."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return ["auto", "cpu", *(name for name, present in there.items() if present)]
