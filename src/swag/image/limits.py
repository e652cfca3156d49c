"""Limits of the size of a picture, checked by its header before it is decoded."""

from collections.abc import Sequence
from dataclasses import dataclass

from swag.errors import ImageError

MAX_PIXELS = 178_956_970
"""Most pixels of a picture held as a whole, as bytes or as numbers, unless the caller gives a
limit: 512 MiB of 8 bits in 3 channels, where Pillow, too, draws the line."""

MOST_PIXELS = 1 << 30
"""The limit for a file that is made smaller while it is read strip by strip."""

LARGE_PIXELS = 1 << 24
"""Pixels above which files are read in the way that takes the least memory."""

BYTES_PER_PIXEL = 16
"""Bytes of a file for each of its pixels: four samples of 32 bits; no picture needs more ..."""

BYTES_BESIDES = 16 << 20
"""... than these and its metadata."""

MAX_PROFILE_BYTES = 4 << 20
"""Bytes of a color profile that is used."""


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


def check_inner(name: str, outer: Sequence[int], inner: Sequence[int]) -> None:
    """Refuse a picture that is larger than its header says: ImageError."""
    if inner[0] > outer[0] or inner[1] > outer[1]:
        raise ImageError(
            f"{name} is damaged: its header says {outer[0]} x {outer[1]} pixels, its data "
            f"{inner[0]} x {inner[1]}"
        )


def most_bytes(width: int, height: int) -> int:
    """Bytes that the file of a picture of this size may have."""
    return BYTES_PER_PIXEL * width * height + BYTES_BESIDES


def truncated(name: str, rows: int, height: int) -> ImageError:
    """The error of a file that fills only so many of its rows."""
    return ImageError(f"{name} is truncated: its data ends after row {rows} of {height}")


def truncated_within(name: str, top: int, bottom: int, height: int) -> ImageError:
    """The same error if only the rows of the segment that is too short are known."""
    return ImageError(
        f"{name} is truncated: its data ends within rows {top + 1} to {bottom} of {height}"
    )
