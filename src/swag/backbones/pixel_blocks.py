"""Convolutions of the picture itself, with a faster gradient of its pixels on CPUs.

The gradient with respect to the input of a convolution is itself a convolution, with as many
outputs as there are colors. Vector units work on 16 outputs at a time, so 3 leave 13 of them idle.
Here the pixels of a block of 2 x 2 are the outputs, 12 of 16, each with its part of the kernel:
the same gradient in half the time, or less.
"""

from typing import Any, TypeGuard

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from swag.backbones.folding import is_plain_convolution

Sides = tuple[int, int]
"""Rows and columns."""

Kernel = Float[Tensor, "o c _h _w"]

COLORS = 3

BLOCK = 2
"""Side of a block, in pixels."""


def in_blocks(module: nn.Module) -> nn.Module:
    """Replace convolutions of three channels by `PixelConvolution`, in place.

    Unchanged are subclasses and hooked ones, whose weights may change at each pass, and those
    whose stride does not divide a block. On other devices, or if the weights have gradients,
    a `PixelConvolution` is computed like any other.
    """
    for name, conv in list(module.named_modules()):
        if name and _fits(conv):
            module.set_submodule(name, PixelConvolution(conv))
    return module


def _fits(conv: nn.Module) -> TypeGuard[nn.Conv2d]:
    return (
        is_plain_convolution(conv)
        and not conv._forward_hooks
        and (conv.in_channels, conv.groups, conv.dilation) == (COLORS, 1, (1, 1))
        and conv.stride in {(1, 1), (BLOCK, BLOCK)}
        and not isinstance(conv.padding, str)
    )


class PixelConvolution(nn.Conv2d):
    """A convolution of three channels that shares its weights with the one it replaces."""

    def __init__(self, conv: nn.Conv2d) -> None:
        (height, width), (down, right) = conv.kernel_size, conv.stride
        rows, columns = (int(side) for side in conv.padding)
        super().__init__(
            conv.in_channels,
            conv.out_channels,
            (height, width),
            (down, right),
            padding=(rows, columns),
            bias=conv.bias is not None,
            padding_mode=conv.padding_mode,
            device="meta",
        )
        self.weight, self.bias = conv.weight, conv.bias
        self.train(conv.training)
        if folded_into := getattr(conv, "folded_into", None):
            self.folded_into = folded_into

    def forward(self, pixels: Tensor) -> Tensor:
        """Run the convolution."""
        if pixels.device.type != "cpu" or not pixels.requires_grad or self.weight.requires_grad:
            return super().forward(pixels)
        rows, columns = (int(side) for side in self.padding)
        if self.padding_mode != "zeros":
            pixels = F.pad(pixels, (columns, columns, rows, rows), mode=self.padding_mode)
            rows = columns = 0
        convolved: Tensor = _Convolution.apply(
            pixels, self.weight, self.bias, self.stride[0], (rows, columns)
        )
        return convolved


class _Convolution(torch.autograd.Function):
    """A convolution whose gradient is computed for all pixels of a block at once, by `kernel`."""

    @staticmethod
    def forward(
        ctx: Any, pixels: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: Sides
    ) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.stride, ctx.padding = stride, padding
        ctx.size, ctx.dtype = pixels.shape[-2:], pixels.dtype
        return F.conv2d(pixels, weight, bias, stride, padding=padding)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (weight,) = ctx.saved_tensors
        block_kernel, step = kernel(weight, ctx.stride).to(gradient.dtype), BLOCK // ctx.stride
        padding = _outputs_before(weight, ctx.stride)
        extra = []  # padding for the last blocks, beyond that on both sides
        for axis in (0, 1):
            count = -(-(ctx.size[axis] + 2 * ctx.padding[axis]) // BLOCK)
            extent = (count - 1) * step + block_kernel.shape[2 + axis]
            extra.append(max(0, extent - gradient.shape[2 + axis] - 2 * padding[axis]))
        if any(extra):
            gradient = F.pad(gradient, (0, extra[1], 0, extra[0]))
        blocks = F.conv2d(gradient, block_kernel, stride=step, padding=padding)
        (top, left), (height, width) = ctx.padding, ctx.size
        pixels = F.pixel_shuffle(blocks, BLOCK)[..., top : top + height, left : left + width]
        return pixels.to(ctx.dtype), None, None, None, None


def kernel(weight: Kernel, stride: int) -> Float[Tensor, "4*c o _h _w"]:
    """The kernel that maps the gradient of the outputs to that of blocks of pixels.

    Output u of a convolution of stride s reads the pixels s u + k for all k of its kernel. So pixel
    2 q + i, the i-th of block q, has its gradient from the outputs (2 q + i - k) / s, if that is
    whole: in steps of 2 / s from block to block, t outputs further at k = i - s t.
    """
    outputs_before, step = _outputs_before(weight, stride), BLOCK // stride
    taps = []
    for count, size in zip(outputs_before, weight.shape[-2:], strict=True):
        offsets = torch.arange(step + count, device=weight.device) - count
        k = torch.arange(BLOCK, device=weight.device)[:, None] - stride * offsets
        taps.append(k.where((k >= 0) & (k < size), size))  # outside: one past the end, which is 0
    rows, columns = taps
    extended = F.pad(weight, (0, 1, 0, 1))
    parts = extended[:, :, rows[:, None, :, None], columns[None, :, None, :]]  # o c 2 2 h w
    transposed = parts.permute(1, 2, 3, 0, 4, 5).flatten(0, 2)
    return transposed.contiguous(memory_format=torch.channels_last)


def _outputs_before(weight: Kernel, stride: int) -> Sides:
    """The numbers of outputs, in rows and columns, before a block's own that read its pixels."""
    rows, columns = ((size - 1) // stride for size in weight.shape[-2:])
    return rows, columns
