"""Writing: what comes back, what stands in the file, and what is left when it fails."""

import errno
import io
import os
import resource
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, JpegImagePlugin

from swag.errors import ImageError
from swag.image import Picture, check_writable, extensions, read, read_metadata, write
from swag.image.color_management import srgb_profile

ALL = extensions()
WITH_ALPHA = [e for e in ALL if e not in (".jpg", ".jpeg")]
DEEP = [".png", ".tif", ".tiff"]
SETTINGS = {"swag": '{"name": "Tübingen 夜", "steps": 100}\n', "comment": ""}


def smooth(height: int = 24, width: int = 33) -> Picture:
    """Slow waves of all colors, and an alpha from side to side: easy for lossy formats, too."""
    y = torch.linspace(0, 3, height)[:, None]
    x = torch.linspace(0, 4, width)[None]
    pixels = torch.stack([(x + y).sin(), (x - y).cos(), (2 * x).sin() * y.cos()]) / 2 + 0.5
    return Picture(pixels, torch.linspace(0.1, 1, width).expand(1, height, width).contiguous())


@pytest.fixture
def picture() -> Picture:
    return smooth()


# Half a step of 8 bits where the format is lossless; what quality 95 loses here where it is not.
TOLERANCE = {".png": 0.5 / 255, ".tif": 0.5 / 255, ".jpg": 0.04, ".webp": 0.12, ".avif": 0.05}
TOLERANCE |= {".tiff": TOLERANCE[".tif"], ".jpeg": TOLERANCE[".jpg"]}


@pytest.mark.parametrize("extension", ALL)
def test_a_picture_comes_back(extension, picture, tmp_path: Path):
    path = tmp_path / f"a{extension}"
    write(path, picture)
    back = read(path)
    seen = picture.pixels
    if extension not in WITH_ALPHA:
        seen = seen * picture.alpha + 1 - picture.alpha
    assert (back.pixels - seen).abs().max() < TOLERANCE[extension] + 1e-6
    assert (back.alpha is None) == (extension not in WITH_ALPHA)
    if back.alpha is not None:
        assert (back.alpha - picture.alpha).abs().max() < 0.01


@pytest.mark.parametrize("extension", DEEP)
def test_sixteen_bits_come_back(extension, picture, tmp_path: Path):
    path = tmp_path / f"a{extension}"
    write(path, picture, bits=16)
    back = read(path)
    assert (back.pixels - picture.pixels).abs().max() < 0.51 / 65535
    assert (back.alpha - picture.alpha).abs().max() < 0.51 / 65535


@pytest.mark.parametrize("extension", DEEP)
@pytest.mark.parametrize("bits", [8, 16])
def test_what_was_read_is_written_back_exactly(extension, bits, tmp_path: Path):
    steps = torch.arange(2**bits)[torch.randint(2**bits, (3, 16, 17), generator=seeded())]
    picture = Picture((steps / (2**bits - 1)).float())
    write(tmp_path / f"a{extension}", picture, bits=bits)
    assert torch.equal(read(tmp_path / f"a{extension}").pixels, picture.pixels)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_values_are_clamped_and_rounded_to_the_nearest_step(tmp_path: Path):
    row = torch.tensor([-3.0, 0.0, 0.4 / 255, 0.6 / 255, 254.6 / 255, 1.0, 9.0])
    write(tmp_path / "a.png", row.expand(3, 1, 7))
    assert (read(tmp_path / "a.png").pixels[0, 0] * 255).round().tolist() == [
        0, 0, 0, 1, 255, 255, 255,
    ]  # fmt: skip


@pytest.mark.parametrize("extension", ALL)
def test_every_kind_of_tensor_gives_the_same_file(extension, picture, tmp_path: Path):
    pixels = picture.pixels
    kinds = [pixels, pixels[None], Picture(pixels), pixels.clone().requires_grad_()]
    files = []
    for number, kind in enumerate(kinds):
        write(tmp_path / f"{number}{extension}", kind)
        files.append((tmp_path / f"{number}{extension}").read_bytes())
    assert len(set(files)) == 1


