"""Strips: reading them gives what the whole picture gives, in less memory."""

import io
import subprocess
import sys
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
import torch
from picture_files import saved
from PIL import Image

from swag.errors import ImageError
from swag.image import MAX_PIXELS, decode, limits, picture, read, vips, write

HEIGHT, WIDTH = 61, 83
NOISE = np.random.default_rng(0).integers(-8, 9, (HEIGHT, WIDTH, 4))
RGBA = (np.cumsum(NOISE, axis=1) % 256).astype(np.uint8)
DEEP = np.random.default_rng(1).integers(0, 65536, (HEIGHT, WIDTH, 4)).astype(np.uint16)
RGB, GRAY = np.ascontiguousarray(RGBA[..., :3]), np.ascontiguousarray(RGBA[..., 0])
ADOBE = imagecodecs.cms_profile("adobergb")
SIZES = (None, 17, 100, (20, WIDTH))
EXTRA = pytest.mark.skipif(not vips.is_available(), reason="the extra `large` is not installed")


def tiff(samples: np.ndarray, **options) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, samples, photometric="rgb", metadata=None, **options)
    return stream.getvalue()


def turned(samples: np.ndarray, kind: str, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(samples, kind, exif=exif)


def with_late_exif(orientation: int) -> bytes:
    """A PNG whose orientation stands after its pixels."""
    whole, plain = turned(RGB, "PNG", orientation), saved(RGB, "PNG")
    at = whole.index(b"eXIf") - 4
    chunk = whole[at : at + 12 + int.from_bytes(whole[at : at + 4])]
    return plain[:-12] + chunk + plain[-12:]


FILES = {
    **{f"png turned {o}": turned(RGBA, "PNG", o) for o in range(1, 9)},
    **{f"tiff turned {o}": turned(RGB, "TIFF", o) for o in (3, 6)},
    "jpeg": turned(RGB, "JPEG", 4),
    "jpeg of 4:4:4": saved(RGB, "JPEG", quality=95, subsampling="4:4:4"),
    "progressive jpeg": saved(RGB, "JPEG", progressive=True),
    "cmyk jpeg": saved(Image.fromarray(RGBA, "CMYK"), "JPEG"),
    "gray jpeg": saved(GRAY, "JPEG"),
    "late exif": with_late_exif(8),
    "profile": saved(RGB, "PNG", icc_profile=ADOBE),
    "jpeg with profile": saved(RGB, "JPEG", icc_profile=ADOBE),
    "tiff with profile": saved(RGB, "TIFF", icc_profile=ADOBE),
    "gray profile": saved(GRAY, "PNG", icc_profile=imagecodecs.cms_profile("gray", gamma=1.0)),
    "palette": saved(Image.fromarray(RGB).quantize(17), "PNG", transparency=3),
    "bits": saved(Image.fromarray(GRAY).convert("1"), "PNG"),
    "gray with a transparent value": saved(GRAY, "PNG", transparency=int(GRAY[3, 4])),
    "transparent color": saved(RGB, "PNG", transparency=tuple(int(v) for v in RGB[2, 3])),
    "deep gray": bytes(imagecodecs.png_encode(DEEP[..., 0].copy())),
    "deep png": bytes(imagecodecs.png_encode(DEEP)),
    "webp": saved(RGBA, "WEBP", lossless=True),
    "cmyk tiff": saved(Image.fromarray(RGBA, "CMYK"), "TIFF"),
    "big-endian tiff": tiff(DEEP[..., :3], byteorder=">"),
    "planes": tiff(np.moveaxis(DEEP[..., :3], -1, 0), planarconfig="separate"),
    "tiles": tiff(DEEP, tile=(16, 32), compression="zlib", extrasamples=["assocalpha"]),
    "short strips": tiff(DEEP[..., :3], rowsperstrip=7, compression="lzw", predictor=True),
    "one strip": tiff(RGB, rowsperstrip=HEIGHT, compression="zlib", iccprofile=ADOBE),
    "float tiff": tiff((DEEP[..., :3] / 65535).astype(np.float32), compression="zlib"),
    "jpeg tiff": saved(RGB, "TIFF", compression="jpeg"),
}


def pictures(source, sizes=SIZES) -> list[torch.Tensor]:
    read_ones = [read(source, size=size) for size in sizes]
    return [x for p in read_ones for x in (p.pixels, p.alpha) if x is not None]


def equal(got: list[torch.Tensor], expected: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))


@pytest.fixture
def short(monkeypatch) -> None:
    """Strips of three rows."""
    monkeypatch.setattr(picture, "STRIP_PIXELS", 3 * WIDTH)


@pytest.mark.parametrize("name", FILES)
def test_strips_give_the_whole_picture_to_the_bit(name, monkeypatch):
    whole = pictures(FILES[name])
    monkeypatch.setattr(picture, "STRIP_PIXELS", 3 * WIDTH)
    assert equal(pictures(FILES[name]), whole)


@pytest.mark.parametrize("kind", ["array", "tensor", "pillow"])
def test_strips_of_what_is_in_memory_give_it_to_the_bit(kind, short):
    values = torch.from_numpy(RGBA).permute(2, 0, 1)
    source = {"array": RGBA, "tensor": values, "pillow": Image.fromarray(RGBA)}[kind]
    picture = read(source)
    assert torch.equal(picture.pixels, values[:3] / 255)
    assert torch.equal(picture.alpha, values[3:] / 255)


