"""Hostile and broken files: an ImageError of one line, soon, in little memory, and nothing else."""

import contextlib
import io
import os
import resource
import struct
import subprocess
import sys
import threading
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path

import imagecodecs
import numpy as np
import picture_files
import pytest
import tifffile
import torch
from PIL import Image

from swag.errors import ImageError
from swag.image import MAX_PIXELS, read, read_metadata

PICTURE = np.random.default_rng(0).integers(0, 256, (12, 14, 3)).astype(np.uint8)
OLD_PROFILE = imagecodecs.cms_profile("adobergb")


def saved(kind: str, image: np.ndarray | Image.Image = PICTURE, **options) -> bytes:
    return picture_files.saved(image, kind, **options)


def deep_tiff(samples: np.ndarray, **options) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, samples, photometric="rgb", **options)
    return stream.getvalue()


def full(kind: str, **options) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "words"
    return saved(kind, exif=exif, icc_profile=OLD_PROFILE, **options)


SEEDS = {
    "png": full("PNG"),
    "png of 16 bits": bytes(imagecodecs.png_encode(PICTURE.astype(np.uint16) * 257)),
    "png with palette": saved("PNG", Image.fromarray(PICTURE).quantize(9), transparency=3),
    "jpeg": full("JPEG"),
    "progressive jpeg": saved("JPEG", progressive=True),
    "cmyk jpeg": saved("JPEG", Image.fromarray(PICTURE).convert("CMYK")),
    "webp": full("WEBP"),
    "lossless webp": saved("WEBP", lossless=True),
    "avif": full("AVIF"),
    "plain tiff": saved("TIFF"),
    "lzw tiff": saved("TIFF", compression="tiff_lzw"),
    "jpeg tiff": saved("TIFF", compression="jpeg"),
    "fax tiff": saved("TIFF", Image.fromarray(PICTURE).convert("1"), compression="group4"),
    "deep tiff": deep_tiff(
        PICTURE.astype(np.uint16) * 257, compression="zlib", iccprofile=OLD_PROFILE
    ),
    "tiled float tiff": deep_tiff((PICTURE / 255).astype(np.float32), tile=(16, 16)),
}


def outcome(data: bytes) -> str:
    """What reading does: "read" or "refused"; any other exception or warning escapes."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*its color profile cannot be used")
            read(data, max_pixels=1 << 22)
    except ImageError as error:
        assert "\n" not in str(error)
        assert len(str(error)) < 400
        return "refused"
    return "read"


@pytest.mark.parametrize("seed", SEEDS)
def test_flipped_bytes_are_read_or_refused_in_silence(seed, capfd, caplog):
    rng = np.random.default_rng(list(SEEDS).index(seed))
    outcomes = []
    for _ in range(200):
        data = bytearray(SEEDS[seed])
        for place in rng.integers(0, len(data), rng.integers(1, 4)):
            data[place] = rng.integers(256)
        outcomes.append(outcome(bytes(data)))
    assert "refused" in outcomes
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


@pytest.mark.parametrize("seed", SEEDS)
def test_the_beginning_of_a_file_is_refused_in_silence(seed, capfd, caplog):
    data = SEEDS[seed]
    assert outcome(data) == "read"
    nearly = min(int(len(data) * 0.95), len(data) - 21)  # the last bytes are sums and marks
    for length in range(0, nearly, max(1, nearly // 60)):
        assert outcome(data[:length]) == "refused", length
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


@pytest.mark.parametrize("seed", SEEDS)
def test_metadata_of_damaged_files_are_read_or_refused(seed, tmp_path: Path):
    rng = np.random.default_rng(7)
    path = tmp_path / "damaged"
    for _ in range(40):
        data = bytearray(SEEDS[seed])
        for place in rng.integers(0, len(data), 3):
            data[place] = rng.integers(256)
        path.write_bytes(bytes(data))
        with contextlib.suppress(ImageError):
            read_metadata(path)


# --- bombs -------------------------------------------------------------------------------------


@contextlib.contextmanager
def little_memory(extra: int = 256 << 20) -> Iterator[None]:
    """Let the process grow by no more than `extra` bytes of addresses."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + extra, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def png_header(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    chunks = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    idat = b"IDAT" + zlib.compress(bytes(1000))
    chunks += struct.pack(">I", len(idat) - 4) + idat + struct.pack(">I", zlib.crc32(idat))
    return b"\x89PNG\r\n\x1a\n" + chunks


