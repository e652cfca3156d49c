"""Reading: every mode, orientation, profile and kind of source, against values known beforehand."""

import hashlib
import importlib
import io
import os
import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
import torch
from picture_files import saved
from PIL import Image, ImageCms

from swag.config import settings
from swag.errors import ImageError
from swag.image import Picture, read, read_hashed, source
from swag.image.color_management import srgb_profile
from swag.run.inputs import read_inputs

RGB = np.random.default_rng(0).integers(0, 256, (6, 9, 3)).astype(np.uint8)
GRAY = np.ascontiguousarray(RGB[..., 0])
DEEP = np.random.default_rng(1).integers(0, 65536, (6, 9, 4)).astype(np.uint16)


def tiff(samples: np.ndarray, **options) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, samples, metadata=None, **options)
    return stream.getvalue()


def deep_png(samples: np.ndarray, transparent: tuple[int, ...] = ()) -> bytes:
    data = bytes(imagecodecs.png_encode(np.ascontiguousarray(samples)))
    if not transparent:
        return data
    body = b"tRNS" + struct.pack(f">{len(transparent)}H", *transparent)
    return (
        data[:33]
        + struct.pack(">I", len(body) - 4)
        + body
        + struct.pack(">I", zlib.crc32(body))
        + data[33:]
    )


def values(picture: Picture) -> np.ndarray:
    return picture.pixels.permute(1, 2, 0).numpy()


def same(got: np.ndarray | torch.Tensor, expected: np.ndarray, tolerance: float = 1e-6) -> None:
    np.testing.assert_allclose(np.asarray(got), expected, rtol=0, atol=tolerance)


def encoded(linear: float | np.ndarray) -> np.ndarray:
    """The sRGB curve."""
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


# --- modes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_eight_bit_colors_come_back_exactly(kind):
    same(
        values(read(saved(RGB, kind, **({"lossless": True} if kind == "WEBP" else {})))), RGB / 255
    )


@pytest.mark.parametrize(("kind", "tolerance"), [("JPEG", 0.02), ("AVIF", 0.02)])
def test_lossy_formats_come_back_closely(kind, tolerance):
    flat = np.full((16, 16, 3), (200, 90, 30), np.uint8)
    same(values(read(saved(flat, kind, quality=95))), flat / 255, tolerance)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_gray_is_repeated_in_three_channels(kind):
    picture = read(saved(GRAY, kind))
    same(values(picture), np.repeat(GRAY[..., None] / 255, 3, 2))
    assert picture.alpha is None
    assert picture.size == (9, 6)
    assert picture.batch.shape == (1, 3, 6, 9)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("compression", [None, "group4"])
def test_single_bits_are_black_and_white(kind, compression):
    if kind == "PNG" and compression:
        compression = None
    bits = Image.fromarray(GRAY).point(lambda v: 255 * (v > 100)).convert("1", dither=0)
    options = {"compression": compression} if compression else {}
    same(values(read(saved(bits, kind, **options)))[..., 1], GRAY > 100)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_a_palette_becomes_its_colors(kind):
    image = Image.fromarray(RGB).quantize(17)
    same(values(read(saved(image, kind))), np.asarray(image.convert("RGB")) / 255)


def test_a_transparent_palette_entry_becomes_alpha():
    image = Image.fromarray(RGB).quantize(17)
    picture = read(saved(image, transparency=3))
    same(picture.alpha[0], np.asarray(image) != 3)
    same(values(picture), np.asarray(image.convert("RGB")) / 255)


def test_partly_transparent_palette_entries_become_partial_alpha():
    image = Image.fromarray(RGB).quantize(4)
    table = np.array([0, 90, 200, 255])
    picture = read(saved(image, transparency=bytes(table.tolist())))
    same(picture.alpha[0], table[np.asarray(image)] / 255)


