"""Where a run computes."""

import torch

from swag.errors import SettingsError


def devices_beside(device: torch.device, name: str) -> list[torch.device]:
    """All GPUs, the given one first, where the choice was left to the program and it took one."""
    if name != "auto" or device.type != "cuda":
        return [device]
    every = [torch.device("cuda", number) for number in range(torch.cuda.device_count())]
    return [device, *(other for other in every if other.index != (device.index or 0))]


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
