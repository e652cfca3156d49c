"""What a picture is, before and after its colours are known."""

import textwrap
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from swag.errors import ImageError

MAX_PIXELS = 178_956_970
"""Pixels that a picture may declare unless the caller says otherwise: a 512 MiB picture of 8 bits
in 3 channels, where Pillow, too, draws the line."""

Array = NDArray[Any]
"""Numbers of any type: pictures in files have many."""

Colours = Literal["gray", "rgb", "cmyk", "lab"]


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture: sRGB values in [0, 1], and its opacity in [0, 1] where it has one."""

    pixels: Float[Tensor, "3 h w"]
    alpha: Float[Tensor, "1 h w"] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.pixels.shape[2], self.pixels.shape[1]

    @property
    def batch(self) -> Float[Tensor, "1 3 h w"]:
        """The pixels as a batch of one picture."""
        return self.pixels[None]


@dataclass(frozen=True, eq=False)
class Raster:
    """Samples as a file holds them, scaled to nothing yet: unsigned integers, or floats in [0, 1].

    The rows are the stored ones: `orientation` is the EXIF number that says how they are turned.
    """

    samples: Array
    colours: Colours
    alpha: Array | None = None
    profile: bytes | None = None
    orientation: int = 1


def check_size(name: str, width: int, height: int, max_pixels: int) -> None:
    """Refuse a picture without pixels, or with more than `max_pixels`: ImageError."""
    if width < 1 or height < 1:
        raise ImageError(f"{name} has no pixels ({width} x {height})")
    if width * height > max_pixels:
        raise ImageError(
            f"{name} has {width} x {height} pixels, more than the limit of {max_pixels}; "
            "shrink it, or raise the limit (max_pixels)"
        )


def unit(samples: Array, name: str) -> Array:
    """Samples as float32 in [0, 1]: integers are divided by their largest value.

    Floats must already lie there, up to 0.001 of rounding, which is clamped: ImageError otherwise.
    """
    if samples.dtype.kind == "b":
        return samples.astype(np.float32)
    if samples.dtype.kind == "u":
        largest = np.iinfo(samples.dtype).max
        wide = np.float64 if samples.dtype.itemsize > 2 else np.float32
        scaled: Array = np.divide(samples, wide(largest), dtype=wide)
        return scaled.astype(np.float32, copy=False)
    if samples.dtype.kind != "f":
        raise ImageError(
            f"{name} has values of type {samples.dtype}; expected unsigned integers, or floats in "
            "[0, 1]"
        )
    low, high = float(samples.min()), float(samples.max())
    if not (low >= -1e-3 and high <= 1 + 1e-3):  # false for NaN, too
        raise ImageError(
            f"{name} has values from {low:g} to {high:g}; expected floats in [0, 1]: scale or "
            "clamp them first"
        )
    return samples.astype(np.float32).clip(0, 1)


def one_line(error: object) -> str:
    """A message of another library on one short line, or its kind where it has no words."""
    return textwrap.shorten(str(error), 200, placeholder=" ...") or type(error).__name__
