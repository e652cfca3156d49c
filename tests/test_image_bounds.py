"""What a file costs is bounded by the pixels that it declares, whatever else it claims or holds."""

import contextlib
import io
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import hostile_pictures
import imagecodecs
import numpy as np
import pytest
import tifffile
import torch
from hostile_pictures import chunk
from picture_files import saved
from PIL import Image

from swag.errors import ImageError
from swag.image import decode, read, read_metadata, vips

PICTURE = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
HUGE = 4 << 30
"""Bytes of a file, nearly all of which are a hole on the disk."""
BYTES_PER_PIXEL = 64
"""Of memory, beside 64 MiB."""

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="needs Linux's /proc"
)


def cost(path: Path) -> tuple[str, float, int]:
    """What came of a file, in seconds and bytes."""
    return hostile_pictures.cost(path, None)


def sparse(path: Path, *parts: bytes | int) -> Path:
    """A file of bytes and holes, one after the other."""
    with path.open("wb") as file:
        for part in parts:
            if isinstance(part, int):
                file.seek(part, io.SEEK_CUR)
            else:
                file.write(part)
        file.truncate()
    return path


def png(path: Path, kind: bytes, begin: bytes = b"", hole: int = 2 << 30) -> Path:
    """A PNG with a chunk that is a hole but for its beginning."""
    plain = saved(PICTURE)
    head = struct.pack(">I", hole + len(begin)) + kind + begin
    return sparse(path, plain[:33] + head, hole, b"sum!" + plain[33:])


def tiff(path: Path, tag: int, kind: int, count: int) -> Path:
    """A TIFF of palette colors with a tag of so many values, which are a hole."""
    image = Image.fromarray(PICTURE).quantize(5)
    data = bytearray(saved(image, "TIFF"))
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        tags = file.pages[0].tags
        at = tags[tag if tag in tags else 284].offset
    struct.pack_into("<2HII", data, at, tag, kind, count, len(data))
    return sparse(path, bytes(data), HUGE - (1 << 20))


def webp(path: Path) -> Path:
    return sparse(path, saved(PICTURE, "WEBP"), HUGE)


def avif(path: Path) -> Path:
    return sparse(path, saved(PICTURE, "AVIF"), HUGE)


def jpeg(path: Path) -> Path:
    return sparse(path, saved(PICTURE, "JPEG"), HUGE)


def endless_jpeg(path: Path) -> Path:
    return sparse(path, saved(PICTURE, "JPEG")[:-2], HUGE)


def webp_profile(path: Path) -> Path:
    plain = saved(PICTURE, "WEBP", icc_profile=b"x" * 100)
    at = plain.index(b"ICCP")
    head = b"RIFF" + struct.pack("<I", len(plain) + (2 << 30) - 8) + plain[8:at]
    hole = b"ICCP" + struct.pack("<I", 100 + (2 << 30)) + b"x" * 100
    return sparse(path, head + hole, 2 << 30, plain[at + 108 :])


FILES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "png, words": (lambda path: png(path, b"tEXt", b"words\0"), "read"),
    "png, zipped words": (lambda path: png(path, b"zTXt", b"words\0\0"), "read"),
    "png, exif": (lambda path: png(path, b"eXIf", b"MM\0*\0\0\0\x08"), "read"),
    "png, profile": (lambda path: png(path, b"iCCP", b"x\0\0"), "read"),
    "png, palette": (lambda path: png(path, b"PLTE"), "refused"),
    "png, private": (lambda path: png(path, b"abCd"), "read"),
    "png, after its end": (lambda path: sparse(path, saved(PICTURE), HUGE), "read"),
    "webp, after its end": (webp, "read"),
    "webp, profile": (webp_profile, "refused"),
    "jpeg, after its end": (jpeg, "read"),
    "jpeg without an end": (endless_jpeg, "read"),
    "avif": (avif, "read"),
    "tiff, palette": (lambda path: tiff(path, 320, 3, 1 << 30), "refused"),
    "tiff, description": (lambda path: tiff(path, 270, 2, 1 << 30), "read"),
    "tiff, offsets": (lambda path: tiff(path, 273, 4, 1 << 28), "refused"),
    "tiff, lengths": (lambda path: tiff(path, 279, 4, 1 << 28), "refused"),
    "tiff, bits": (lambda path: tiff(path, 258, 3, 1 << 30), "refused"),
    "tiff, profile": (lambda path: tiff(path, 34675, 7, 1 << 31), "read"),
    "tiff, anything": (lambda path: tiff(path, 37724, 7, 1 << 31), "read"),
}


