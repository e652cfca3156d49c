"""Precision: computations that float32 is too narrow for, and passes that bfloat16 suffices for."""

import torch
from torch import Tensor

NARROW_DEVICES = ("cpu", "cuda")
"""Devices on which passes in bfloat16 are tested; Metal uses float32."""


def to_float64(value: Tensor) -> Tensor:
    """In float64, so that constants far outside float32 do not underflow; Metal has none."""
    return value.float() if value.device.type == "mps" else value.double()


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether products in bfloat16 are faster than in float32 there, by what the device can do.

    Not by a stopwatch: the same machine has to answer alike each time. A processor that emulates
    bfloat16 takes longer than with float32, and so has none here: instructions for it are asked
    for, AVX-512 BF16 or AMX. Those of ARM are not known to torch, so that it has none either.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and any(map(_says, ("avx512_bf16", "amx_tile")))


def _says(feature: str) -> bool:
    """Whether torch finds this of the processor; it has private names for the question."""
    found = getattr(torch.cpu, f"_is_{feature}_supported", None)
    return found is not None and bool(found())
