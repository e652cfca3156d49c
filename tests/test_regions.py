"""Masks whose regions are known: which style goes where, and what is refused."""

import pytest
import torch

from swag.errors import SettingsError
from swag.regions import regions, soften

RED, GREEN, BLUE = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
WHITE, BLACK = (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)


def halves(left, right, *, rows=16, columns=16):
    """A mask in two flat colors."""
    mask = torch.empty(1, 3, rows, columns)
    mask[..., : columns // 2] = torch.tensor(left).view(3, 1, 1)
    mask[..., columns // 2 :] = torch.tensor(right).view(3, 1, 1)
    return mask


def left_half(columns=16):
    return (torch.arange(columns) < columns // 2).float().expand(1, 1, 16, columns)


def test_the_style_goes_where_a_lone_mask_is_white():
    (region,) = regions(halves(WHITE, BLACK), None)
    assert (region.name, region.style) == ("white", 0)
    torch.testing.assert_close(region.mask, left_half())
    assert region.style_mask.mean() == 1


def test_a_second_style_goes_where_a_lone_mask_is_black():
    first, second = regions(halves(WHITE, BLACK), None, None)
    assert (first.style, second.style) == (0, 1)
    torch.testing.assert_close(first.mask + second.mask, torch.ones(1, 1, 16, 16))
    torch.testing.assert_close(second.mask, 1 - left_half())


def test_middle_gray_belongs_to_both_regions_alike():
    first, second = regions(torch.full((1, 3, 16, 16), 0.5), None, None)
    torch.testing.assert_close(first.mask, second.mask)
    torch.testing.assert_close(first.mask, torch.full((1, 1, 16, 16), 0.5))


def test_a_soft_edge_is_shared_between_its_two_regions():
    mask = torch.linspace(0, 1, 64).expand(1, 3, 8, 64)
    first, second = regions(mask, None, None)
    torch.testing.assert_close(first.mask + second.mask, torch.ones(1, 1, 8, 64))
    assert (first.mask[0, 0, 0].diff() >= 0).all()


def test_gray_regions_are_paired_by_shade_and_not_by_place():
    white, black = regions(halves(WHITE, BLACK), halves(BLACK, WHITE))
    torch.testing.assert_close(white.mask, left_half())
    torch.testing.assert_close(white.style_mask, 1 - left_half())
    torch.testing.assert_close(black.style_mask, left_half())


def test_colors_are_paired_by_likeness_in_pictures_of_any_size():
    content, style = halves(RED, BLUE), halves((0.1, 0, 0.9), (0.9, 0.1, 0), columns=32)
    found = {region.name: region for region in regions(content, style)}
    assert set(found) == {"#ff0000", "#0000ff"}
    torch.testing.assert_close(found["#ff0000"].mask, left_half())
    torch.testing.assert_close(found["#ff0000"].style_mask, 1 - left_half(32))


def test_each_style_takes_the_regions_that_its_own_mask_has():
    only_red, only_blue = (halves(color, GREEN) for color in (RED, BLUE))
    found = regions(halves(RED, BLUE), only_red, only_blue)
    assert {(region.name, region.style) for region in found} == {("#ff0000", 0), ("#0000ff", 1)}


def test_a_mixed_edge_belongs_to_both_colors():
    content = halves(RED, BLUE)
    content[..., 8] = torch.tensor([0.5, 0, 0.5]).view(3, 1)
    found = {region.name: region for region in regions(content, halves(RED, BLUE))}
    total = sum(region.mask for region in found.values())
    torch.testing.assert_close(total, torch.ones(1, 1, 16, 16))
    torch.testing.assert_close(found["#ff0000"].mask[0, 0, :, 8], torch.full((16,), 0.5))


def test_noise_of_a_lossy_format_makes_no_region():
    noise = 0.04 * torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    found = regions((halves(RED, BLUE) + noise).clamp(0, 1), halves(RED, BLUE))
    assert len(found) == 2
    torch.testing.assert_close(found[0].mask + found[1].mask, torch.ones(1, 1, 16, 16))
    assert torch.equal(found[0].mask.round(), found[0].mask)


@pytest.mark.parametrize(
    ("masks", "said"),
    [
        ((halves(RED, BLUE), None), "no style has a mask with the same colors"),
        ((halves(WHITE, BLACK), None, None, None), "3 styles share one mask"),
        ((halves(BLACK, BLACK), None), "black everywhere"),
        ((halves(WHITE, BLACK), halves(WHITE, BLACK), None), "1 of 2 styles have a mask"),
        ((halves(WHITE, BLACK), halves(BLACK, BLACK)), "no style mask has any white"),
        ((halves(RED, BLUE), halves(RED, GREEN)), "#0000ff holds 50.0 % of the content mask"),
        (
            (torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)),) * 2,
            "flat color",
        ),
    ],
)
def test_masks_that_cannot_be_paired_are_told_in_one_line(masks, said):
    with pytest.raises(SettingsError, match=said) as told:
        regions(*masks)
    assert "\n" not in str(told.value)


def test_soft_edges_keep_the_sum_of_regions_and_blur_by_their_radius():
    hard = left_half(32)
    soft = soften(torch.cat([hard, 1 - hard], dim=1), 4.0)
    torch.testing.assert_close(soft.sum(1), torch.ones(1, 16, 32))
    row = soft[0, 0, 8]
    # The blurred step is the integral of a Gaussian of deviation 2, half a pixel off its middle.
    gauss = torch.distributions.Normal(15.5, 2.0)
    expected = 1 - gauss.cdf(torch.arange(32.0))
    torch.testing.assert_close(row, expected, atol=0.01, rtol=0)
    assert torch.equal(soften(hard, 0), hard)


@pytest.mark.parametrize("radius", [-1.0, float("nan"), float("inf")])
def test_a_radius_that_is_none_is_refused(radius):
    with pytest.raises(SettingsError, match="radius"):
        soften(left_half(), radius)