def tiff_header(width: int, height: int, bits: int = 8, tile: int = 0) -> bytes:
    tags = {256: width, 257: height, 258: bits, 259: 8, 262: 1, 277: 1}
    where = 8 + 2 + 12 * (len(tags) + (4 if tile else 3)) + 4
    data = zlib.compress(bytes(1000))
    if tile:
        tags |= {322: tile, 323: tile, 324: where, 325: len(data)}
    else:
        tags |= {273: where, 278: height, 279: len(data)}
    entries = b"".join(struct.pack("<2H2I", tag, 4, 1, tags[tag]) for tag in sorted(tags))
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + data


def jpeg_header(width: int, height: int) -> bytes:
    data = bytearray(saved("JPEG"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">2H", height, width)
    return bytes(data)


def webp_header(width: int, height: int) -> bytes:
    data = bytearray(saved("WEBP", exif=b"Exif\0\0words"))
    assert data[12:16] == b"VP8X"
    data[24:30] = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return bytes(data)


def avif_header(width: int, height: int) -> bytes:
    data = bytearray(saved("AVIF"))
    at = data.index(b"ispe") + 8
    data[at : at + 8] = struct.pack(">2I", width, height)
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (png_header(100_000, 100_000), "100000 x 100000"),
        (tiff_header(100_000, 100_000), "100000 x 100000"),
        (tiff_header(100_000, 100_000, bits=16), "100000 x 100000"),
        (tiff_header(16, 16, tile=96_000), "a tile of .* has 96000 x 96000"),
        (jpeg_header(65_500, 65_500), "65500 x 65500"),
        (webp_header(100_000, 40_000), "100000 x 40000"),
        (avif_header(16_000, 16_000), "16000 x 16000"),
    ],
    ids=["png", "tiff", "deep tiff", "tiled tiff", "jpeg", "webp", "avif"],
)
def test_a_bomb_is_refused_by_its_header_in_little_memory(data, said):
    with little_memory(), pytest.raises(ImageError, match=rf"{said} pixels, more than the limit"):
        read(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
def test_the_limit_is_a_number_of_pixels(kind):
    data = saved(kind)
    assert read(data, max_pixels=12 * 14).size == (14, 12)
    with pytest.raises(ImageError, match=r"14 x 12 pixels, more than the limit of 167; .*max_pixe"):
        read(data, max_pixels=12 * 14 - 1)


@pytest.mark.parametrize("lossless", [True, False])
def test_the_size_of_a_simple_webp_is_known_before_its_decoder_starts(lossless):
    data = saved("WEBP", lossless=lossless)
    assert data[12:16] in (b"VP8 ", b"VP8L")
    with pytest.raises(ImageError, match="14 x 12 pixels"):
        read(data, max_pixels=100)


def test_a_large_picture_within_the_limit_is_no_warning_of_pillow():
    """Pillow warns above 89 million pixels; here the file is refused for its lack of data only."""
    assert 10_000 * 10_000 < MAX_PIXELS
    with pytest.raises(ImageError, match="truncated"):
        read(tiff_header(10_000, 10_000)[:-20])
    with pytest.raises(ImageError, match="damaged or truncated"):
        read(png_header(1_000_000, 100))


def test_arrays_and_pillow_pictures_obey_the_limit_too():
    for source in (PICTURE, Image.fromarray(PICTURE)):
        with pytest.raises(ImageError, match="14 x 12 pixels, more than the limit of 100"):
            read(source, max_pixels=100)


def test_words_of_any_length_are_no_part_of_a_picture(tmp_path: Path):
    body = b"zTXtwords\0\0" + zlib.compress(bytes(150 << 20), 1)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    data = saved("PNG")
    (tmp_path / "a.png").write_bytes(data[:33] + chunk + data[33:])
    with little_memory(128 << 20):
        assert torch.equal(read(tmp_path / "a.png").pixels, read(data).pixels)
        with pytest.raises(ImageError, match="too large"):
            read_metadata(tmp_path / "a.png")


# --- what is no file, or no picture -------------------------------------------------------------


def test_a_pipe_is_refused_without_waiting(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ImageError, match="is a pipe; expected a file"):
        read(tmp_path / "pipe.png")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/dev/zero", "is a device"),
        ("/dev/null", "is a device"),
        (".", "is a folder"),
        ("no/such/folder/a.png", "there is no folder 'no/such/folder'"),
        ("a\0b.png", "null"),
        ("x" * 300 + ".png", "too long"),
        ("", "there is no file ''"),
        ("new\nline.png", r"'new\\nline.png'"),
    ],
)
def test_what_is_no_file_is_refused(path, said, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ImageError, match=said) as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_brings_up_names_like_it(tmp_path: Path):
    (tmp_path / "tubingen.jpg").touch()
    with pytest.raises(ImageError, match=r"did you mean 'tubingen.jpg'\?"):
        read(tmp_path / "tubingem.jpg")


