"""Where a run computes."""

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
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise SettingsError(f"device {name!r} is not there; use auto, cpu, cuda or mps") from error