def test_jpeg_keeps_color_in_full_resolution(tmp_path: Path):
    stripes = torch.zeros(3, 32, 32)
    stripes[0, :, ::2] = 1
    stripes[2, :, 1::2] = 1
    write(tmp_path / "a.jpg", stripes)
    with Image.open(tmp_path / "a.jpg") as image:
        assert JpegImagePlugin.get_sampling(image) == 0  # 4:4:4
    assert (read(tmp_path / "a.jpg").pixels - stripes).abs().max() < 0.15
    write(tmp_path / "a.avif", stripes)
    assert (read(tmp_path / "a.avif").pixels - stripes).abs().mean() < 0.05


def test_jpeg_lays_a_transparent_picture_on_white(picture, tmp_path: Path):
    write(tmp_path / "with.jpg", picture)
    write(tmp_path / "without.jpg", picture.pixels * picture.alpha + 1 - picture.alpha)
    assert (tmp_path / "with.jpg").read_bytes() == (tmp_path / "without.jpg").read_bytes()


@pytest.mark.parametrize("extension", WITH_ALPHA)
def test_colors_under_transparent_pixels_are_kept(extension, picture, tmp_path: Path):
    hidden = replace(picture, alpha=torch.zeros_like(picture.alpha))
    write(tmp_path / f"a{extension}", hidden)
    back = read(tmp_path / f"a{extension}")
    assert (back.pixels - picture.pixels).abs().max() < TOLERANCE[extension] + 1e-6


@pytest.mark.parametrize("extension", [".jpg", ".webp", ".avif"])
def test_quality_costs_bytes(extension, tmp_path: Path):
    noise = torch.rand(3, 48, 48, generator=seeded())
    sizes = []
    for quality in (30, 70, 95):
        write(tmp_path / f"a{extension}", noise, quality=quality)
        sizes.append((tmp_path / f"a{extension}").stat().st_size)
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[2]


@pytest.mark.parametrize("extension", ALL)
@pytest.mark.parametrize("bits", [8, 16])
def test_every_file_names_its_colors_srgb(extension, bits, picture, tmp_path: Path):
    if bits == 16 and extension not in DEEP:
        return
    write(tmp_path / f"a{extension}", picture, bits=bits)
    with Image.open(tmp_path / f"a{extension}") as image:
        assert image.info["icc_profile"] == srgb_profile()
    assert srgb_profile()[24:36] == bytes(12)  # no date: equal pictures are equal files


@pytest.mark.parametrize("extension", ALL)
def test_nothing_of_the_input_file_is_carried_over(extension, tmp_path: Path):
    exif = Image.Exif()
    exif[0x010F] = "secret camera"
    exif[0x8825] = {1: "N", 2: (48.0, 31.0, 12.0)}
    stream = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(
        stream, "JPEG", exif=exif, comment=b"secret comment", xmp=b"<secret/>"
    )
    assert b"secret camera" in stream.getvalue()
    write(tmp_path / f"a{extension}", read(stream))
    assert b"secret" not in (tmp_path / f"a{extension}").read_bytes()
    with Image.open(tmp_path / f"a{extension}") as image:
        assert not image.getexif().get_ifd(0x8825)


# --- metadata ----------------------------------------------------------------------------------


@pytest.mark.parametrize("extension", ALL)
def test_metadata_come_back_from_every_format(extension, picture, tmp_path: Path):
    path = tmp_path / f"a{extension}"
    write(path, picture, metadata=SETTINGS)
    assert read_metadata(path) == SETTINGS
    assert read(path).size == picture.size
    write(path, picture)
    assert read_metadata(path) == {}


def test_metadata_of_a_deep_png_come_back(picture, tmp_path: Path):
    write(tmp_path / "a.png", picture, bits=16, metadata=SETTINGS)
    assert read_metadata(tmp_path / "a.png") == SETTINGS


words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200)
names = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=79)


@pytest.mark.parametrize("extension", [".png", ".jpg", ".tif", ".webp", ".avif"])
@given(texts=st.dictionaries(names, words, max_size=3))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_texts_come_back(extension, tmp_path: Path, texts):
    write(tmp_path / f"a{extension}", torch.zeros(3, 8, 8), metadata=texts)
    assert read_metadata(tmp_path / f"a{extension}") == texts


@pytest.mark.parametrize("extension", ALL)
def test_texts_up_to_the_limit_fit_every_format(extension, tmp_path: Path):
    path = tmp_path / f"a{extension}"
    texts = {"swag": "x" * 59_000}
    write(path, torch.zeros(3, 8, 8), metadata=texts)
    assert read_metadata(path) == texts
    with pytest.raises(ImageError, match="metadata takes 61012 bytes; expected at most 60000"):
        write(path, torch.zeros(3, 8, 8), metadata={"swag": "x" * 61_000})