@pytest.mark.parametrize("name", FILES)
def test_gigabytes_that_a_small_picture_claims_are_not_read(name, tmp_path: Path, capfd):
    make, expected = FILES[name]
    path = make(tmp_path / "huge")
    result, seconds, memory = cost(path)
    assert result == "refused" if expected == "refused" else len(result) == 64, result
    assert seconds < 1
    assert memory < 64 << 20
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for reader in (read, read_metadata):
            with contextlib.suppress(ImageError):
                reader(path)
    assert all(
        "is left out" in str(x.message) or "cannot be used" in str(x.message) for x in caught
    )
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "16 bits"])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
def test_a_picture_costs_so_much_a_pixel(kind, mode, tmp_path: Path):
    side = 2000
    samples = np.zeros((side, side, 4 if mode == "RGBA" else 3), np.uint8)
    samples[::50] = 99
    if mode == "16 bits" and kind == "PNG":
        data = bytes(imagecodecs.png_encode(samples.astype(np.uint16) * 257))
    elif kind == "JPEG" or mode == "16 bits":
        data = saved(np.ascontiguousarray(samples[..., :3]), kind)
    else:
        data = saved(samples, kind)
    (tmp_path / "a").write_bytes(data)
    result, _, memory = hostile_pictures.cost(tmp_path / "a", None, side**2)
    assert len(result) == 64, result
    assert memory < (64 << 20) + BYTES_PER_PIXEL * side**2


# --- sizes within sizes ------------------------------------------------------------------------


def wrapped(part: bytes, compression: int, side: int = 8) -> bytes:
    """A TIFF of 8 x 8 pixels with one strip or, if it has another side, one tile."""
    tags = {256: 8, 257: 8, 258: 8, 259: compression, 262: 2, 277: 3}
    where = 8 + 2 + 12 * (len(tags) + (3 if side == 8 else 4)) + 4
    if side == 8:
        tags |= {273: where, 278: 8, 279: len(part)}
    else:
        tags |= {322: side, 323: side, 324: where, 325: len(part)}
    entries = b"".join(struct.pack("<2H2I", tag, 4, 1, tags[tag]) for tag in sorted(tags))
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + part