def test_an_endless_stream_is_left_after_its_first_bytes():
    with open("/dev/zero", "rb") as file, pytest.raises(ImageError, match="not a picture"):
        read(file)


def test_an_endless_picture_is_left_at_what_its_limit_allows():
    class Endless(io.RawIOBase):
        def read(self, size: int = -1, /) -> bytes:
            return (b"\x89PNG\r\n\x1a\n" + bytes(size))[:size]

    with pytest.raises(ImageError, match="is longer than"):
        read(Endless(), max_pixels=1)


def boxes(*brands: bytes) -> bytes:
    """The beginning of a file of these brands, of which the first is the main one."""
    body = b"ftyp" + brands[0] + bytes(4) + b"".join(brands[1:])
    return struct.pack(">I", len(body) + 4) + body + bytes(40)


OTHERS = {
    "PSD": b"8BPS\0\1" + bytes(40),
    "JPEG XL": b"\xff\x0a" + bytes(40),
    "JPEG XL of boxes": b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(40),
    "JPEG 2000": bytes(imagecodecs.jpeg2k_encode(PICTURE)),
    "SVG": b'<svg onload="alert(1)">' + bytes(20),
    "SVG as text": b'\xef\xbb\xbf\n<?xml version="1.0"?>\n<!-- a --><!-- b -->\n<svg></svg>',
    "HEIC": boxes(b"heic", b"mif1", b"heic"),
    "HEIC by another brand": boxes(b"mif1", b"miaf", b"heix"),
    "camera raw (CR3)": boxes(b"crx ", b"isom"),
    "camera raw (CR2)": b"II*\0\x10\0\0\0CR\2\0" + bytes(40),
    "camera raw (RAF)": b"FUJIFILMCCD-RAW 0201" + bytes(40),
    "camera raw (RW2)": b"IIU\0" + bytes(40),
    "video": boxes(b"isom", b"mp41"),
}


@pytest.mark.parametrize("kind", ["EPS", "PDF", "ICO", *OTHERS])
def test_other_formats_are_refused_even_under_another_name(kind, tmp_path: Path):
    path = tmp_path / "innocent.png"
    path.write_bytes(OTHERS.get(kind) or saved(kind))
    with pytest.raises(
        ImageError, match="expected one of PNG, JPEG, WEBP, TIFF, AVIF, GIF, BMP: conv"
    ) as caught:
        read(path)
    name = kind.partition(" of ")[0].partition(" as ")[0].partition(" by ")[0]
    assert f"innocent.png' is a {name} file, which is not read; " in str(caught.value)


def test_avif_is_told_by_any_of_its_brands():
    whole = saved("AVIF")
    assert whole[4:12] == b"ftypavif"
    other = whole.replace(b"ftypavif", b"ftypmif1", 1)
    assert b"avif" in other[16:32]
    assert read(other).size == (14, 12)


def raw_tiff(first: int, *tags: tuple[int, str, int, int]) -> bytes:
    """A TIFF whose first picture is a small one, of this kind, and the second another."""
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as file:
        extra = [(*tag, True) for tag in tags]
        file.write(
            PICTURE[:4, :5], photometric="rgb", subfiletype=first, metadata=None, extratags=extra
        )
        file.write(PICTURE, photometric="rgb", metadata=None)
    return stream.getvalue()


def test_a_reduced_picture_is_passed_over_where_there_is_another():
    assert read(raw_tiff(1)).size == (14, 12)
    assert read(raw_tiff(0)).size == (5, 4)
    alone = deep_tiff(PICTURE, subfiletype=1, metadata=None)
    assert read(alone).size == (14, 12)
    old = bytearray(deep_tiff(PICTURE[:4, :5], metadata=None, extratags=[(255, "H", 1, 2, True)]))
    assert read(bytes(old)).size == (5, 4)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (raw_tiff(1, (50706, "B", 4, b"\1\4\0\0")), r"camera raw file \(DNG\)"),
        (
            deep_tiff(PICTURE, subfiletype=1, extratags=[(65000, "I", 1, 8, True)]).replace(
                b"\xe8\xfd\x04\0", b"\x4a\x01\x04\0"
            ),
            "camera raw file,",
        ),
        (
            tiff_header(4, 4).replace(
                struct.pack("<2H2I", 262, 4, 1, 1), struct.pack("<2H2I", 262, 4, 1, 32803)
            ),
            "camera raw file,",
        ),
    ],
    ids=["dng", "sub directories", "mosaic"],
)
def test_camera_raw_is_refused_by_its_name(data, said):
    with pytest.raises(ImageError, match=f"is a {said}.*which is not read; develop it"):
        read(data)


