"""Arithmetic of flat tensors that are too large for a second copy in memory.

Tensors in half precision are converted block by block; the blocks' sums are
added up in float64.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from swag.precision import to_float64

BLOCK = 2**22
"""Entries of a block: a picture of 1180 x 1180 pixels is one."""


def blocks(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Views of the same entries of each tensor, block by block; all have equally many."""
    flat = [tensor.flatten() for tensor in tensors]
    if flat[0].numel() <= BLOCK:
        yield tuple(flat)
    else:
        yield from zip(*(torch.split(tensor, BLOCK) for tensor in flat), strict=True)


def dot(x: Tensor, y: Tensor, precision: torch.dtype) -> Tensor:
    """The sum of products, a float64 scalar; within a block they are added in `precision`."""
    parts = [to_float64(a.to(precision) @ b.to(precision)) for a, b in blocks(x, y)]
    return parts[0] if len(parts) == 1 else torch.stack(parts).sum()


def add(x: Tensor, scale: Tensor, y: Tensor) -> None:
    """Add `scale` times `y` to `x`, which is changed; `x` is contiguous."""
    for a, b in blocks(x, y):
        a.addcmul_(b.to(a.dtype), scale.to(a.dtype))  # without a product in between
