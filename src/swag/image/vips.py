"""Large PNG and JPEG by libvips, which decodes row by row; if the extra `large` is installed.

Its samples are those of Pillow and imagecodecs to the bit, as it has the same decoders. Formats are
told, sizes and metadata read as ever before it is asked, and its loader is called by name, so that
it, too, starts no other decoder.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
from PIL.Image import Image

from swag.errors import ImageError
from swag.image.complete import has_end, is_flat, truncated_within
from swag.image.raster import Raster, of_samples, sliced, strip_bounds
from swag.image.source import File

_LOADERS = {"PNG": "pngload_source", "JPEG": "jpegload_source"}


def can_read(kind: str, image: Image) -> bool:
    """Whether a file of this format and header can be decoded row by row, by whoever is there."""
    whole = {"PNG": "interlace", "JPEG": "progressive"}
    return kind in whole and not image.info.get(whole[kind])


@cache
def is_there() -> bool:
    """Whether libvips can be used: its binding and its library are installed."""
    try:
        import pyvips  # noqa: F401
    except (ImportError, OSError):
        return False
    return True


def strips(file: File, kind: str, image: Image, name: str) -> Iterator[Raster]:
    """Decode a file strip by strip; `image` is what Pillow read of its header."""
    rows, strip = _rows(file, kind, image, "truncated"), None
    for strip in sliced(image.height, image.width, rows):
        yield strip
    if kind == "JPEG" and strip is not None and (is_flat(strip.samples) or not has_end(file)):
        _check_jpeg(_rows(file, kind, image, "warning"), image, name)


def _rows(file: File, kind: str, image: Image, fail_on: str) -> Callable[[int, int], Raster]:
    """Rows of a file, to be asked for from the top."""
    import pyvips

    source = _source(file)
    loaded = pyvips.Operation.call(_LOADERS[kind], source, access="sequential", fail_on=fail_on)
    if (loaded.width, loaded.height) != image.size:
        raise ImageError(
            f"its header says {image.size} pixels, its data {loaded.width} x {loaded.height}"
        )
    region = pyvips.Region.new(loaded)
    dtype = {"uchar": np.uint8, "ushort": np.uint16}[loaded.format]
    profile = image.info.get("icc_profile")

    def rows(top: int, bottom: int) -> Raster:
        assert source.pointer  # its handlers are called as long as it is referred to
        data = region.fetch(0, top, loaded.width, bottom - top)
        samples = np.frombuffer(data, dtype).reshape(bottom - top, loaded.width, loaded.bands)
        if image.mode == "CMYK":
            return Raster(samples, "cmyk", None, profile)
        return of_samples(samples, profile)

    return rows


def _check_jpeg(rows: Callable[[int, int], Raster], image: Image, name: str) -> None:
    """Refuse a JPEG whose data end before its last row, by what libjpeg then warns of."""
    import pyvips

    for top, bottom in strip_bounds(image.height, image.width):
        try:
            rows(top, bottom)
        except pyvips.Error as error:
            if "premature end of data" not in str(error):
                return
            raise truncated_within(name, top, bottom, image.height) from error


def _source(file: File) -> Any:
    """A source of libvips that begins where the file does, whatever was read of it.

    An exception that leaves a handler is printed by cffi: a file that cannot be read ends there.
    """
    import pyvips

    def read(size: int) -> bytes | None:
        try:
            return file.read(size) or None
        except (OSError, ValueError):
            return None

    file.seek(0)
    source = pyvips.SourceCustom()
    source.on_read(read)
    source.on_seek(file.seek)
    return source