@pytest.mark.parametrize(
    "texts", [{"": "a"}, {" a": "b"}, {"ä": "b"}, {"x" * 80: "b"}, {"a": "\0"}]
)
def test_texts_that_a_format_could_not_hold_are_refused(texts, tmp_path: Path):
    with pytest.raises(ImageError, match="metadata"):
        write(tmp_path / "a.tif", torch.zeros(3, 8, 8), metadata=texts)


def test_descriptions_by_others_are_not_metadata_of_ours(tmp_path: Path):
    for words in ("OLYMPUS DIGITAL CAMERA", "[1, 2]", '{"a": 1}', "{"):
        exif = Image.Exif()
        exif[0x010E] = words
        Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", exif=exif)
        assert read_metadata(tmp_path / "a.jpg") == {}


# --- whole or not at all -----------------------------------------------------------------------


def no_space(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("failure", [no_space, interrupted])
def test_a_failure_leaves_the_old_file_and_nothing_else(call, failure, tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    expected = ImageError if failure is no_space else KeyboardInterrupt
    monkeypatch.setattr(os, call, failure)
    with pytest.raises(expected) as caught:
        write(path, torch.zeros(3, 8, 8))
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
    if expected is ImageError:
        assert str(caught.value) == f"cannot write '{path}': No space left on device"


@pytest.mark.parametrize("extension", DEEP)
def test_a_disk_that_fills_up_leaves_the_old_file_and_nothing_else(extension, tmp_path: Path):
    path = tmp_path / f"a{extension}"
    path.write_bytes(b"old")
    noise = torch.rand(3, 64, 64, generator=seeded())
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, before[1]))
    try:
        with pytest.raises(ImageError, match="File too large"):
            write(path, noise)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (torch.full((3, 4, 4), float("nan")), "48 values that are not finite"),
        (torch.tensor([0.5, float("inf")]).expand(3, 1, 2), "3 values that are not finite"),
        (torch.zeros(3, 0, 4), "4 x 0 pixels"),
        (torch.zeros(4, 4), "shape (4, 4)"),
        (torch.zeros(2, 3, 4, 4), "shape (2, 3, 4, 4)"),
        (torch.zeros(1, 4, 4), "shape (1, 4, 4)"),
        (torch.zeros(3, 4, 4, dtype=torch.uint8), "torch.uint8"),
        (torch.zeros(3, 1, 16_384), "WebP holds sides from 1 to 16383"),
    ],
)
def test_what_no_file_can_hold_is_refused_and_no_file_appears(picture, said, tmp_path: Path):
    with pytest.raises(ImageError) as caught:
        write(tmp_path / "a.webp", picture)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_an_alpha_that_is_not_finite_is_refused(picture, tmp_path: Path):
    with pytest.raises(ImageError, match="not finite"):
        write(tmp_path / "a.png", replace(picture, alpha=picture.alpha / 0))


@pytest.mark.parametrize(("extension", "side"), [(".jpg", 65_501), (".avif", 32_769)])
def test_a_side_longer_than_the_format_allows_is_refused(extension, side, tmp_path: Path):
    with pytest.raises(ImageError, match=f"{side} x 1 pixels.* holds sides from 1 to {side - 1}"):
        write(tmp_path / f"a{extension}", torch.zeros(3, 1, side))


@pytest.mark.parametrize("extension", [".jpg", ".webp", ".png", ".tif"])
def test_the_longest_side_is_written(extension, tmp_path: Path):
    side = {".jpg": 65_500, ".webp": 16_383}.get(extension, 100_000)
    write(tmp_path / f"a{extension}", torch.zeros(3, 1, side))
    assert read(tmp_path / f"a{extension}").size == (side, 1)


@pytest.mark.parametrize("quality", [0, 101])
def test_a_quality_out_of_range_is_refused(quality, tmp_path: Path):
    with pytest.raises(ImageError, match=f"quality {quality} is out of range; expected 1 to 100"):
        write(tmp_path / "a.jpg", torch.zeros(3, 4, 4), quality=quality)


def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "real.png").write_bytes(b"old")
    (tmp_path / "link.png").symlink_to(tmp_path / "there" / "real.png")
    write(tmp_path / "link.png", torch.ones(3, 4, 4))
    assert (tmp_path / "link.png").is_symlink()
    assert read(tmp_path / "there" / "real.png").size == (4, 4)