def test_a_size_that_stands_elsewhere_is_no_size_of_a_page():
    """A number of 8 bytes does not fit into a tag of a TIFF of 1992."""
    data = tiff_header(40, 25)
    for tag in (254, 256, 257, 262):
        at = data.find(struct.pack("<2H", tag, 4))
        if at > 0:
            with contextlib.suppress(ImageError):
                read(data[:at] + struct.pack("<2H", tag, 16) + data[at + 4 :])


LATE = """
import logging
import swag.image
for name in ("pyvips", "PIL.PngImagePlugin", "tifffile"):
    logging.getLogger(name).warning("late words")
"""


def test_what_a_library_logs_later_is_not_printed():
    """As threads of libvips do when a picture was refused."""
    done = subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_picture_without_pixels_is_refused():
    for data in (png_header(0, 5), tiff_header(0, 5), tiff_header(5, 0)):
        with pytest.raises(ImageError):
            read(data)


def test_a_file_that_breaks_while_it_is_read_is_refused():
    class Broken(io.RawIOBase):
        def read(self, size: int = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(ImageError, match="Input/output error"):
        read(Broken())


def test_threads_leave_the_filters_of_warnings_as_they_were():
    before, failures = list(warnings.filters), []

    def work() -> None:
        for _ in range(10):
            for seed in ("png", "lzw tiff", "webp"):
                try:
                    assert 14 in read(SEEDS[seed]).size
                except BaseException as error:
                    failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert list(warnings.filters) == before


def test_a_tiff_whose_data_are_missing_is_refused():
    whole = tiff_header(40, 25)
    at = whole.index(struct.pack("<2HI", 279, 4, 1)) + 8  # the length of its only strip
    for length in (0, 1_000_000):
        data = whole[:at] + struct.pack("<I", length) + whole[at + 4 :]
        with pytest.raises(ImageError, match="is truncated"):
            read(data)
    assert read(whole).size == (40, 25)


def test_what_pillow_warns_of_is_not_passed_on():
    body = b"acTL" + bytes(8)  # an animation of no pictures, around one that is whole
    chunk = struct.pack(">I", 8) + body + struct.pack(">I", zlib.crc32(body))
    plain = saved("PNG")
    data = plain[:33] + chunk + plain[33:]
    with pytest.warns(UserWarning, match="Invalid APNG"):
        Image.open(io.BytesIO(data))
    assert outcome(data) == "read"


def test_a_tiff_with_fewer_strips_than_its_rows_need_is_refused():
    """tifffile would fill a picture of any size with zeros, for as long as that takes."""
    whole = bytearray(deep_tiff(PICTURE, compression="zlib", rowsperstrip=12, metadata=None))
    at = whole.index(struct.pack("<2H2I", 257, 4, 1, 12)) + 8  # the number of rows
    whole[at : at + 4] = struct.pack("<I", 60_000)
    with pytest.raises(ImageError, match="is truncated"):
        read(bytes(whole))


@pytest.mark.parametrize("words", [b"\x1b]0;title\x07", b"\x9b31m\r\n", "\u202e".encode()])
def test_words_of_a_file_are_printed_without_commands_to_a_terminal(words):
    colors = deep_tiff(PICTURE, metadata=None)
    at = colors.index(struct.pack("<2HI", 262, 3, 1))
    entry = struct.pack("<2HI4s", 262, 2, 4, words[:4])
    for data in (
        colors[:at] + entry + colors[at + 12 :],
        (plain := saved("PNG"))[:33] + struct.pack(">I", 4) + words[:4] + bytes(8) + plain[33:],
    ):
        with pytest.raises(ImageError) as caught:
            read(data)
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("number", [7, (1 << 32) - 1])
def test_a_profile_that_is_a_number_cannot_be_used(number):
    data = deep_tiff(PICTURE, metadata=None, extratags=[(34675, "I", 1, number, True)])
    with pytest.warns(UserWarning, match="color profile cannot be used"):
        assert read(data).size == (14, 12)