def test_a_transparent_color_becomes_alpha():
    picture = read(saved(RGB, transparency=tuple(int(v) for v in RGB[2, 3])))
    same(picture.alpha[0], (RGB != RGB[2, 3]).any(2))
    gray = read(saved(GRAY, transparency=int(GRAY[2, 3])))
    same(gray.alpha[0], GRAY[2, 3] != GRAY)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_alpha_is_kept_beside_the_colors(kind):
    rgba = np.dstack([RGB, GRAY])
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    picture = read(saved(rgba, kind, **options))
    same(values(picture), RGB / 255)
    same(picture.alpha[0], GRAY / 255)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_gray_with_alpha_is_kept(kind):
    image = Image.merge("LA", [Image.fromarray(GRAY), Image.fromarray(RGB[..., 1].copy())])
    picture = read(saved(image, kind))
    same(values(picture)[..., 2], GRAY / 255)
    same(picture.alpha[0], RGB[..., 1] / 255)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_all_sixteen_bits_of_a_png_are_kept(channels):
    samples = DEEP[..., 0] if channels == 1 else DEEP[..., :channels]
    picture = read(deep_png(samples))
    expected = DEEP[..., :1] if channels < 3 else DEEP[..., :3]
    same(values(picture), np.broadcast_to(expected, (6, 9, 3)) / 65535, 1e-7)
    assert (picture.alpha is None) == (channels in (1, 3))
    if channels in (2, 4):
        same(picture.alpha[0], DEEP[..., channels - 1] / 65535, 1e-7)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_transparent_color_of_sixteen_bits_is_compared_in_all_of_them(channels):
    samples = DEEP[..., :channels].copy()
    samples[0, 0] = samples[2, 3] ^ 1  # differs in the bit that eight bits do not see
    picture = read(deep_png(samples.squeeze(), tuple(int(v) for v in samples[2, 3])))
    same(picture.alpha[0], (samples != samples[2, 3]).any(2))
    assert picture.alpha[0, 0, 0] == 1


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"tile": (16, 16)}])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("dtype", [np.uint16, np.uint32, np.float32])
def test_deep_tiffs_are_kept(options, planar, dtype):
    unit = DEEP[..., :3] / 65535
    samples = unit if dtype == np.float32 else np.rint(unit * np.iinfo(dtype).max)
    stored = samples.astype(dtype)
    if planar == "separate":
        stored = np.ascontiguousarray(np.moveaxis(stored, -1, 0))
    data = tiff(stored, photometric="rgb", planarconfig=planar, **options)
    same(values(read(data)), unit, 1e-6)


def test_deep_gray_tiffs_are_kept_and_white_may_be_zero():
    gray = DEEP[..., 0]
    same(values(read(tiff(gray, photometric="minisblack")))[..., 0], gray / 65535)
    same(values(read(tiff(gray, photometric="miniswhite")))[..., 0], 1 - gray / 65535)


@pytest.mark.parametrize("bits", [2, 4, 12])
def test_tiffs_of_odd_depths_reach_from_black_to_white(bits):
    dtype = np.uint8 if bits < 8 else np.uint16
    samples = (np.arange(54).reshape(6, 9) * 77 % 2**bits).astype(dtype)
    data = tiff(samples, photometric="minisblack", bitspersample=bits)
    step = 0.5 / np.iinfo(dtype).max
    same(values(read(data))[..., 0], samples / (2**bits - 1), step + 1e-6)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_tiff_alpha_is_kept_and_premultiplied_colors_are_divided(dtype):
    alpha = np.linspace(0.25, 1, 54).reshape(6, 9, 1)
    color = DEEP[..., :3] / 65535
    scale = 65535 if dtype == np.uint16 else 1
    for kind, stored in (("unassalpha", color), ("assocalpha", color * alpha)):
        samples = np.concatenate([stored, alpha], 2) * scale
        samples = (np.rint(samples) if scale > 1 else samples).astype(dtype)
        picture = read(tiff(samples, photometric="rgb", extrasamples=[kind]))
        same(values(picture), color, 7e-5 if scale > 1 else 1e-6)  # twice rounded, then over 0.25
        same(picture.alpha[0], alpha[..., 0], 1e-5)


def test_a_jpeg_inside_a_tiff_is_read():
    flat = np.full((16, 16, 3), (200, 90, 30), np.uint8)
    same(values(read(saved(flat, "TIFF", compression="jpeg"))), flat / 255, 0.02)


