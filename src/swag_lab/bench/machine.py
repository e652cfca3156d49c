"""The machine on which a measurement was made."""

import os
import platform
from pathlib import Path

import torch
import torchvision

from swag import __version__


def machine(device: torch.device) -> dict[str, str]:
    """Processor, device, system, numbers of cores and threads, and versions, as text."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "threads": str(torch.get_num_threads()),
        "device": name,
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "swag": __version__,
    }


def _processor() -> str:
    """The name of the processor, as Linux gives it, or else as Python does."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
