"""What whoever makes pictures controls: regions, colors, blends, sizes, forms and jitter."""

import math

import pytest
import torch

import swag
from swag.colors import to_linear, to_oklab
from swag.errors import SettingsError
from swag.parametrization import PARAMETRIZATIONS

RED, BLUE = (0.9, 0.1, 0.1), (0.1, 0.1, 0.9)


def stripes(low, high, *, side=48):
    """Two colors in diagonal stripes: a style whose colors are known."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    where = ((x + y) // 4 % 2).float()
    low, high = (torch.tensor(color).view(3, 1, 1) for color in (low, high))
    return low * (1 - where) + high * where


def halves(left, right, side=48):
    mask = torch.empty(3, side, side)
    mask[..., : side // 2] = torch.tensor(left).view(3, 1, 1)
    mask[..., side // 2 :] = torch.tensor(right).view(3, 1, 1)
    return mask


@pytest.fixture(scope="module")
def network():
    return swag.backbones.create("swag/resnet", edits=("reflect",))


@pytest.fixture(scope="module")
def photo():
    y, x = torch.meshgrid(torch.linspace(0, 1, 48), torch.linspace(0, 1, 48), indexing="ij")
    rings = 0.5 + 0.3 * torch.cos(20 * torch.hypot(x - 0.5, y - 0.5))
    return torch.stack([rings, 0.8 * rings, 0.3 + 0.4 * x])


REDS = stripes(RED, (0.7, 0.4, 0.3))
BLUES = stripes(BLUE, (0.3, 0.4, 0.7))


def run(network, photo, style, **overrides):
    few = {"size": 48, "steps": 12, "scales": 1, "strength": 0.8, "balance": 10.0}
    few |= {"style_loss": "gram"}
    return swag.stylize(photo, style, backbone=network, **{**few, **overrides})


def redness(pixels):
    return float((pixels[0] - pixels[2]).mean())


def test_two_styles_go_where_a_mask_is_white_and_black(network, photo):
    mask = halves((1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    pixels = run(network, photo, [REDS, BLUES], content_mask=mask).image.pixels
    assert redness(pixels[..., :20]) > redness(photo[..., :20]) + 0.1
    assert redness(pixels[..., 28:]) < redness(photo[..., 28:]) - 0.1


def test_regions_of_one_style_are_paired_by_color(network, photo):
    """The style is red on its left; the content asks for that on its right."""
    style = torch.cat([REDS[..., :24], BLUES[..., 24:]], dim=2)
    content_mask, style_mask = (
        halves((0.0, 1.0, 0.0), (1.0, 0.0, 1.0)),
        halves((1.0, 0.0, 1.0), (0.0, 1.0, 0.0)),
    )
    result = run(network, photo, style, content_mask=content_mask, style_mask=style_mask)
    pixels = result.image.pixels
    assert redness(pixels[..., 28:]) > redness(photo[..., 28:]) + 0.15
    assert redness(pixels[..., :20]) < redness(photo[..., :20]) - 0.15
    assert {name for name in result.losses if name.startswith("style")} == {
        "style #00ff00", "style #ff00ff",
    }  # fmt: skip


@pytest.mark.parametrize("loss", ["covariance", "sliced", "remd", "mrf"])
def test_other_losses_are_restricted_to_a_region_too(network, photo, loss):
    mask = halves((1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    result = run(network, photo, [REDS, BLUES], content_mask=mask, style_loss=loss, palette=1.0)
    pixels = result.image.pixels
    assert redness(pixels[..., :20]) > redness(pixels[..., 28:]) + 0.2


def test_a_feathered_mask_blends_the_styles_at_its_edge(network, photo):
    mask = halves((1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    hard, soft = (
        run(network, photo, [REDS, BLUES], content_mask=mask, feather=feather).image.pixels
        for feather in (0, 24)
    )
    across = [
        float((p[0, :, 21:27] - p[2, :, 21:27]).mean(0).diff().abs().max()) for p in (hard, soft)
    ]
    assert not torch.equal(hard, soft)
    assert across[1] < across[0]


def test_outside_a_lone_mask_the_photo_stays(network, photo):
    mask = halves((1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    pixels = run(network, photo, REDS, content_mask=mask, strength=0.5).image.pixels
    assert torch.equal(pixels[..., 26:], photo[..., 26:])
    assert (pixels - photo)[..., :18].abs().mean() > 0.01


def test_a_content_map_keeps_the_photo_where_it_is_bright(network, photo):
    bright_left = halves((1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    kept = run(network, photo, REDS, content_map=bright_left, strength=0.3).image.pixels
    change = (kept - photo).abs().mean((0, 1))
    assert change[:18].mean() < change[30:].mean()


def test_the_content_keeps_its_colors(network, photo):
    for colors in ("content", "content-linear"):
        result = run(network, photo, REDS, colors=colors).image.batch
        found, own = (to_oklab(to_linear(x))[:, 1:] for x in (result, photo[None]))
        hue = torch.nn.functional.cosine_similarity(found, own, dim=1)
        assert float((hue * own.norm(dim=1)).sum() / own.norm(dim=1).sum()) > 0.97


@pytest.mark.parametrize("colors", ["match", "match-cholesky", "match-histogram"])
def test_a_style_in_the_colors_of_the_content_leaves_its_own_behind(network, photo, colors):
    own = redness(run(network, photo, REDS, strength=0.95).image.pixels)
    matched = redness(run(network, photo, REDS, strength=0.95, colors=colors).image.pixels)
    assert abs(matched - redness(photo)) < 0.5 * abs(own - redness(photo))


def test_a_texture_has_no_content_to_take_colors_from(network):
    with pytest.raises(SettingsError, match="no content picture"):
        swag.texture(REDS, backbone=network, colors="content", size=48)


def test_the_weights_of_a_blend_say_whose_colors_win(network, photo):
    reds = [
        redness(run(network, photo, [REDS, BLUES], style_weights=weights).image.pixels)
        for weights in ((1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    ]
    assert reds[0] > reds[1] > reds[2]


def test_a_smaller_style_gives_finer_strokes(network, photo):
    gray = torch.full((3, 48, 48), 0.5)
    fine, coarse = (
        run(
            network,
            gray,
            stripes((0.0,) * 3, (1.0,) * 3),
            strength=0.95,
            steps=30,
            style_scale=scale,
        ).image.pixels.mean(0)
        for scale in (0.5, 1.0)
    )
    edges = [float(p.diff(dim=1).abs().mean() / p.std()) for p in (fine, coarse)]
    assert edges[0] > edges[1]


def test_quarter_turns_of_the_style_count_as_it_does(network):
    """Horizontal lines, and their turns: in the picture both directions are found alike."""
    lines = ((torch.arange(48) // 3 % 2).float()).view(1, 48, 1).expand(3, 48, 48)
    noise = torch.rand(3, 48, 48, generator=torch.Generator().manual_seed(0))
    ratios = {}
    for turns in (False, True):
        pixels = run(
            network, noise, lines, strength=0.99, steps=30, style_rotations=turns
        ).image.pixels.mean(0)
        ratios[turns] = float(pixels.diff(dim=0).abs().mean() / pixels.diff(dim=1).abs().mean())
    assert ratios[False] > 1.5
    assert 0.7 < ratios[True] < 1.4


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
@pytest.mark.parametrize("form", list(PARAMETRIZATIONS))
def test_every_form_of_the_picture_is_optimized_by_every_method(network, photo, form, optimizer):
    result = run(
        network, photo, REDS, parametrization=form, optimizer=optimizer, scales=2, steps=16
    )
    totals = [line["losses"]["style"] + line["losses"]["content"] for line in result.trace]
    assert all(math.isfinite(total) for total in totals)
    assert totals[-1] < 0.9 * totals[0]
    assert result.image.size == (48, 48)


def test_jitter_moves_the_picture_at_random_but_by_the_seed(network, photo):
    jittered = {"optimizer": "adam", "jitter": 3, "jitter_scale": 0.05}
    one, again, other = (
        run(network, photo, REDS, seed=seed, **jittered).image.pixels for seed in (0, 0, 1)
    )
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_jitter_is_refused_with_a_line_search(network, photo):
    with pytest.raises(SettingsError, match="use optimizer = adam"):
        run(network, photo, REDS, jitter=3)


@pytest.mark.parametrize(
    ("pictures", "said"),
    [
        ({"style_mask": REDS}, "without a content mask"),
        ({"content_mask": REDS, "style_mask": [REDS, REDS]}, "1 styles and 2 style masks"),
        ({"content_mask": torch.zeros(3, 8, 8)}, "black everywhere"),
        ({"style_weights": (1.0, 2.0)}, "for 1 styles"),
    ],
)
def test_controls_that_do_not_fit_are_refused_before_a_step(network, photo, pictures, said):
    with pytest.raises(SettingsError, match=said):
        swag.iterate(photo, REDS, backbone=network, size=48, **pictures)
