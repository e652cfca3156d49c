"""Pictures: as files store them, and as sRGB."""

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

_ORIENTATION = 0x0112

STRIP_PIXELS = 1 << 20
"""The pixels of a strip: some tens of megabytes while they are converted, and still long rows of
work for each call."""

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
    """Rows of samples as a file holds them, not scaled yet: unsigned integers, or floats in
    [0, 1]."""

    samples: Array
    colors: ColorModel
    alpha: Array | None = None
    profile: bytes | None = None


@dataclass(frozen=True)
class Header:
    """What the header of a PNG or JPEG says: size in pixels, colors, how the rows are turned.

    `by_rows`: the rows stand in the file one after the other, neither interlaced nor progressive.
    """

    width: int
    height: int
    by_rows: bool
    profile: bytes | None
    orientation: int
    note: str = ""


@dataclass(frozen=True, eq=False)
class Stored:
    """A picture as its file stores it: strips of all its rows, from the top, to be read once.

    `orientation` is the EXIF number that says how the stored rows are turned, and `notes` are
    warnings for the reader.
    """

    height: int
    width: int
    strips: Iterator[Raster]
    orientation: int = 1
    notes: tuple[str, ...] = ()


def of_samples(samples: Array, profile: bytes | None = None) -> Raster:
    """Samples (rows, width, channels) as a raster: gray or RGB, the last of 2 or 4 is alpha."""
    channels = 1 if samples.shape[2] < 3 else 3
    alpha = samples[..., channels] if channels < samples.shape[2] else None
    return Raster(samples[..., :channels], "gray" if channels == 1 else "rgb", alpha, profile)


def exif_of(data: object) -> Image.Exif:
    """The Exif fields in bytes; none if they are damaged, or `data` is something else."""
    exif = Image.Exif()
    if isinstance(data, bytes):
        try:
            exif.load(data)
        except Exception:  # Pillow documents none
            return Image.Exif()
    return exif


def orientation_of(exif: Image.Exif) -> int:
    """The EXIF number of a picture's orientation, 1 if there is none."""
    value = exif.get(_ORIENTATION, 1)
    return value if isinstance(value, int) else 1


def strip_bounds(height: int, width: int, *, multiple: int = 1) -> Iterator[tuple[int, int]]:
    """For each strip its first row, a multiple of `multiple`, and the row after its last one."""
    step = multiple * max(1, STRIP_PIXELS // width // multiple)
    for top in range(0, height, step):
        yield top, min(top + step, height)


def sliced(height: int, width: int, rows: Callable[[int, int], Raster]) -> Iterator[Raster]:
    """The strips of a picture; `rows(top, bottom)` returns its rows from top to before bottom."""
    return (rows(top, bottom) for top, bottom in strip_bounds(height, width))


def to_unit(samples: Array, name: str) -> Array:
    """Samples as float32 in [0, 1]: integers are divided by their largest value.

    Floats must already lie there, up to 0.001 of rounding, which is clamped: ImageError otherwise.
    """
    if samples.dtype.kind == "b":
        return samples.astype(np.float32)
    if samples.dtype.kind == "u":
        largest = np.iinfo(samples.dtype).max
        dtype = np.float64 if samples.dtype.itemsize > 2 else np.float32
        scaled: Array = np.divide(samples, dtype(largest), dtype=dtype)
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
