"""Where float32 is too narrow."""

from torch import Tensor


def widened(value: Tensor) -> Tensor:
    """In float64, so that constants far outside float32 do not underflow; Metal has none."""
    return value if value.device.type == "mps" else value.double()