def test_a_size_gives_what_a_whole_picture_is_resized_to(short):
    whole = torch.from_numpy(RGB).permute(2, 0, 1)[None] / 255
    for size in ((17, 23), (90, 30), (200, 200)):
        expected = torch.nn.functional.interpolate(
            whole, size=size, mode="bicubic", align_corners=False, antialias=True
        )
        assert torch.equal(read(RGB, size=size).pixels, expected[0].clamp(0, 1))


def test_a_profile_that_cannot_be_used_is_warned_of_once(short):
    data = saved(RGB, "PNG", icc_profile=imagecodecs.cms_profile("gray", gamma=1.0))
    with pytest.warns(UserWarning, match="color profile cannot be used") as caught:
        assert torch.equal(read(data).pixels, read(RGB).pixels)
    assert len(caught) == 1


# --- limits ------------------------------------------------------------------------------------


def png_header(width: int, height: int, interlace: int = 0) -> bytes:
    """The beginning of a PNG of any size."""
    body = b"IHDR" + width.to_bytes(4) + height.to_bytes(4) + bytes([8, 2, 0, 0, interlace])
    idat = b"IDAT" + zlib.compress(bytes(1000))
    chunks = b""
    for chunk in (body, idat):
        chunks += (len(chunk) - 4).to_bytes(4) + chunk + zlib.crc32(chunk).to_bytes(4)
    return b"\x89PNG\r\n\x1a\n" + chunks


def refusal(data: bytes, **options) -> str:
    with pytest.raises(ImageError) as caught:
        read(data, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_without_libvips_a_gigantic_picture_is_told_the_extra(monkeypatch):
    monkeypatch.setattr(vips, "is_available", lambda: False)
    said = refusal(png_header(20_000, 20_000), size=64)
    assert f"20000 x 20000 pixels, more than the limit of {MAX_PIXELS}; shrink it, or" in said
    assert "`pip install 'swag-style[large]'`, with which the limit is 1073741824" in said


def test_with_libvips_a_gigantic_picture_is_read_where_it_is_made_smaller(monkeypatch):
    monkeypatch.setattr(vips, "is_available", lambda: True)
    file = io.BytesIO(png_header(20_000, 20_000))
    assert decode.decode(file, "a picture", limits.Limits.of(None, smaller=True)).width == 20_000
    assert "20000 x 20000 pixels, more than the limit" in refusal(png_header(20_000, 20_000))
    assert "40000 x 40000 pixels" in refusal(png_header(40_000, 40_000), size=64)
    assert "large" not in refusal(png_header(20_000, 20_000, interlace=1), size=64)


def test_what_is_held_on_the_way_to_a_size_is_limited_too():
    said = refusal(saved(RGB, "PNG"), size=(10, 90), max_pixels=HEIGHT * WIDTH)
    assert f"on its way to 90 x 10 pixels, has 90 x {HEIGHT} pixels, more than" in said


# --- libvips -----------------------------------------------------------------------------------


@EXTRA
@pytest.mark.parametrize("name", [n for n in FILES if "tiff" not in n and "strip" not in n])
def test_libvips_gives_the_same_numbers_to_the_bit(name, short, monkeypatch, tmp_path: Path):
    expected = pictures(FILES[name])
    (tmp_path / "a").write_bytes(FILES[name])
    monkeypatch.setattr(decode, "LARGE_PIXELS", 1)
    assert equal(pictures(FILES[name]), expected)
    assert equal(pictures(tmp_path / "a"), expected)


@EXTRA
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_damaged_file_is_one_line_with_libvips_too(kind, short, monkeypatch, capfd, tmp_path):
    monkeypatch.setattr(decode, "LARGE_PIXELS", 1)
    whole = saved(np.random.default_rng(2).integers(0, 256, (90, 90, 3)).astype(np.uint8), kind)
    for share in (0.3, 0.6, 0.9):
        assert "truncated" in refusal(whole[: int(share * len(whole))], size=20)
    assert capfd.readouterr() == ("", "")


# --- writing -----------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [1, 2, 5])
def test_narrow_deep_pngs_are_written(width, tmp_path: Path):
    noise = torch.rand(3, 3000, width, generator=torch.Generator().manual_seed(0)).double()
    write(tmp_path / "a.png", noise, bits=16)
    assert (read(tmp_path / "a.png").pixels - noise).abs().max() < 0.51 / 65535


# --- memory ------------------------------------------------------------------------------------

MEMORY = """
import sys, torch
from pathlib import Path
import swag.image

def held(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(field))

path, side = sys.argv[1], 3000
swag.image.write(path, torch.zeros(3, 8, 8))
swag.image.read(path, size=4)
picture = torch.rand(3, 1, side).expand(3, side, side)
before = held("VmRSS")
swag.image.write(path, picture)
swag.image.read(path, size=300)
print((held("VmHWM") - before) / side**2)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system has no /proc")
@pytest.mark.parametrize(("extension", "bytes_per_pixel"), [(".png", 24), (".tif", 20)])
def test_neither_writing_nor_reading_holds_another_picture(
    extension, bytes_per_pixel, tmp_path: Path
):
    """A whole took 39 bytes a pixel to be written and 38 to be read; its own numbers are 12.

    Here a strip of ours is a tenth of the picture, and its copies count; threads that decode ahead
    take more of it on a busy machine.
    """
    command = [sys.executable, "-c", MEMORY, str(tmp_path / f"a{extension}")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(done.stdout) < bytes_per_pixel
