"""Pictures, before and after their colors are known."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from swag.errors import ImageError

MAX_PIXELS = 178_956_970
"""Pixels that a picture may have unless the caller says otherwise, which is held as a whole, as
bytes or as numbers: 512 MiB of 8 bits in 3 channels, where Pillow, too, draws the line."""

MOST_PIXELS = 1 << 30
"""The limit for a file that is made smaller while it is read strip by strip."""

LARGE_PIXELS = 1 << 24
"""Above so many pixels memory counts, and files are read in the way that takes the least of it."""

STRIP_PIXELS = 1 << 20
"""The pixels of a strip: some tens of megabytes while they are converted, and still long rows of
work for each call."""

MAX_PROFILE_BYTES = 4 << 20
"""Bytes of a color profile that is used."""

Array = NDArray[Any]
"""Numbers of any type: pictures in files have many."""

ColorModel = Literal["gray", "rgb", "cmyk", "lab"]


@dataclass(frozen=True, eq=False, repr=False)
class Picture:
    """A picture: sRGB values in [0, 1], and its opacity in [0, 1] if it has one.

    A notebook shows it.
    """

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

    def array(self) -> NDArray[np.float32]:
        """The picture as an array (height, width, 3 or 4), clamped to [0, 1]."""
        layers = [self.pixels] if self.alpha is None else [self.pixels, self.alpha]
        joined = torch.cat([layer.detach().float().cpu() for layer in layers])
        values: NDArray[np.float32] = joined.clamp(0, 1).permute(1, 2, 0).numpy()
        return values

    def pil(self) -> Image.Image:
        """The picture as one of Pillow's, RGB or RGBA, with 8 bits."""
        return Image.fromarray((self.array() * 255).round().astype(np.uint8))

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        file = io.BytesIO()
        self.pil().save(file, "PNG")
        return file.getvalue()

    def __repr__(self) -> str:
        width, height = self.size
        return f"Picture({width} x {height}{'' if self.alpha is None else ', with alpha'})"


@dataclass(frozen=True, eq=False)
class Raster:
    """Rows of samples as a file holds them, scaled to nothing yet: unsigned integers, or floats in
    [0, 1]."""

    samples: Array
    colors: ColorModel
    alpha: Array | None = None
    profile: bytes | None = None


@dataclass(frozen=True, eq=False)
class Stored:
    """A picture as its file stores it: strips of all its rows, from the top, that can be had once.

    `orientation` is the EXIF number that says how the stored rows are turned.
    """

    height: int
    width: int
    strips: Iterator[Raster]
    orientation: int = 1


def of_samples(samples: Array, profile: bytes | None = None) -> Raster:
    """Gray or RGB samples, of which an even number ends in alpha, as a raster."""
    colors = 1 if samples.shape[2] < 3 else 3
    alpha = samples[..., colors] if colors < samples.shape[2] else None
    return Raster(samples[..., :colors], "gray" if colors == 1 else "rgb", alpha, profile)


def strip_bounds(height: int, width: int, *, multiple: int = 1) -> Iterator[tuple[int, int]]:
    """The strips of a picture: their first row, a multiple of `multiple`, and the one after it."""
    step = multiple * max(1, STRIP_PIXELS // width // multiple)
    for top in range(0, height, step):
        yield top, min(top + step, height)


def sliced(height: int, width: int, rows: Callable[[int, int], Raster]) -> Iterator[Raster]:
    """The strips of a picture of which any `rows`, from one to before another, can be had."""
    return (rows(top, bottom) for top, bottom in strip_bounds(height, width))


@dataclass(frozen=True)
class Limits:
    """Pixels of a picture that is held as a whole, and of a file that is read strip by strip."""

    whole: int = MAX_PIXELS
    strips: int = MOST_PIXELS

    @classmethod
    def of(cls, max_pixels: int | None, *, smaller: bool) -> "Limits":
        """The limits for a caller's `max_pixels`; `smaller`: pictures are reduced."""
        if max_pixels is not None:
            return cls(max_pixels, max_pixels)
        return cls() if smaller else cls(strips=MAX_PIXELS)


def check_size(name: str, width: int, height: int, max_pixels: int) -> None:
    """Refuse a picture without pixels, or with more than `max_pixels`: ImageError."""
    if width < 1 or height < 1:
        raise ImageError(f"{name} has no pixels ({width} x {height})")
    if width * height > max_pixels:
        raise ImageError(
            f"{name} has {width} x {height} pixels, more than the limit of {max_pixels}; "
            "shrink it, or raise the limit (--max-pixels, max_pixels=)"
        )


def to_unit(samples: Array, name: str) -> Array:
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
