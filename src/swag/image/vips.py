"""Large PNG and JPEG by libvips, which decodes row by row; if the extra `large` is installed.

Its samples are those of Pillow and imagecodecs to the bit, as it has the same decoders. Format,
size and metadata are read as ever before it is called, and its loader is called by name, so that
it, too, starts no other decoder.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np

from swag.errors import ImageError
from swag.image.jpeg import has_end, is_flat, with_end
from swag.image.limits import truncated_within
from swag.image.picture import Header, Raster, of_samples, sliced, strip_bounds
from swag.image.png import pixel_pieces
from swag.image.source import File

_LOADERS = {"PNG": "pngload_source", "JPEG": "jpegload_source"}


@cache
def is_available() -> bool:
    """Whether libvips can be used: its binding and its library are installed."""
    try:
        import pyvips  # noqa: F401
    except (ImportError, OSError):
        return False
    return True


def strips(file: File, kind: str, header: Header, name: str) -> Iterator[Raster]:
    """Decode a file strip by strip."""
    rows, strip = _rows(file, kind, header, "truncated"), None
    for strip in sliced(header.height, header.width, rows):
        yield strip
    if kind == "JPEG" and strip is not None and (is_flat(strip.samples) or not has_end(file)):
        _check_jpeg(_rows(file, kind, header, "warning"), header, name)


def _rows(file: File, kind: str, header: Header, fail_on: str) -> Callable[[int, int], Raster]:
    """A function that decodes rows from top to before bottom, to be called in their order."""
    import pyvips

    source = _source(file, kind)
    image = pyvips.Operation.call(_LOADERS[kind], source, access="sequential", fail_on=fail_on)
    if (image.width, image.height) != (header.width, header.height):
        raise ImageError(
            f"its header says {header.width} x {header.height} pixels, its data {image.width} x "
            f"{image.height}"
        )
    region = pyvips.Region.new(image)
    dtype = {"uchar": np.uint8, "ushort": np.uint16}[image.format]

    def rows(top: int, bottom: int) -> Raster:
        assert source.pointer  # this reference keeps the source's handlers alive
        data = region.fetch(0, top, image.width, bottom - top)
        samples = np.frombuffer(data, dtype).reshape(bottom - top, image.width, image.bands)
        if kind == "JPEG" and image.bands == 4:
            return Raster(samples, "cmyk", None, header.profile)
        return of_samples(samples, header.profile)

    return rows


def _check_jpeg(rows: Callable[[int, int], Raster], header: Header, name: str) -> None:
    """Refuse a JPEG whose data end before its last row, by the warning of libjpeg."""
    import pyvips

    for top, bottom in strip_bounds(header.height, header.width):
        try:
            rows(top, bottom)
        except pyvips.Error as error:
            if "premature end of data" not in str(error):
                return
            raise truncated_within(name, top, bottom, header.height) from error


def _source(file: File, kind: str) -> Any:
    """A source of libvips from the start of a file: a PNG of its pixels alone, and a JPEG with an
    end, whether it has one or not.

    An exception that leaves a handler is printed by cffi: a file that cannot be read ends there.
    """
    import pyvips

    pieces, buffer = pixel_pieces(file) if kind == "PNG" else with_end(file), b""

    def read(size: int) -> bytes | None:
        nonlocal buffer
        try:
            buffer = buffer or next(pieces, b"")
        except (OSError, ValueError):
            return None
        piece, buffer = buffer[:size], buffer[size:]
        return piece or None

    source = pyvips.SourceCustom()
    source.on_read(read)
    return source
