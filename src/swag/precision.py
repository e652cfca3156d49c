"""Precision: computations that need float64, and passes for which bfloat16 suffices."""

import torch
from torch import Tensor

NARROW_DEVICES = ("cpu", "cuda")
"""Devices on which passes in bfloat16 are tested; Metal uses float32."""


def to_float64(value: Tensor) -> Tensor:
    """The value in float64, so that constants outside float32 do not underflow; Metal: float32."""
    return value.float() if value.device.type == "mps" else value.double()


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions that make products in bfloat16 faster than in float32.

    This is not timed, so that a machine gives the same answer each time. CPUs need AVX-512 BF16 or
    AMX: one that emulates bfloat16 is slower than with float32. Torch does not report ARM's
    instructions, so that ARM counts as having none.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and any(map(_cpu_supports, ("avx512_bf16", "amx_tile")))


def _cpu_supports(feature: str) -> bool:
    """Whether torch reports this feature of the CPU, by one of its private functions."""
    check = getattr(torch.cpu, f"_is_{feature}_supported", None)
    return check is not None and bool(check())