def test_a_new_file_has_the_permissions_that_the_user_asks_for(tmp_path: Path):
    before = os.umask(0o027)
    try:
        write(tmp_path / "a.png", torch.ones(3, 4, 4))
    finally:
        os.umask(before)
    assert (tmp_path / "a.png").stat().st_mode & 0o777 == 0o640


# --- known before the work ---------------------------------------------------------------------


def both(path: Path | str, *, overwrite: bool = True, bits: int = 8) -> str:
    """The one complaint that `check_writable` and `write` make."""
    with pytest.raises(ImageError) as early:
        check_writable(path, overwrite=overwrite, bits=bits)
    with pytest.raises(ImageError) as late:
        write(path, torch.zeros(3, 4, 4), overwrite=overwrite, bits=bits)
    assert str(early.value) == str(late.value)
    assert "\n" not in str(early.value)
    return str(early.value)


def test_a_place_that_can_be_written_is_left_as_it_was(tmp_path: Path):
    check_writable(tmp_path / "a.png", overwrite=False)
    assert not list(tmp_path.iterdir())
    (tmp_path / "a.png").write_bytes(b"old")
    check_writable(tmp_path / "a.png", overwrite=True)
    assert (tmp_path / "a.png").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_relative_path_is_one_too(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_writable("a.png", overwrite=False)
    write("a.PNG", torch.zeros(3, 4, 4))
    assert read("a.PNG").size == (4, 4)


def test_an_unknown_extension_is_told_the_known_ones(tmp_path: Path):
    said = both(tmp_path / "a.jpgg")
    assert all(extension in said for extension in ALL)
    assert said.endswith("did you mean .jpg?")
    assert "the extension ''" in both(tmp_path / "a")
    assert "the extension '.gif'" in both(tmp_path / "a.gif")


def test_an_existing_file_is_kept_unless_overwriting_is_allowed(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(b"old")
    assert "exists" in both(tmp_path / "a.png", overwrite=False)
    assert (tmp_path / "a.png").read_bytes() == b"old"


def test_a_file_that_appears_during_the_work_is_kept(tmp_path: Path, monkeypatch):
    path = tmp_path / "a.png"
    fsync = os.fsync

    def somebody_else_is_faster(descriptor: int) -> None:
        path.write_bytes(b"theirs")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", somebody_else_is_faster)
    with pytest.raises(ImageError, match="exists"):
        write(path, torch.zeros(3, 4, 4), overwrite=False)
    assert path.read_bytes() == b"theirs"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_that_appears_in_the_last_moment_is_kept(tmp_path: Path, monkeypatch):
    path, link = tmp_path / "a.png", os.link

    def somebody_else_is_faster(source: str, target: str) -> None:
        path.write_bytes(b"theirs")
        link(source, target)

    monkeypatch.setattr(os, "link", somebody_else_is_faster)
    with pytest.raises(ImageError, match="exists; choose another name"):
        write(path, torch.zeros(3, 4, 4), overwrite=False)
    assert path.read_bytes() == b"theirs"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_missing_folder_is_named(tmp_path: Path):
    assert f"there is no folder '{tmp_path / 'no'}'" in both(tmp_path / "no" / "a.png")


def test_a_folder_that_is_a_file_is_named(tmp_path: Path):
    (tmp_path / "file").touch()
    assert "cannot write" in both(tmp_path / "file" / "a.png")


def test_a_folder_closed_to_us_is_found_out(tmp_path: Path, monkeypatch):
    real = os.open

    def closed(path: str, flags: int, *more: int) -> int:
        if flags & os.O_CREAT:
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path, flags, *more)

    monkeypatch.setattr(os, "open", closed)
    assert both(tmp_path / "a.png").endswith("Permission denied")


def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path):
    assert "too long" in both(tmp_path / ("x" * 300 + ".png"))
    assert "null" in both("a\0b.png")


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_there_must_be_a_file(make, tmp_path: Path):
    make(tmp_path / "a.png")
    assert "is not a file" in both(tmp_path / "a.png")


def test_a_depth_that_the_format_lacks_is_refused(tmp_path: Path):
    assert both(tmp_path / "a.jpg", bits=16).endswith("JPEG holds 8; write PNG or TIFF")
    assert both(tmp_path / "a.png", bits=12).endswith("PNG holds 8 or 16")