def jpeg_of(side: int) -> bytes:
    data = bytearray(saved(PICTURE, "JPEG", quality=95, subsampling="4:4:4"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">2H", side, side)
    return bytes(data)


def webp_of(side: int) -> bytes:
    return saved(np.zeros((side, side, 3), np.uint8), "WEBP", lossless=True)


@pytest.mark.parametrize(("compression", "make"), [(7, jpeg_of), (50001, webp_of)])
def test_a_picture_within_a_tiff_is_no_larger_than_its_place(compression, make, tmp_path: Path):
    assert read(wrapped(make(8), compression)).size == (8, 8)
    (tmp_path / "a").write_bytes(wrapped(make(4000), compression))
    result, seconds, memory = cost(tmp_path / "a")
    assert (result, seconds < 0.5, memory < 16 << 20) == ("refused", True, True)
    with pytest.raises(ImageError, match="8 x 8 pixels has 4000 x 4000 within"):
        read(wrapped(make(4000), compression))


def test_a_size_is_not_hidden_from_us_that_the_decoder_finds():
    """libjpeg passes over lone bytes and markers without a length."""
    data = jpeg_of(4000)
    at = data.index(b"\xff\xc0")
    for hidden in (b"\xff\x01", b"\xff\xff\xff", b"junk", b"\xff\xd0"):
        with pytest.raises(ImageError):
            read(wrapped(data[:at] + hidden + data[at:], 7))


def avif_of(side: int, said: int, **options) -> bytes:
    data = bytearray(saved(np.zeros((side, side, 4), np.uint8), "AVIF", **options))
    at = data.index(b"ispe") + 8
    data[at : at + 8] = struct.pack(">2I", said, said)
    return bytes(data)


@pytest.mark.parametrize("frames", [1, 2])
def test_an_avif_is_no_larger_within_than_it_says(frames, tmp_path: Path):
    more = [Image.new("RGBA", (2000, 2000))] * (frames - 1)
    options = {"save_all": True, "append_images": more} if more else {}
    assert read(avif_of(2000, 2000, **options)).size == (2000, 2000)
    (tmp_path / "a").write_bytes(avif_of(2000, 8, **options))
    result, seconds, memory = cost(tmp_path / "a")
    assert (result, seconds < 0.5, memory < 16 << 20) == ("refused", True, True)
    with pytest.raises(ImageError, match="says 8 x 8 pixels, its data 2000 x 2000"):
        read(avif_of(2000, 8, **options))


def test_bytes_are_limited_as_well_as_pixels(tmp_path: Path):
    """Floats of 64 bits and eight samples, in one strip: 10.7 GB of 218 bytes."""
    tags = {
        256: 13_000,
        257: 13_000,
        258: 64,
        259: 8,
        262: 2,
        273: 150,
        277: 8,
        278: 13_000,
        279: 60,
        339: 3,
    }
    entries = b"".join(struct.pack("<2H2I", tag, 4, 1, tags[tag]) for tag in sorted(tags))
    data = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    data = data.ljust(150, b"\0") + zlib.compress(bytes(3000)).ljust(68, b"\0")
    with pytest.raises(ImageError, match=r"a strip of .* takes 10816000000 bytes, more than"):
        read(data)
    with pytest.raises(ImageError, match=r"a tile of .* takes .* bytes, more than the limit"):
        read(wrapped(zlib.compress(bytes(3000)), 8, side=4096))


KNOWN = (1, 2, 3, 4, 5, 7, 8, 32773, 32946, 50000, 50001)


@pytest.mark.parametrize("code", [c for c in tifffile.COMPRESSION if c not in KNOWN])
def test_a_tiff_of_another_compression_is_refused_by_its_name(code, monkeypatch):
    monkeypatch.setattr(
        tifffile.TiffPage, "decode", property(lambda self: pytest.fail("a decoder is started"))
    )
    data = wrapped(bytes(imagecodecs.jpeg2k_encode(PICTURE)), int(code))
    with pytest.raises(ImageError, match=rf"compressed with {code.name}, which is not read; expe"):
        read(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_exif_that_is_damaged_spoils_no_picture(kind):
    whole = saved(PICTURE, kind)
    damaged = saved(PICTURE, kind, exif=b"Exif\0\0XX*\0junk")
    assert torch.equal(read(damaged).pixels, read(whole).pixels)


EXTRA = pytest.mark.skipif(not vips.is_available(), reason="the extra `large` is not installed")


@pytest.mark.parametrize("large", [False, pytest.param(True, marks=EXTRA)])
def test_words_of_a_png_are_not_unpacked(large, tmp_path: Path, monkeypatch):
    """100 times 8 MB, which took libpng 8 s."""
    if large:
        monkeypatch.setattr(decode, "LARGE_PIXELS", 1)
    plain = saved(PICTURE)
    words = chunk(b"zTXt", b"words\0\0" + zlib.compress(bytes(7_900_000)))
    (tmp_path / "a").write_bytes(plain[:33] + 100 * words + plain[33:])
    result, seconds, _ = cost(tmp_path / "a")
    assert result != "refused"
    assert seconds < 1


def test_words_of_a_gif_take_no_time_that_grows_with_their_square(tmp_path: Path):
    whole = saved(Image.new("P", (800, 800)), "GIF")
    at = 13 + (3 << ((whole[10] & 7) + 1) if whole[10] & 0x80 else 0)
    words = b"!\xfe" + (b"\xff" + bytes(255)) * 32_000 + b"\0"
    (tmp_path / "a").write_bytes(whole[:at] + words + whole[at:])
    result, seconds, _ = hostile_pictures.cost(tmp_path / "a", None, 1 << 20)
    assert result != "refused"
    assert seconds < 2


def test_two_bits_of_gray_are_transparent_where_the_file_says():
    head = chunk(b"IHDR", struct.pack(">2I5B", 4, 1, 2, 0, 0, 0, 0))
    body = chunk(b"tRNS", b"\0\1") + chunk(b"IDAT", zlib.compress(b"\0\x1b"))
    picture = read(b"\x89PNG\r\n\x1a\n" + head + body + chunk(b"IEND", b""))
    assert picture.alpha is not None
    assert picture.alpha[0, 0].tolist() == [1, 0, 1, 1]


def test_words_that_are_wrong_spoil_no_picture():
    """A checksum in a chunk of them, a megabyte of them, bytes after the end, no end."""
    plain = saved(PICTURE)
    words = chunk(b"tEXt", b"words\0are here")
    for data in (
        plain[:33] + words[:-4] + b"sum!" + plain[33:],
        plain[:33] + chunk(b"zTXt", b"w\0\0" + zlib.compress(bytes(3 << 20))) + plain[33:],
        plain + b"more",
        plain + plain,
    ):
        assert torch.equal(read(data).pixels, read(PICTURE).pixels)
    for progressive in (False, True):
        whole = saved(PICTURE, "JPEG", progressive=progressive)
        for data in (whole[:-2], whole[:-1], whole + b"\0" * 9, whole + whole, whole[:-2] + b"\0"):
            assert torch.equal(read(data).pixels, read(whole).pixels)
