"""PNG (third edition, W3C 2025): what its chunks say, and its pixels by libpng.

libpng keeps all 16 bits, and refuses data that end before the last row. It is given the chunks of
pixels alone: texts can take minutes to decompress, and damage in them spoils no picture.
"""

import contextlib
import struct
import zlib
from collections.abc import Iterator

import imagecodecs

from swag.errors import ImageError
from swag.image.color_space import colors_of_png, profile_of
from swag.image.limits import MAX_PROFILE_BYTES, Limits, check_size, most_bytes
from swag.image.picture import Array, Header, exif_of, orientation_of
from swag.image.source import File
from swag.messages import one_line

_SIGNATURE_BYTES, _HEADER_BYTES, _PIECE_BYTES = 8, 33, 1 << 16
_PIXEL_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_COLOR_CHUNKS = (b"iCCP", b"eXIf", b"sRGB", b"gAMA", b"cHRM", b"cICP")
_GRAY = (0, 4)


def png_header(file: File, name: str, limits: Limits) -> Header:
    """Size, colors and orientation of a PNG; ImageError if it is too large, or has critical chunks
    that are not known."""
    file.seek(0)
    width, height, _, colors, compression, _, interlaced = struct.unpack_from(
        ">2I5B", file.read(_HEADER_BYTES), 16
    )
    if compression:
        raise ImageError(
            f"{name} is damaged: its header names compression method {compression}, and PNG has "
            "only method 0"
        )
    check_size(name, width, height, limits.whole if interlaced else limits.strips)
    chunks: dict[bytes, bytes] = {}
    pixel_bytes, limit = 0, most_bytes(width, height)
    for kind, length in _chunks(file):
        if kind in _COLOR_CHUNKS and kind not in chunks:
            # Compression makes no profile twice as long: one that is too large stays too large.
            chunks[kind] = file.read(min(length, 2 * MAX_PROFILE_BYTES))
        elif kind in _PIXEL_CHUNKS:
            pixel_bytes += length
        elif not kind[0] & 32:
            raise ImageError(f"{name} has a chunk {one_line(kind)}, which is not read")
        if pixel_bytes > limit:
            raise ImageError(
                f"{name} has {pixel_bytes} bytes of pixels; {width} x {height} need {limit} at most"
            )
    exif = exif_of(chunks.get(b"eXIf"))
    declared = colors_of_png(chunks)
    return Header(
        width,
        height,
        by_rows=not interlaced,
        profile=profile_of(_profile(chunks), declared, exif, gray=colors in _GRAY),
        orientation=orientation_of(exif),
        note=declared.note,
    )


def decode(file: File, name: str) -> Array:
    """All samples of a PNG (height, width, channels); a transparent color has become an alpha."""
    try:
        samples: Array = imagecodecs.png_decode(b"".join(pixel_pieces(file)))
    except (imagecodecs.PngError, UnicodeDecodeError) as error:
        # The error's message is in memory that libpng has freed, and may be garbage by now.
        raise ImageError(f"{name} is damaged or truncated") from error
    return samples if samples.ndim == 3 else samples[..., None]


def pixel_pieces(file: File) -> Iterator[bytes]:
    """The chunks of pixels, piece by piece, as a PNG without any other."""
    file.seek(0)
    yield file.read(_SIGNATURE_BYTES)
    for kind, length in _chunks(file):
        if kind in _PIXEL_CHUNKS:
            yield length.to_bytes(4) + kind
            for start in range(0, length + 4, _PIECE_BYTES):  # with its checksum
                yield file.read(min(_PIECE_BYTES, length + 4 - start))


def _chunks(file: File) -> Iterator[tuple[bytes, int]]:
    """The kind and length of each chunk up to the last; the file stands at the chunk's data."""
    offset = _SIGNATURE_BYTES
    while file.seek(offset) == offset and len(head := file.read(8)) == 8:
        length, kind = int.from_bytes(head[:4]), head[4:]
        yield kind, length
        offset += length + 12
        if kind == b"IEND":
            return


def _profile(chunks: dict[bytes, bytes]) -> bytes:
    """The color profile, cut off where it is too long to be used; none if it is damaged."""
    compressed = chunks.get(b"iCCP", b"").partition(b"\0")[2][1:]
    with contextlib.suppress(zlib.error):
        return zlib.decompressobj().decompress(compressed, MAX_PROFILE_BYTES + 1)
    return b""