def test_cmyk_without_a_profile_is_ink_on_white_paper():
    inks = np.dstack([RGB, GRAY])
    expected = (1 - RGB / 255) * (1 - GRAY[..., None] / 255)
    same(values(read(saved(Image.fromarray(inks, "CMYK"), "TIFF"))), expected)
    flat = np.full((16, 16, 4), (0, 255, 255, 51), np.uint8)
    jpeg = saved(Image.fromarray(flat, "CMYK"), "JPEG", quality=95)
    same(values(read(jpeg)), np.broadcast_to([0.8, 0, 0], (16, 16, 3)), 0.02)


def test_the_first_picture_of_several_is_read():
    first, second = Image.fromarray(RGB), Image.new("RGB", (9, 6), "blue")
    for kind in ("TIFF", "PNG", "WEBP"):
        options = {"lossless": True} if kind == "WEBP" else {}
        data = saved(first, kind, save_all=True, append_images=[second], **options)
        same(values(read(data)), RGB / 255)
    phone = saved(Image.new("RGB", (8, 8), "red"), "MPO", save_all=True, append_images=[second])
    assert read(phone).pixels[:, 4, 4].tolist() == pytest.approx([1, 0, 0], abs=0.02)


# --- orientation -------------------------------------------------------------------------------

# EXIF 2.3, tag 274: which row and column of the stored picture is the upright one's top left,
# and whether rows run down (as "rows") or across (as "columns").
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: np.rot90(a, 2),
    4: lambda a: a[::-1],
    5: lambda a: np.transpose(a, (1, 0, 2)),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(np.transpose(a, (1, 0, 2)), 2),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "AVIF"])
