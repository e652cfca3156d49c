"""Masks as painting programs save them, of the right shape, and the photo where no style goes."""

import pytest
import torch

import swag
from swag.errors import SettingsError
from swag.image import Picture
from swag.run.masks import as_mask

FEW = {"size": 40, "steps": 4, "scales": 2, "backbone": "swag/resnet"}
LEFT = (torch.arange(40) < 20).float().expand(1, 40, 40)


@pytest.fixture(scope="module")
def photo():
    return torch.rand(3, 40, 40, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def painting():
    return torch.rand(3, 40, 40, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("color", [0.0, 1.0, 0.4])
def test_a_shape_in_the_alpha_of_a_mask_is_read(color):
    mask = Picture(torch.full((3, 40, 40), color), LEFT)
    assert torch.equal(as_mask(mask).pixels, LEFT.expand(3, -1, -1))


def test_hidden_colors_of_a_mask_are_no_colors():
    for hidden in (0.0, 1.0):
        mask = Picture(torch.where(LEFT > 0, 0.7, hidden).expand(3, -1, -1).clone(), LEFT)
        assert torch.equal(as_mask(mask).pixels, LEFT.expand(3, -1, -1))


def test_an_opaque_mask_is_its_colors_and_several_colors_lie_on_black():
    colors = torch.rand(3, 40, 40, generator=torch.Generator().manual_seed(2))
    assert torch.equal(as_mask(Picture(colors, torch.ones(1, 40, 40))).pixels, colors)
    assert torch.equal(as_mask(Picture(colors, LEFT)).pixels, colors * LEFT)


def test_a_mask_in_alpha_is_one_in_gray(photo, painting):
    alpha = Picture(torch.ones(3, 40, 40), LEFT)
    results = [
        swag.stylize(photo, painting, content_mask=mask, **FEW).image.pixels
        for mask in (alpha, LEFT.expand(3, -1, -1).clone())
    ]
    assert torch.equal(*results)


@pytest.mark.parametrize("role", ["content_mask", "style_mask", "content_map"])
def test_a_mask_of_another_shape_is_refused(role, photo, painting):
    wide = torch.ones(3, 40, 60)
    masks = {"content_mask": torch.ones(3, 40, 40)} if role == "style_mask" else {}
    with pytest.raises(SettingsError, match=r"60 x 40 pixels.*40 x 40; give a mask of the same"):
        swag.stylize(photo, painting, **{**masks, role: wide}, **FEW)


@pytest.mark.parametrize("shape", [(375, 500), (27, 36), (750, 1001)])
def test_rounding_of_a_shape_is_none_of_its_own(shape, painting):
    photo = torch.rand(3, 300, 400, generator=torch.Generator().manual_seed(0))
    mask = torch.ones(3, *shape)
    swag.stylize(photo, painting, content_mask=mask, **{**FEW, "steps": 1, "scales": 1})


@pytest.mark.parametrize("extra", [{}, {"colors": "content"}, {"colors": "match"}, {"tile": 32}])
def test_where_no_style_goes_the_photo_stays_exactly(extra, photo, painting):
    result = swag.stylize(
        photo, painting, content_mask=LEFT.expand(3, -1, -1).clone(), **FEW, **extra
    )
    assert torch.equal(result.image.pixels[..., 20:], photo[..., 20:])
    assert (result.image.pixels - photo)[..., :18].abs().mean() > 0.01


def test_the_photo_is_feathered_at_soft_edges(photo, painting):
    ramp = torch.linspace(0, 1, 40).expand(3, 40, 40).clone()
    *_, last = swag.iterate(photo, painting, content_mask=ramp, **FEW)
    weight = ((torch.linspace(0, 1, 40) - 0.05) / 0.9).clamp(0, 1)
    expected = photo + weight * (last.pixels[0].clamp(0, 1) - photo)
    torch.testing.assert_close(last.image.pixels, expected)
    soft = swag.stylize(
        photo, painting, content_mask=LEFT.expand(3, -1, -1).clone(), feather=8, **FEW
    )
    change = (soft.image.pixels - photo).abs().mean((0, 1))
    assert change[20:24].min() > 0
    assert change[34:].max() == 0


def test_two_styles_that_go_everywhere_leave_nothing_of_the_photo(photo, painting):
    mask = LEFT.expand(3, -1, -1).clone()
    *_, last = swag.iterate(photo, [painting, painting.flip(2)], content_mask=mask, **FEW)
    assert torch.equal(last.image.pixels, last.pixels[0].clamp(0, 1))


def test_the_photo_stays_after_a_run_went_on(photo, painting, tmp_path):
    mask = LEFT.expand(3, -1, -1).clone()
    updates = swag.iterate(photo, painting, content_mask=mask, **FEW)
    for _ in range(2):
        next(updates).save_checkpoint(tmp_path / "run.ckpt")
    whole = swag.stylize(photo, painting, content_mask=mask, **FEW).image.pixels
    *_, last = swag.iterate(photo, painting, content_mask=mask, resume=tmp_path / "run.ckpt")
    assert torch.equal(last.image.pixels[..., 20:], photo[..., 20:])
    assert torch.equal(last.image.pixels, whole)
