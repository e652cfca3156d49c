"""The device of a run."""

import torch

from swag.errors import SettingsError


def device_of(name: str) -> torch.device:
    """The device of this name; `auto` is Metal, else CUDA, else the processor.

    Raises:
        SettingsError: this machine has no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
        if torch.backends.mps.is_available():
            name = "mps"
    try:
        device = torch.empty(0, device=name).device
        float(torch.ones(1, device=device) + 1)  # meta has no numbers
        if device.type == "cpu" and torch.device(name).index:
            raise ValueError("torch takes any number for the one processor")
    except Exception as error:  # a back end that is not installed may raise anything
        raise SettingsError(
            f"device {name[:50]!r} is not there; use {', '.join(_present())}"
        ) from error
    return device


def _present() -> list[str]:
    """The names of devices that this machine has."""
    is_available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return ["auto", "cpu", *(name for name, present in is_available.items() if present)]