def test_pictures_are_turned_upright_with_their_alpha(orientation, kind):
    rgba = np.dstack([RGB, GRAY])
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"WEBP": {"lossless": True, "exact": True}, "AVIF": {"quality": 100}}.get(kind, {})
    picture = read(saved(rgba, kind, exif=exif, **options))
    upright = UPRIGHT[orientation](rgba) / 255
    tolerance = 0.15 if kind == "AVIF" else 1e-6  # noise of single pixels, in 4:2:0
    same(picture.alpha[0], upright[..., 3], 0.03 if kind == "AVIF" else 1e-6)
    assert picture.size == (upright.shape[1], upright.shape[0])
    if kind != "AVIF":
        same(values(picture), upright[..., :3], tolerance)


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_jpegs_and_pillow_pictures_are_turned_upright_once(orientation):
    blocks = np.kron(RGB[:2, :3], np.ones((16, 16, 1), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(blocks, "JPEG", exif=exif, quality=100, subsampling="4:4:4")
    upright = UPRIGHT[orientation](blocks) / 255
    same(values(read(data)), upright, 0.02)
    same(values(read(Image.open(io.BytesIO(data)))), upright, 0.02)


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_deep_tiffs_are_turned_upright(orientation):
    data = tiff(DEEP[..., :3], photometric="rgb", extratags=[(274, "H", 1, orientation, True)])
    same(values(read(data)), UPRIGHT[orientation](DEEP[..., :3]) / 65535)


def test_an_orientation_that_does_not_exist_turns_nothing():
    exif = Image.Exif()
    exif[0x0112] = 77
    same(values(read(saved(RGB, exif=exif))), RGB / 255)


# --- color profiles ---------------------------------------------------------------------------


def adobe_to_srgb(color: np.ndarray) -> np.ndarray:
    """Adobe RGB (1998) to sRGB, both of white D65, from their primaries' chromaticities."""

    def to_xyz(primaries: list[tuple[float, float]]) -> np.ndarray:
        columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
        white = np.array([0.3127 / 0.329, 1, (1 - 0.3127 - 0.329) / 0.329])
        return columns * np.linalg.solve(columns, white)

    adobe = to_xyz([(0.64, 0.33), (0.21, 0.71), (0.15, 0.06)])
    srgb = to_xyz([(0.64, 0.33), (0.30, 0.60), (0.15, 0.06)])
    linear = (color.astype(float)) ** (563 / 256)
    return encoded(linear @ np.linalg.solve(srgb, adobe).T)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_a_wide_gamut_profile_is_converted(kind):
    profile = imagecodecs.cms_profile("adobergb")
    options = {"lossless": True} if kind == "WEBP" else {}
    got = values(read(saved(RGB, kind, icc_profile=profile, **options)))
    same(got, adobe_to_srgb(RGB / 255), 2e-3)
    assert np.abs(got - RGB / 255).max() > 0.1


def test_a_profile_is_converted_in_sixteen_bits():
    profile = imagecodecs.cms_profile("adobergb")
    ramp = np.linspace(20000, 20200, 64).astype(np.uint16).reshape(8, 8)
    samples = np.repeat(ramp[..., None], 3, 2)
    got = values(read(tiff(samples, photometric="rgb", iccprofile=profile)))
    same(got, adobe_to_srgb(samples / 65535), 2e-3)
    assert len(np.unique(got[..., 0])) > 50  # of eight bits one or two would be left
    floats = (samples / 65535).astype(np.float32)
    same(values(read(tiff(floats, photometric="rgb", iccprofile=profile))), got, 3e-5)


def test_a_gray_profile_is_converted():
    profile = imagecodecs.cms_profile("gray", gamma=1.0)
    got = values(read(saved(GRAY, icc_profile=profile)))
    same(got, np.repeat(encoded(GRAY / 255)[..., None], 3, 2), 3e-5)
    deep = values(read(tiff(DEEP[..., 0], photometric="minisblack", iccprofile=profile)))
    same(deep[..., 1], encoded(DEEP[..., 0] / 65535), 3e-5)


def cmyk_profile() -> bytes:
    """A profile of an odd press whose cyan, magenta and yellow are water: L = 100 (1 - K)."""
    ramp = bytes(range(256))
    nodes = b"".join(
        bytes([0 if k else 255, 128, 128]) for cmy in range(8) for k in (0, 1)
    )  # Lab at the corners of the cube; black varies fastest
    identity = struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + identity + ramp * 4 + nodes + ramp * 3
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78)
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    tags, offset, body = b"", 128 + 4 + 3 * 12, b""
    for name, data in ((b"desc", text), (b"wtpt", white), (b"A2B0", lut)):
        data += bytes(-len(data) % 4)
        tags += name + struct.pack(">2I", offset + len(body), len(data))
        body += data
    size = offset + len(body)
    header = struct.pack(">I4sI4s4s4s", size, b"test", 0x02400000, b"prtr", b"CMYK", b"Lab ")
    header += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    header += struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + struct.pack(">I", 3) + tags + body


@pytest.mark.parametrize("kind", ["TIFF", "JPEG"])
def test_a_cmyk_profile_is_followed(kind):
    inks = np.full((16, 16, 4), (255, 90, 0, 128), np.uint8)
    options = {"quality": 100} if kind == "JPEG" else {}
    data = saved(Image.fromarray(inks, "CMYK"), kind, icc_profile=cmyk_profile(), **options)
    lightness = 100 * 127 / 255
    gray = float(encoded(((lightness + 16) / 116) ** 3))
    same(values(read(data)), np.full((16, 16, 3), gray), 0.01)


@pytest.mark.parametrize("source", ["file", "pillow"])
def test_lab_is_converted(source):
    lab = np.zeros((4, 4, 3), np.uint8)
    lab[:2] = (128, 0, 0)  # a and b are signed: 0 is neutral
    lab[2:] = (136, 81, 67)  # sRGB red is L 53.2, a 80.1, b 67.2 under D65 ...
    image = Image.frombytes("LAB", (4, 4), lab.tobytes())
    got = values(read(saved(image, "TIFF") if source == "file" else image))
    gray = float(encoded(((128 / 2.55 + 16) / 116) ** 3))
    same(got[:2], np.full((2, 4, 3), gray), 0.01)
    assert got[3, 0, 0] > 0.97  # ... and nearly that under the profile's D50
    assert got[3, 0, 1:].max() < 0.15


@pytest.mark.parametrize(
    "profile",
    [b"junk", srgb_profile()[:300], bytes(600), imagecodecs.cms_profile("gray", gamma=1.0)],
    ids=["junk", "cut", "zeros", "of gray"],
)
def test_a_profile_that_cannot_be_used_is_ignored_with_a_warning(profile):
    with pytest.warns(UserWarning, match="color profile cannot be used"):
        picture = read(saved(RGB, "WEBP", lossless=True, icc_profile=profile))
    same(values(picture), RGB / 255)


def test_a_huge_profile_is_ignored_with_a_warning():
    with pytest.warns(UserWarning, match="more than 4194304"):
        same(values(read(saved(RGB, "TIFF", icc_profile=bytes(4_194_305)))), RGB / 255)


def test_our_own_profile_changes_nothing_at_all():
    assert torch.equal(read(saved(RGB, icc_profile=srgb_profile())).pixels, read(RGB).pixels)


def test_another_srgb_profile_changes_next_to_nothing():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    same(values(read(saved(RGB, icc_profile=profile))), RGB / 255, 1e-4)


# --- sources -----------------------------------------------------------------------------------


class Stream(io.RawIOBase):
    """A stream that cannot be searched, like standard input."""

    def __init__(self, data: bytes) -> None:
        self.inner = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        return self.inner.read(size)


def test_every_source_gives_the_same_picture(tmp_path: Path):
    data = saved(RGB)
    path = tmp_path / "a picture"  # the extension says nothing
    path.write_bytes(data)
    expected = torch.tensor(RGB).permute(2, 0, 1) / 255
    with path.open("rb") as file:
        for source in (
            str(path),
            path,
            data,
            bytearray(data),
            memoryview(data),
            io.BytesIO(data),
            Stream(data),
            file,
            Image.fromarray(RGB),
            RGB,
            RGB / 255,
            (RGB / 255).astype(np.float32),
            RGB.astype(np.uint16) * 257,
            expected,
            expected[None],
            expected.double(),
            Picture(expected),
        ):
            picture = read(source)
            assert picture.pixels.dtype == torch.float32
            assert picture.alpha is None
            assert torch.allclose(picture.pixels, expected, rtol=0, atol=1e-6), type(source)


def test_a_file_is_closed_after_reading_and_a_file_object_is_not(tmp_path: Path):
    path = tmp_path / "a.tif"
    path.write_bytes(saved(RGB, "TIFF"))
    with path.open("rb") as file:
        read(file)
        assert not file.closed
    read(path)  # an open file left behind would be a ResourceWarning, which is an error here


def test_channels_of_arrays_and_tensors_are_told_by_their_number():
    same(values(read(GRAY))[..., 1], GRAY / 255)
    both = read(np.dstack([GRAY, RGB[..., 1]]))
    same(both.alpha[0], RGB[..., 1] / 255)
    four = read(torch.tensor(np.dstack([RGB, GRAY])).permute(2, 0, 1))
    same(values(four), RGB / 255)
    same(four.alpha[0], GRAY / 255)


@pytest.mark.parametrize("mode", ["I;16", "I", "F", "HSV", "YCbCr", "RGBa", "La", "PA", "RGBX"])
def test_pillow_pictures_of_every_mode_are_read(mode):
    if mode in ("I;16", "I", "F"):
        full = DEEP[..., 0] / 65535
        samples = {"I;16": DEEP[..., 0], "I": DEEP[..., 0].astype(np.int32), "F": full}[mode]
        image = Image.fromarray(samples.astype(np.float32) if mode == "F" else samples)
        same(values(read(image))[..., 0], full)
        return
    base = {"RGBa": "RGBA", "La": "LA", "PA": "P"}.get(mode, "RGB")
    image = Image.new("RGB", (4, 4), (255, 255, 255)).convert(base).convert(mode)
    same(values(read(image)), np.ones((4, 4, 3)))


def test_a_result_is_a_copy_without_a_gradient():
    tensor = torch.rand(3, 4, 5, generator=torch.Generator().manual_seed(0)).requires_grad_()
    picture = read(tensor)
    assert not picture.pixels.requires_grad
    picture.pixels.zero_()
    assert tensor.abs().sum() > 0


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (np.zeros((4, 5, 7)), "shape (4, 5, 7)"),
        (np.zeros(5), "shape (5,)"),
        (np.zeros((0, 5, 3)), "no pixels (5 x 0)"),
        (np.full((2, 2, 3), 200.0), "from 200 to 200; expected floats in [0, 1]"),
        (np.full((2, 2, 3), np.nan), "nan"),
        (np.zeros((2, 2, 3), np.int64), "type int64"),
        (np.zeros((2, 2, 3), complex), "type complex128"),
        (torch.zeros(2, 3, 4, 4), "shape (2, 3, 4, 4)"),
        (torch.full((3, 2, 2), -1.0), "from -1 to -1"),
        (Image.new("F", (2, 2), 7), "from 7 to 7"),
        (Image.new("I", (2, 2), 70000), "values from 70000 to 70000"),
        (Image.new("RGB", (0, 3)), "no pixels"),
        (io.StringIO("words"), "binary mode"),
        (b"", "is empty"),
        (b"words", "is not a picture; expected one of PNG, JPEG, WEBP, TIFF, AVIF, GIF, BMP"),
    ],
)
def test_what_is_no_picture_is_refused_in_one_line(source, said):
    with pytest.raises(ImageError) as caught:
        read(source)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


