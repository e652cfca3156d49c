"""The format of a file, recognized by its first bytes."""

from swag.errors import ImageError

HEAD_BYTES = 1024
"""Bytes at the start of a file, from which its format is recognized."""

_SIGNATURES = (
    ("PNG", 0, b"\x89PNG\r\n\x1a\n"),
    ("JPEG", 0, b"\xff\xd8\xff"),
    ("WEBP", 8, b"WEBP"),
    ("camera raw (CR2)", 8, b"CR\2\0"),
    ("TIFF", 0, (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    ("GIF", 0, b"GIF8"),
    ("BMP", 0, b"BM"),
    ("PDF", 0, b"%PDF"),
    ("EPS", 0, (b"%!PS", b"\xc5\xd0\xd3\xc6")),
    ("PSD", 0, b"8BPS"),
    ("XCF", 0, b"gimp xcf"),
    ("ICO", 0, b"\0\0\1\0"),
    ("JPEG 2000", 4, b"jP  \r\n"),
    ("JPEG 2000", 0, b"\xff\x4f\xff\x51"),
    ("JPEG XL", 0, b"\xff\x0a"),
    ("JPEG XL", 4, b"JXL \r\n\x87\n"),
    ("JPEG XR", 0, b"II\xbc"),
    ("EXR", 0, b"v/1\x01"),
    ("camera raw (RAF)", 0, b"FUJIFILMCCD-RAW"),
    ("camera raw (ORF)", 0, (b"IIR", b"MMOR")),
    ("camera raw (RW2)", 0, b"IIU\0"),
)
_BRANDS = {
    "AVIF": (b"avif", b"avis"),
    "HEIC": (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"),
    "camera raw (CR3)": (b"crx ",),
    "HEIF": (b"mif1", b"msf1", b"mif2"),
    "video": (b"isom", b"iso2", b"mp41", b"mp42", b"qt  ", b"avc1"),
}
"""The first of these formats of which a file of boxes has any brand, main or compatible."""
READABLE = ("PNG", "JPEG", "WEBP", "TIFF", "AVIF", "GIF", "BMP")
"""Formats that are read. No other decoder is ever started: each is a way in for hostile files."""
_CONVERTERS = {
    "HEIC": "heif-convert photo.heic photo.png",
    "HEIF": "heif-convert photo.heif photo.png",
    "JPEG XL": "djxl picture.jxl picture.png",
    "SVG": "rsvg-convert picture.svg -o picture.png",
    "PDF": "pdftoppm -png pages.pdf page",
}


def container(head: bytes, name: str) -> str:
    """The format, one of READABLE, of a file that begins with `head` (HEAD_BYTES); ImageError if
    it is another."""
    kind = _kind(head)
    if kind in READABLE:
        return kind
    expected = f"expected one of {', '.join(READABLE)}"
    if kind is None:
        raise ImageError(f"{name} {'is not a picture' if head else 'is empty'}; {expected}")
    converter = f"`{_CONVERTERS.get(kind, 'magick picture picture.png')}`"
    if kind.startswith("camera raw"):
        converter = "a raw developer that writes TIFF"
    raise ImageError(
        f"{name} is a {kind} file, which is not read; {expected}: convert it, as with {converter}"
    )


def _kind(head: bytes) -> str | None:
    if head[4:8] == b"ftyp":
        length = min(int.from_bytes(head[:4]), len(head))
        brands = {head[8:12], *(head[offset : offset + 4] for offset in range(16, length, 4))}
        return next((kind for kind, names in _BRANDS.items() if not brands.isdisjoint(names)), None)
    kind = next((k for k, offset, magic in _SIGNATURES if head[offset:].startswith(magic)), None)
    is_text = head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
    return "SVG" if kind is None and is_text and b"<svg" in head else kind


def webp_size(head: bytes) -> tuple[int, int]:
    """Width and height of a WebP, by its first 30 bytes."""
    if head[12:16] == b"VP8X":
        largest = [int.from_bytes(head[offset : offset + 3], "little") for offset in (24, 27)]
        return largest[0] + 1, largest[1] + 1
    if head[12:16] == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    sides = [int.from_bytes(head[offset : offset + 2], "little") & 0x3FFF for offset in (26, 28)]
    return sides[0], sides[1]
