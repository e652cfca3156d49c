"""Sizes that WebP and JPEG declare, before a decoder takes memory by them."""

from swag.image.complete import segments

_FRAMES = (b"\xff\xc0", b"\xff\xc1", b"\xff\xc2")
_OTHER_FRAMES = tuple(bytes([0xFF, n]) for n in range(0xC3, 0xD0) if n not in (0xC4, 0xC8, 0xCC))


def webp_size(head: bytes) -> tuple[int, int]:
    """Width and height, by the first 30 bytes of a WebP."""
    if head[12:16] == b"VP8X":
        number = [int.from_bytes(head[at : at + 3], "little") for at in (24, 27)]
        return number[0] + 1, number[1] + 1
    if head[12:16] == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    sides = [int.from_bytes(head[at : at + 2], "little") & 0x3FFF for at in (26, 28)]
    return sides[0], sides[1]


def jpeg_size(data: bytes) -> tuple[int, int]:
    """Width and height of a JPEG of 8 bits, sequential or progressive; the largest, should it have
    several.

    Raises:
        ValueError: it has none, or is of another kind.
    """
    sizes = []
    for marker, begin, _ in segments(data):
        if marker in _OTHER_FRAMES or (
            marker in _FRAMES and data[begin + 2 : begin + 3] != b"\x08"
        ):
            raise ValueError("a JPEG that is not of 8 bits, or lossless, or arithmetically coded")
        if marker in _FRAMES:
            height, width = (int.from_bytes(data[begin + at : begin + at + 2]) for at in (3, 5))
            sizes.append((width, height))
    if not sizes:
        raise ValueError("a JPEG without a size")
    return max(width for width, _ in sizes), max(height for _, height in sizes)