# --- size --------------------------------------------------------------------------------------


def test_size_is_the_long_side_whether_it_shrinks_or_enlarges():
    for size in (3, 5, 9, 40):
        assert max(read(RGB, size=size).size) == size
    assert read(RGB, size=18).size == (18, 12)
    assert read(np.swapaxes(RGB, 0, 1), size=18).size == (12, 18)


def test_a_pair_is_the_exact_height_and_width():
    picture = read(np.dstack([RGB, GRAY]), size=(7, 4))
    assert picture.pixels.shape == (3, 7, 4)
    assert picture.alpha.shape == (1, 7, 4)


def test_resized_values_stay_in_range():
    edges = np.kron(np.random.default_rng(2).integers(0, 2, (5, 5, 4)), np.ones((3, 3, 1)))
    for size in (7, 40):
        picture = read(edges, size=size)
        for layer in (picture.pixels, picture.alpha):
            assert layer.min() >= 0
            assert layer.max() <= 1


def test_hidden_colors_do_not_bleed_into_visible_ones():
    picture = np.zeros((8, 8, 4))
    picture[..., 0] = 1  # red to see, ...
    picture[:, :4] = (0, 1, 0, 0)  # ... and green that is hidden
    picture[:, 4:, 3] = 1
    small = read(picture, size=4)
    seen = small.alpha[0] > 0.1
    assert seen.any()
    assert (small.pixels[0][seen] > 0.99).all()
    assert (small.pixels[1][seen] < 0.01).all()


