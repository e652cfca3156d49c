"""Colors that are declared without a profile are honored, or there is a warning."""

import io
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
from hostile_pictures import chunk
from picture_files import saved
from PIL import Image

from swag.image import decode, read, vips
from swag.image.limits import MAX_PROFILE_BYTES

RGB = np.random.default_rng(0).integers(0, 256, (16, 19, 3)).astype(np.uint8)
GRAY = np.ascontiguousarray(RGB[..., 0])
EXTRA = pytest.mark.skipif(not vips.is_available(), reason="the extra `large` is not installed")
SRGB = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
P3 = (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)


def encoded(light: np.ndarray) -> np.ndarray:
    """The sRGB curve."""
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def decoded(values: np.ndarray) -> np.ndarray:
    """From sRGB to light."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def to_srgb(light: np.ndarray, primaries: tuple[float, ...]) -> np.ndarray:
    """Light of these primaries as sRGB, by their chromaticities; the white is that of sRGB."""

    def to_xyz(points: tuple[float, ...]) -> np.ndarray:
        pairs = [points[at : at + 2] for at in (2, 4, 6)]
        columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in pairs]).T
        x, y = points[:2]
        return columns * np.linalg.solve(columns, [x / y, 1, (1 - x - y) / y])

    return encoded(light @ np.linalg.solve(to_xyz(SRGB), to_xyz(primaries)).T)


def png(samples: np.ndarray, **chunks: bytes) -> bytes:
    deep = samples.dtype == np.uint16
    plain = bytes(imagecodecs.png_encode(samples)) if deep else saved(samples)
    more = b"".join(chunk(kind.encode(), body) for kind, body in chunks.items())
    return plain[:33] + more + plain[33:]


def chromaticities(primaries: tuple[float, ...]) -> bytes:
    return struct.pack(">8I", *(round(100_000 * value) for value in primaries))


def gamma(value: float) -> bytes:
    return struct.pack(">I", round(100_000 * value))


def values(data: bytes) -> np.ndarray:
    return read(data).pixels.permute(1, 2, 0).numpy()


LARGE = pytest.mark.parametrize("large", [False, pytest.param(True, marks=EXTRA)])


@LARGE
@pytest.mark.parametrize("depth", [8, 16])
def test_a_linear_png_is_encoded(depth, large, monkeypatch):
    monkeypatch.setattr(decode, "LARGE_PIXELS", 1 if large else 1 << 24)
    samples = RGB if depth == 8 else RGB.astype(np.uint16) * 257
    for chunks in (
        {"gAMA": gamma(1)},
        {"gAMA": gamma(1), "cHRM": chromaticities(SRGB)},
        {"cICP": bytes([1, 8, 0, 1])},
    ):
        found = values(png(samples, **chunks))
        np.testing.assert_allclose(found, encoded(RGB / 255), atol=2e-3)
        assert np.abs(found - RGB / 255).mean() > 0.1


def test_a_linear_gray_png_is_encoded():
    found = values(png(GRAY, gAMA=gamma(1)))
    np.testing.assert_allclose(found[..., 1], encoded(GRAY / 255), atol=1e-4)


def test_a_gamma_is_followed():
    found = values(png(RGB, gAMA=gamma(1 / 1.8)))
    np.testing.assert_allclose(found, encoded((RGB / 255) ** 1.8), atol=2e-3)


@LARGE
def test_primaries_are_followed(large, monkeypatch):
    monkeypatch.setattr(decode, "LARGE_PIXELS", 1 if large else 1 << 24)
    expected = to_srgb(decoded(RGB / 255), P3)
    for chunks in ({"cHRM": chromaticities(P3)}, {"cICP": bytes([12, 13, 0, 1])}):
        found = values(png(RGB, **chunks))
        np.testing.assert_allclose(found, expected, atol=3e-3)
        assert np.abs(found - RGB / 255).max() > 0.05


@pytest.mark.parametrize(
    "chunks",
    [
        {"gAMA": gamma(0.45455)},
        {"gAMA": gamma(0.45455), "cHRM": chromaticities(SRGB)},
        {"sRGB": b"\0", "gAMA": gamma(1)},
        {"cICP": bytes([1, 13, 0, 1]), "gAMA": gamma(1)},
        {"cICP": bytes([1, 1, 0, 1])},
        {"cICP": bytes([1, 13, 0, 1]), "iCCP": b"x\0\0junk"},
    ],
    ids=str,
)
def test_what_says_srgb_changes_nothing_at_all(chunks):
    if "iCCP" in chunks:
        with_profile = saved(RGB, icc_profile=imagecodecs.cms_profile("adobergb"))
        data = with_profile[:33] + chunk(b"cICP", chunks["cICP"]) + with_profile[33:]
    else:
        data = png(RGB, **chunks)
    np.testing.assert_array_equal(values(data), np.float32(RGB) / np.float32(255))


def test_a_profile_that_is_too_large_is_named_even_if_it_cannot_be_compressed():
    adobe = imagecodecs.cms_profile("adobergb")
    profile = adobe + np.random.default_rng(0).bytes(MAX_PROFILE_BYTES)
    data = png(RGB, iCCP=b"x\0\0" + zlib.compress(profile))
    with pytest.warns(UserWarning, match="color profile cannot be used .*more than 4194304"):
        np.testing.assert_array_equal(values(data), np.float32(RGB) / np.float32(255))


@pytest.mark.parametrize(
    ("chunks", "said"),
    [
        ({"cICP": bytes([9, 16, 0, 1])}, "PQ"),
        ({"cICP": bytes([9, 18, 0, 1])}, "HLG"),
        ({"cICP": bytes([77, 13, 0, 1])}, "numbers 77 and 13 of H.273"),
        ({"gAMA": bytes(4)}, "a gamma of 0"),
    ],
)
def test_colors_that_are_not_applied_are_warned_of(chunks, said):
    with pytest.warns(UserWarning, match=f"declared as {said}.* read as sRGB"):
        np.testing.assert_array_equal(values(png(RGB, **chunks)), np.float32(RGB) / np.float32(255))


def test_primaries_of_nonsense_are_warned_of():
    with pytest.warns(UserWarning, match="declared as primaries that do not exist"):
        values(png(RGB, cHRM=bytes(32)))


def avif(primaries: int, transfer: int) -> bytes:
    data = bytearray(saved(RGB, "AVIF", quality=100, subsampling="4:4:4"))
    at = data.index(b"nclx") + 4
    data[at : at + 4] = struct.pack(">2H", primaries, transfer)
    return bytes(data)


def test_the_numbers_of_an_avif_are_followed():
    plain = values(avif(1, 13))
    np.testing.assert_allclose(values(avif(1, 8)), encoded(plain), atol=3e-3)
    np.testing.assert_allclose(values(avif(12, 13)), to_srgb(decoded(plain), P3), atol=4e-3)
    np.testing.assert_array_equal(values(avif(2, 2)), plain)
    with pytest.warns(UserWarning, match=r"declared as PQ"):
        np.testing.assert_array_equal(values(avif(9, 16)), plain)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
@pytest.mark.parametrize("space", [2, 65535, 1])
def test_adobe_rgb_is_known_by_its_exif(kind, space):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA001] = space
    if space != 2:
        exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95}
    stream = io.BytesIO()
    Image.fromarray(RGB).save(stream, kind, exif=exif, **options)
    profile = imagecodecs.cms_profile("adobergb")
    known = saved(RGB, kind, icc_profile=profile, **options)
    plain = saved(RGB, kind, **options)
    expected = values(plain if space == 1 else known)
    np.testing.assert_allclose(values(stream.getvalue()), expected, atol=1e-6)
    assert np.abs(values(plain) - values(known)).max() > 0.05
