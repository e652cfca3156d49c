"""TIFF, written strip by strip by tifffile, which is given each of them compressed."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import IO

import imagecodecs
import tifffile

from swag.image.color_management import srgb_profile
from swag.image.metadata import XMP, as_description, xmp_of
from swag.image.raster import Array, Samples, strip_bounds

_XMP_TAG = 700
_STRIP_BYTES = 1 << 18  # of a strip before it is compressed, as tifffile chooses by itself
_CLASSIC_BYTES = (1 << 32) - (1 << 25)  # what may outgrow the numbers of a TIFF of 1992


def encode(samples: Samples, text: Mapping[str, str], file: IO[bytes]) -> None:
    """Write RGB or RGBA of 8 or 16 bits, with an sRGB profile and texts."""
    height, width, channels = samples.shape
    row = width * channels * samples.dtype.itemsize
    rows = min(height, max(1, _STRIP_BYTES // row))
    tifffile.imwrite(
        file,
        _compressed(samples, rows),
        shape=samples.shape,
        dtype=samples.dtype,
        bigtiff=height * row > _CLASSIC_BYTES,
        rowsperstrip=rows,
        photometric="rgb",
        extrasamples=["unassalpha"] if channels == 4 else None,
        compression="adobe_deflate",
        predictor=True,
        iccprofile=srgb_profile(),
        description=as_description(text) if text.keys() - {XMP} else None,
        extratags=[(_XMP_TAG, "B", len(xmp), xmp, True)] if (xmp := xmp_of(text)) else None,
        metadata=None,
        software=False,
    )


def _compressed(samples: Samples, rows: int) -> Iterator[bytes]:
    """The file's strips, of so many rows each, compressed several at a time."""
    height, width, _ = samples.shape
    with ThreadPoolExecutor(tifffile.TIFF.MAXWORKERS) as pool:
        for top, bottom in strip_bounds(height, width, multiple=rows):
            strip = samples.rows(top, bottom)
            parts = (strip[first : first + rows] for first in range(0, len(strip), rows))
            yield from pool.map(_deflated, parts)


def _deflated(strip: Array) -> bytes:
    """A strip compressed as tifffile does it: the differences of columns by libdeflate."""
    return bytes(imagecodecs.deflate_encode(imagecodecs.delta_encode(strip, axis=-2).tobytes()))