@pytest.mark.parametrize("size", [0, -3, (0, 5)])
def test_a_size_below_one_pixel_is_refused(size):
    with pytest.raises(ImageError, match="expected 1 pixel or more"):
        read(RGB, size=size)


def test_a_size_beyond_the_limit_is_refused():
    with pytest.raises(ImageError, match=r"size=1000.* more than the limit of 5000"):
        read(RGB, size=1000, max_pixels=5000)


# --- what was read -----------------------------------------------------------------------------


def exchanging(monkeypatch, action) -> None:
    """Something happens to files while the first is decoded."""
    module, done = importlib.import_module("swag.image.read"), []

    def decode(*args, **options):
        if not done:
            done.append(action())
        return original(*args, **options)

    original = module.decode
    monkeypatch.setattr(module, "decode", decode)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_the_hash_is_of_what_was_decoded(kind, tmp_path: Path, monkeypatch):
    path, data = tmp_path / "a", saved(RGB, kind)
    path.write_bytes(data)
    (tmp_path / "b").write_bytes(saved(RGB[::-1].copy(), kind))
    exchanging(monkeypatch, lambda: os.replace(tmp_path / "b", path))
    picture, digest = read_hashed(path)
    same(values(picture), RGB / 255)
    assert digest == hashlib.sha256(data).hexdigest()
    assert read_hashed(path)[1] != digest


def test_a_pipe_that_takes_the_place_of_a_photo_is_not_waited_for(tmp_path: Path, monkeypatch):
    path, data = tmp_path / "a.png", saved(RGB)
    path.write_bytes(data)
    os.mkfifo(tmp_path / "pipe")
    exchanging(monkeypatch, lambda: os.replace(tmp_path / "pipe", path))
    inputs = read_inputs(settings(size=16), "stylize", path, RGB)
    assert inputs.hashes["content"] == hashlib.sha256(data).hexdigest()
    with pytest.raises(ImageError, match="is a pipe"):
        read_hashed(path)


