"""Files that do not fill their rows: refused in one line, and nothing of the process is shown."""

import importlib
import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from itertools import product
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
import torch
from picture_files import saved
from PIL import Image

from swag.errors import ImageError
from swag.image import decode, limits, read, strips, vips
from swag.image.picture import Raster, Stored

WIDE, TALL = 48, 64
RGB = np.random.default_rng(0).integers(0, 256, (TALL, WIDE, 3)).astype(np.uint8)
TYPES = {"8 bits": RGB, "16 bits": RGB.astype(np.uint16) * 257, "floats": np.float32(RGB / 255)}
EXTRA = pytest.mark.skipif(not vips.is_available(), reason="the extra `large` is not installed")

BYTES: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "adobe_deflate": zlib.compress,
    "lzw": imagecodecs.lzw_encode,
    "packbits": imagecodecs.packbits_encode,
    "zstd": imagecodecs.zstd_encode,
}


def refusal(data: bytes | Path, **options) -> str:
    with pytest.raises(ImageError) as caught:
        read(data, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def bare_tiff(width: int, height: int, data: bytes, bits: int = 8, **more: int) -> bytes:
    """A gray TIFF with all of its data in one strip, uncompressed, and nothing else."""
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: 1, 273: 0, 277: 1, 278: height}
    tags |= {279: len(data)} | {int(tag[1:]): value for tag, value in more.items()}
    tags[273] = 14 + 12 * len(tags)
    entries = b"".join(struct.pack("<2H2I", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + data


def short_tiff(samples: np.ndarray, missing: int, kind: str, planar: bool, tile: bool, big: bool):
    """A TIFF whose last strip or tile lacks so many bytes before it is compressed, if it is."""
    if planar:
        samples = np.ascontiguousarray(np.moveaxis(samples, -1, 0))
    planes = samples if planar else [samples]
    parts = [plane[top : top + 32] for plane in planes for top in (0, 32)]
    data = [part.tobytes() for part in parts]  # tiles are as wide as the picture
    if kind != "none":
        data[-1] = data[-1][: len(data[-1]) - missing]
    stream = BytesIO()
    tifffile.imwrite(
        stream,
        iter([bytes(BYTES[kind](part)) for part in data]),
        shape=samples.shape,
        dtype=samples.dtype,
        photometric="rgb",
        planarconfig="separate" if planar else "contig",
        compression=kind,
        bigtiff=big,
        metadata=None,
        **({"tile": (32, 48)} if tile else {"rowsperstrip": 32}),
    )
    return uncounted(stream.getvalue(), missing) if kind == "none" else stream.getvalue()


def uncounted(data: bytes, missing: int) -> bytes:
    """A TIFF that says so many bytes less of its last strip or tile than it holds."""
    with tifffile.TiffFile(BytesIO(data)) as file:
        tags = file.pages[0].tags
        tag, order = tags[325] if 325 in tags else tags[279], file.byteorder
        form = order + {3: "H", 4: "I", 16: "Q"}[int(tag.dtype)]
        size = struct.calcsize(form)
        at = tag.valueoffset + (tag.count - 1) * size
    changed = bytearray(data)
    struct.pack_into(form, changed, at, struct.unpack_from(form, data, at)[0] - missing)
    return bytes(changed)


ROW = bare_tiff(512, 512, bytes(range(256)) * 2)


def test_a_strip_of_one_row_for_512_is_refused(tmp_path: Path):
    (tmp_path / "a.tif").write_bytes(ROW)
    assert len(ROW) == 634
    for source, size in product((ROW, tmp_path / "a.tif"), (None, 100, (7, 900))):
        assert "is truncated: its data ends after row 1 of 512" in refusal(source, size=size)


@pytest.mark.parametrize("depth", TYPES)
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("tile", [False, True])
@pytest.mark.parametrize("kind", BYTES)
def test_a_tiff_that_lacks_bytes_of_its_rows_is_refused(kind, tile, planar, depth):
    samples = TYPES[depth]
    for big, missing in product((False, True), (0, 1, 40)):
        data = short_tiff(samples, missing, kind, planar, tile, big)
        for size in (None, 30):
            if missing == 0:
                assert read(data, size=size).pixels.isfinite().all()
            else:
                assert "is truncated: its data ends" in refusal(data, size=size)


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
@pytest.mark.parametrize("options", [{"rowsperstrip": 32}, {"tile": (32, 48)}])
def test_a_picture_within_a_tiff_that_lacks_rows_is_refused(kind, options):
    encode = {"jpeg": imagecodecs.jpeg8_encode, "webp": imagecodecs.webp_encode}[kind]
    for rows in (32, 24):
        parts = iter([bytes(encode(RGB[:32])), bytes(encode(RGB[32 : 32 + rows].copy()))])
        stream = BytesIO()
        tifffile.imwrite(
            stream,
            parts,
            shape=RGB.shape,
            dtype=RGB.dtype,
            photometric="rgb",
            compression=kind,
            metadata=None,
            **options,
        )
        if rows == 32:
            assert read(stream.getvalue()).size == (WIDE, TALL)
        else:
            assert "its data ends within rows 33 to 64 of 64" in refusal(stream.getvalue())


def cut_jpeg(data: bytes) -> bytes:
    """The first half of a JPEG, with its end marker."""
    return data[: len(data) // 2] + b"\xff\xd9"


def test_a_jpeg_within_a_tiff_that_ends_early_is_refused():
    stream = BytesIO()
    part = cut_jpeg(bytes(imagecodecs.jpeg8_encode(RGB)))
    tifffile.imwrite(
        stream,
        iter([part]),
        shape=RGB.shape,
        dtype=RGB.dtype,
        photometric="rgb",
        compression="jpeg",
        rowsperstrip=TALL,
        metadata=None,
    )
    assert "its data ends within rows 1 to 64 of 64" in refusal(stream.getvalue())


# --- other formats -----------------------------------------------------------------------------


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(rows: int, colors: int = 2, depth: int = 8) -> bytes:
    """A PNG with data for so many of its rows, all of them unfiltered."""
    bits = WIDE * depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colors]
    head = struct.pack(">2I5B", WIDE, TALL, depth, colors, 0, 0, 0)
    data = chunk(b"PLTE", bytes(range(48)) * 16) if colors == 3 else b""
    data += chunk(b"IDAT", zlib.compress((b"\0" + b"\x21" * (bits // 8)) * rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + data + chunk(b"IEND", b"")


@pytest.mark.parametrize("large", [False, pytest.param(True, marks=EXTRA)])
@pytest.mark.parametrize(
    ("colors", "depth"),
    [(0, 1), (0, 8), (0, 16), (2, 8), (2, 16), (3, 4), (3, 8), (4, 8), (6, 16)],
)
def test_a_png_that_lacks_rows_is_refused(colors, depth, large, monkeypatch):
    if large:
        monkeypatch.setattr(decode, "LARGE_PIXELS", 1)
    assert read(png(TALL, colors, depth)).size == (WIDE, TALL)
    for rows, size in product((1, TALL - 1), (None, 30)):
        assert "is damaged or truncated" in refusal(png(rows, colors, depth), size=size)


def interlaced(last: bool) -> bytes:
    """A black PNG of 8 gray bits in seven passes, the last row of the last of which may lack."""
    lines = [
        (len(range(left, WIDE, across)), len(range(top, TALL, down)))
        for left, across, top, down in (
            (0, 8, 0, 8),
            (4, 8, 0, 8),
            (0, 4, 4, 8),
            (2, 4, 0, 4),
            (0, 2, 2, 4),
            (1, 2, 0, 2),
            (0, 1, 1, 2),
        )
    ]
    data = b"".join(bytes(1 + columns) * rows for columns, rows in lines)
    head = struct.pack(">2I5B", WIDE, TALL, 8, 0, 0, 0, 1)
    idat = chunk(b"IDAT", zlib.compress(data if last else data[: -1 - WIDE]))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + idat + chunk(b"IEND", b"")


def test_an_interlaced_png_that_lacks_rows_is_refused():
    assert read(interlaced(last=True)).pixels.max() == 0
    assert "is damaged or truncated" in refusal(interlaced(last=False))


def test_a_black_png_is_read():
    assert read(saved(np.zeros((40, 30, 3), np.uint8))).pixels.max() == 0


def taller(data: bytes) -> bytes:
    """A JPEG that says that it has 512 rows."""
    at = (data.index(b"\xff\xc0") if b"\xff\xc0" in data else data.index(b"\xff\xc2")) + 5
    return data[:at] + struct.pack(">H", 512) + data[at + 2 :]


@pytest.mark.parametrize("large", [False, pytest.param(True, marks=EXTRA)])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_lacks_rows_is_refused(progressive, mode, large, monkeypatch):
    if large:
        monkeypatch.setattr(decode, "LARGE_PIXELS", 1)
    whole = saved(Image.fromarray(RGB).convert(mode), "JPEG", progressive=progressive)
    for data in [taller(whole)] if progressive else [taller(whole), cut_jpeg(whole)]:
        for size in (None, 30):
            assert "is truncated: its data ends" in refusal(data, size=size)


@pytest.mark.parametrize("large", [False, pytest.param(True, marks=EXTRA)])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 2}])
def test_a_jpeg_of_one_color_is_read(options, large, monkeypatch):
    """What is missing from a JPEG looks like this."""
    if large:
        monkeypatch.setattr(decode, "LARGE_PIXELS", 1)
    flat = np.full((TALL, WIDE, 3), (200, 90, 30), np.uint8)
    assert read(saved(flat, "JPEG", **options)).size == (WIDE, TALL)


@pytest.mark.parametrize("large", [False, pytest.param(True, marks=EXTRA)])
def test_a_jpeg_that_lacks_its_end_alone_is_read(large, monkeypatch):
    whole = saved(RGB, "JPEG")
    expected = read(whole).pixels
    if large:
        monkeypatch.setattr(decode, "LARGE_PIXELS", 1)
    assert torch.equal(read(whole[:-2]).pixels, expected)


# --- the door ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [None, 30])
@pytest.mark.parametrize("shape", [(7, WIDE), (8, 1), (20, WIDE)])
def test_strips_that_are_not_all_of_a_picture_are_refused(shape, size, monkeypatch):
    """Whatever a decoder gives, no row is made up or repeated."""
    samples = np.ones((*shape, 3), np.float32)
    stored = Stored(8, WIDE, iter([Raster(samples, "rgb")]))
    with pytest.raises(ImageError, match=r"is truncated: .* after row 7 of 8|of another size"):
        if size is None:
            strips.assembled(stored, "a picture")
        else:
            strips.resize_strips(stored, "a picture", (30, 30), limits.Limits())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.001, 1.001])
@pytest.mark.parametrize("channel", [0, 3])
@pytest.mark.parametrize("size", [None, 30])
def test_no_picture_leaves_with_numbers_that_are_none(size, channel, value, monkeypatch):
    def broken(stored: Stored, *_: object) -> torch.Tensor:
        layers = torch.rand(4, 8, 9, generator=torch.Generator().manual_seed(0))
        layers[channel, 5, 6] = value
        return strips._picture(layers)

    module = importlib.import_module("swag.image.read")
    monkeypatch.setattr(module, "assembled", broken)
    monkeypatch.setattr(module, "resize_strips", broken)
    assert "is damaged: its values are from" in refusal(saved(RGB), size=size)


def test_floats_of_24_bits_are_read_as_they_are():
    samples = np.linspace(0, 1, TALL * WIDE, dtype=np.float32).reshape(TALL, WIDE)
    data = bytes(imagecodecs.float24_encode(samples, byteorder="<"))
    picture = read(bare_tiff(WIDE, TALL, data, bits=24, t339=3))
    assert (picture.pixels[0] - torch.from_numpy(samples)).abs().max() < 1e-4
