"""PNG, written strip by strip, in the bytes that libpng makes of the whole picture.

PNG (third edition, W3C 2025), sections 7 to 11. libpng chooses the filter of each row by the least
sum of absolute differences (section 12.7), and zlib does the rest.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import IO

import imagecodecs
import numpy as np

from swag.image.color_management import srgb_profile
from swag.image.raster import Array, Samples, strip_bounds

_LEVEL = 6
_DATA_BYTES = 8192  # of each data chunk, as libpng has it
_BLOCK_BYTES = 1 << 18  # filtered at once, so that it stays in the processor's caches


def encode(samples: Samples, text: Mapping[str, str], file: IO[bytes]) -> None:
    """Write RGB or RGBA of 8 or 16 bits, with an sRGB profile and texts before the pixels."""
    height, width, channels = samples.shape
    words = _chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(srgb_profile()))
    for key, value in text.items():
        # keyword, no compression, no language, no translated keyword, text
        words += _chunk(b"iTXt", key.encode("latin-1") + b"\0\0\0\0\0" + value.encode())
    if len(list(strip_bounds(height, width))) == 1:
        plain = bytes(imagecodecs.png_encode(samples.whole(), level=_LEVEL, out=_room(samples)))
        file.write(plain[:33] + words + plain[33:])
        return
    colors = 6 if channels == 4 else 2
    header = struct.pack(">2I5B", width, height, 8 * samples.dtype.itemsize, colors, 0, 0, 0)
    file.write(b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + words)
    for data in _pieces(_compressed(samples)):
        file.write(_chunk(b"IDAT", data))
    file.write(_chunk(b"IEND", b""))


def _room(samples: Samples) -> int:
    """Bytes that are enough for any picture of this shape; what imagecodecs reckons with is too
    little for narrow ones."""
    height, width, channels = samples.shape
    return 2 * height * (1 + width * channels * samples.dtype.itemsize) + 4096


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _pieces(parts: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of equal length, but for the last."""
    held = b""
    for part in parts:
        held += part
        whole = len(held) - len(held) % _DATA_BYTES
        for at in range(0, whole, _DATA_BYTES):
            yield held[at : at + _DATA_BYTES]
        held = held[whole:]
    if held:
        yield held


def _compressed(samples: Samples) -> Iterator[bytes]:
    height, width, channels = samples.shape
    pixel = channels * samples.dtype.itemsize
    # libpng leaves out filters that look to where nothing is in the whole picture.
    filters = [0, *([1] if width > 1 else []), *([2] if height > 1 else [])]
    filters += [3, 4] if min(width, height) > 1 else []
    step = max(1, _BLOCK_BYTES // (width * pixel))
    compressor, above = zlib.compressobj(_LEVEL), np.zeros(width * pixel, np.uint8)
    for top, bottom in strip_bounds(height, width):
        strip = samples.rows(top, bottom)
        rows = strip.astype(strip.dtype.newbyteorder(">")).view(np.uint8).reshape(len(strip), -1)
        for first in range(0, len(rows), step):
            block = rows[first : first + step]
            yield compressor.compress(_filtered(block, above, pixel, filters))
            above = block[-1]
    yield compressor.flush()


def _filtered(rows: Array, above: Array, pixel: int, filters: list[int]) -> bytes:
    """Rows of bytes, each less what one of the filters foretells of it, after its number.

    `above` is the row before the first, and `pixel` the number of bytes from one pixel to the next.
    """
    up = np.concatenate([above[None], rows[:-1]])
    left, corner = np.zeros_like(rows), np.zeros_like(rows)
    left[:, pixel:], corner[:, pixel:] = rows[:, :-pixel], up[:, :-pixel]
    average = ((left.astype(np.uint16) + up) >> 1).astype(np.uint8)
    foretold = [np.zeros_like(rows), left, up, average, _paeth(left, up, corner)]
    candidates = np.stack([rows - foretold[number] for number in filters])  # filter row byte
    # As signed bytes; the magnitude of -128 is 128 again when it is read as unsigned.
    costs = np.abs(candidates.view(np.int8)).view(np.uint8).sum(axis=2, dtype=np.int64)
    chosen = costs.argmin(axis=0)  # the first of equals
    lines = np.empty((len(rows), 1 + rows.shape[1]), np.uint8)
    lines[:, 0] = np.array(filters)[chosen]
    lines[:, 1:] = candidates[chosen, np.arange(len(rows))]
    return lines.tobytes()


def _paeth(left: Array, up: Array, corner: Array) -> Array:
    """Whichever of three neighbors is nearest to left + up - corner, the first of equals."""
    a, b, c = (x.astype(np.int16) for x in (left, up, corner))
    by_left, by_up, by_corner = np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)
    rest = np.where(by_up <= by_corner, up, corner)
    nearest: Array = np.where((by_left <= by_up) & (by_left <= by_corner), left, rest)
    return nearest
