"""GIF and BMP: what is read of them, and what is refused."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from picture_files import saved
from PIL import Image

from swag.errors import ImageError
from swag.image import is_picture, read

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 28, 3)).astype(np.uint8)
PALETTE = Image.fromarray(PIXELS).quantize(17)


def numbers(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.asarray(image.convert("RGB")).copy()).permute(2, 0, 1) / 255


def test_a_gif_of_one_picture_is_read_without_a_word():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(read(saved(PALETTE, "GIF")).pixels, numbers(PALETTE))


def test_of_a_moving_gif_the_first_frame_is_read_and_that_is_said(tmp_path: Path):
    data = saved(PALETTE, "GIF", save_all=True, append_images=[PALETTE.rotate(180)])
    (tmp_path / "a.gif").write_bytes(data)
    assert is_picture(tmp_path / "a.gif")
    with pytest.warns(UserWarning, match=r"a\.gif': it is an animation; its first frame is read"):
        picture = read(tmp_path / "a.gif")
    assert torch.equal(picture.pixels, numbers(PALETTE))


def second_frame(data: bytes) -> int:
    """Where the second frame of a GIF begins: the control before it is 8 bytes."""
    return data.index(b"\x21\xf9\x04", data.index(b"\x21\xf9\x04") + 8)


@pytest.fixture
def chain() -> bytes:
    """Three frames, each as large as the picture."""
    turned = [PALETTE.rotate(180), PALETTE.rotate(90, expand=False)]
    return saved(PALETTE, "GIF", save_all=True, append_images=turned, duration=100)


def test_of_an_animation_cut_off_behind_its_first_frame_that_frame_is_read(chain: bytes):
    """In the middle of the second, in the middle of the last, and without a trailer."""
    second, whole = second_frame(chain), numbers(PALETTE)
    assert chain.endswith(b";")
    for end in (second + 8 + 10 + 40, (second + len(chain)) // 2, len(chain) - 9, len(chain) - 1):
        with pytest.warns(UserWarning, match="is an animation; its first frame is read") as said:
            picture = read(chain[:end])
        assert torch.equal(picture.pixels, whole)
        assert len(said) == 1 and "\n" not in str(said[0].message)


def test_of_an_animation_cut_off_at_the_second_frame_the_first_is_all_there_is(chain: bytes):
    """Before that frame is announced, the file is a GIF of one picture."""
    second = second_frame(chain)
    for end in range(second, second + 9):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert torch.equal(read(chain[:end]).pixels, numbers(PALETTE))


def test_an_animation_cut_off_in_its_first_frame_is_refused_in_one_line(chain: bytes):
    for end in range(14, second_frame(chain) - 2, 7):
        with pytest.raises(ImageError, match="truncated: its first frame is not complete") as error:
            read(chain[:end])
        assert "\n" not in str(error.value)


def test_the_transparent_color_of_a_gif_becomes_alpha():
    alpha = read(saved(PALETTE, "GIF", transparency=3)).alpha
    assert alpha is not None
    assert torch.equal(alpha[0] == 0, torch.from_numpy(np.asarray(PALETTE) == 3))


def test_a_gif_that_is_cut_off_anywhere_is_refused():
    data = saved(PALETTE, "GIF")
    for end in range(8, len(data) - 2):
        with pytest.raises(ImageError):
            read(data[:end])
    assert read(data[:-1]).size == (28, 20)  # the end alone is missing


def test_a_frame_larger_than_the_picture_is_refused():
    data = bytearray(saved(PALETTE, "GIF"))
    data[6:8] = (27).to_bytes(2, "little")
    with pytest.raises(ImageError, match="its first frame reaches beyond the picture"):
        read(bytes(data))


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P"])
def test_a_bmp_is_read_and_a_cut_one_refused(mode: str):
    image = PALETTE if mode == "P" else Image.fromarray(PIXELS).convert(mode)
    data = saved(image, "BMP")
    assert torch.equal(read(data).pixels, numbers(image))
    for end in range(8, len(data) - 4, 7):
        with pytest.raises(ImageError):
            read(data[:end])


@pytest.mark.parametrize("kind", ["GIF", "BMP"])
def test_a_head_that_promises_too_many_pixels_is_refused(kind: str):
    data = bytearray(saved(PALETTE, kind))
    if kind == "GIF":
        data[6:10] = b"\xff\xff\xff\xff"
    else:
        data[18:26] = (60_000).to_bytes(4, "little") * 2
    with pytest.raises(ImageError, match="more than the limit"):
        read(bytes(data))