def test_a_file_that_is_written_to_while_it_is_read_is_refused(tmp_path: Path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(saved(RGB))
    exchanging(monkeypatch, lambda: path.write_bytes(saved(RGB[::-1].copy()) + b"more"))
    with pytest.raises(ImageError, match=r"a.png' was changed while it was read; try again"):
        read_hashed(path)


def test_what_is_no_file_has_a_hash_too():
    data = saved(RGB)
    assert read_hashed(data)[1] == hashlib.sha256(data).hexdigest()
    assert read_hashed(RGB)[1] == read_hashed(torch.tensor(RGB).permute(2, 0, 1))[1]
    assert read_hashed(RGB)[1] != read_hashed(RGB[::-1].copy())[1]


class Failing(io.FileIO):
    """A file on a disk that fails."""

    def readinto(self, buffer) -> int:
        raise OSError(5, "Input/output error")


def test_a_disk_that_fails_while_a_photo_is_read_is_told(tmp_path: Path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(saved(RGB))
    failing = lambda path, *_, **__: io.BufferedReader(Failing(path))  # noqa: E731
    monkeypatch.setattr(source, "open", failing, raising=False)
    with pytest.raises(ImageError, match=r"^cannot read '.*a.png': Input/output error$"):
        read_hashed(path)


class Backwards(np.ndarray):
    """An array whose operators are others."""

    def __truediv__(self, other):
        return NotImplemented

    def __array_ufunc__(self, *args, **options):
        raise AssertionError("an operator of a subclass is used")


class Odd(torch.Tensor):
    """A tensor of a subclass."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), options=None):
        if function is torch.Tensor.mul:
            raise AssertionError("an operator of a subclass is used")
        return super().__torch_function__(function, types, args, options or {})


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize("size", [None, 5, 40])
def test_arrays_of_any_subclass_and_order_are_plain_ones(size):
    expected = read(GRAY, size=size).pixels
    wide = GRAY.astype(np.uint16) * 257
    for array in (
        np.matrix(GRAY),
        np.matrix(GRAY / 255),
        GRAY.view(Backwards),
        np.ma.masked_array(GRAY),
        wide.astype(">u2"),
        wide.astype("<u2"),
        (GRAY / 255).astype(">f4"),
        np.asfortranarray(GRAY),
    ):
        assert torch.allclose(read(array, size=size).pixels, expected, atol=1e-6), type(array)
    with pytest.raises(ImageError, match="is a masked array"):
        read(np.ma.masked_array(GRAY, GRAY > 9))


@pytest.mark.parametrize("size", [None, 5])
def test_tensors_of_any_make_are_read_or_refused_in_one_line(size):
    values = torch.rand(3, 6, 9, generator=torch.Generator().manual_seed(0))
    expected = read(values, size=size).pixels
    conjugate = torch.complex(values, -values).conj().imag  # negative by a bit
    for tensor in (conjugate, torch._neg_view(-values), values.as_subclass(Odd), values.double()):
        assert torch.equal(read(tensor, size=size).pixels, expected)
    for tensor in (
        values.to_sparse(),
        values[None].to_mkldnn(),
        values.to("meta"),
        torch.nested.as_nested_tensor([values], layout=torch.jagged),
        torch.complex(values, values).conj(),
        values.to(torch.int64),
    ):
        with pytest.raises(ImageError, match=r"expected a dense tensor of numbers|values of type"):
            read(tensor, size=size)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [None, 1, 3, 20, (4, 1), (1, 4)])
@pytest.mark.parametrize("shape", [(1, 9), (9, 1), (1, 1)])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_turned_pictures_of_one_pixels_width_are_read(kind, shape, size, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(RGB.reshape(-1, 3)[: max(shape)].reshape(*shape, 3), kind, exif=exif)
    picture = read(data, size=size)
    assert picture.pixels.is_contiguous() or size is None
    assert picture.pixels.isfinite().all()


@pytest.mark.parametrize("shape", [(1, 9, 3), (9, 1, 3), (1, 1, 4)])
def test_arrays_that_run_backwards_are_read(shape):
    array = np.random.default_rng(0).random(shape).astype(np.float32)
    for turned in (array[::-1], array[:, ::-1], array[::-1, ::-1]):
        for size in (None, 4):
            assert torch.equal(
                read(turned, size=size).pixels, read(turned.copy(), size=size).pixels
            )
