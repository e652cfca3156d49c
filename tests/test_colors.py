"""Colors kept and matched: means, covariances, histograms, lightness, and grays."""

import numpy as np
import pytest
import scipy.linalg
import torch

from swag import colors
from swag.colors import keep, match, transfer, with_colors_of
from swag.errors import SettingsError


@pytest.fixture
def pair(rng):
    """Two pictures of their own sizes, in the middle of the range, with correlated colors."""
    mixing = torch.tensor([[0.9, 0.3, 0.1], [0.5, 0.5, -0.2], [0.2, 0.1, 0.6]])
    source = torch.rand(1, 3, 20, 30, generator=rng) * 0.3 + 0.3
    target = torch.einsum("ij,bjhw->bihw", mixing, torch.rand(1, 3, 24, 18, generator=rng))
    return source.double(), (0.2 * target + 0.3).double()


def flat(image):
    return image[0].flatten(1).double().numpy()


def moments(pixels):
    return pixels.mean(1), np.cov(pixels, bias=True)


def gray(rng, height=12, width=16):
    return torch.rand(1, 1, height, width, generator=rng).expand(1, 3, height, width).contiguous()


@pytest.mark.parametrize("method", ["symmetric", "cholesky"])
def test_mean_and_covariance_are_those_of_the_target(method, pair):
    source, target = pair
    matched = flat(match(source, target, method))
    assert matched.min() > 0 and matched.max() < 1
    for found, expected in zip(moments(matched), moments(flat(target)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_the_symmetric_map_is_the_optimal_transport_between_normal_distributions(pair):
    source, target = pair
    (mean, a), (other_mean, b) = moments(flat(source)), moments(flat(target))
    root = scipy.linalg.sqrtm(a)
    back = np.linalg.inv(root)
    by = back @ scipy.linalg.sqrtm(root @ b @ root) @ back
    np.testing.assert_allclose(by, by.T, atol=1e-9)
    expected = by @ (flat(source) - mean[:, None]) + other_mean[:, None]
    np.testing.assert_allclose(flat(match(source, target)), expected, atol=1e-9)


def test_the_cholesky_map_is_that_of_the_paper(pair):
    source, target = pair
    (mean, a), (other_mean, b) = moments(flat(source)), moments(flat(target))
    by = np.linalg.cholesky(b) @ np.linalg.inv(np.linalg.cholesky(a))
    expected = by @ (flat(source) - mean[:, None]) + other_mean[:, None]
    np.testing.assert_allclose(flat(match(source, target, "cholesky")), expected, atol=1e-9)


def test_the_symmetric_map_moves_colors_less_than_the_other(pair):
    source, target = pair
    moved = {m: (match(source, target, m) - source).square().mean() for m in transfer.METHODS}
    assert moved["symmetric"] < moved["cholesky"]


def test_a_histogram_is_that_of_the_target(pair):
    source, target = pair
    matched, wanted = flat(match(source, target, "histogram")), flat(target)
    shares = np.linspace(0.01, 0.99, 50)
    for found, expected in zip(matched, wanted, strict=True):
        np.testing.assert_allclose(
            np.quantile(found, shares), np.quantile(expected, shares), atol=0.01
        )


def test_values_are_matched_by_their_rank():
    """By hand: shares up to 0, 1, 3 are 1/4, 3/4, 1; those up to 10, 20, 30 are 1/2, 3/4, 1."""
    source = np.array([1.0, 0, 3, 1])
    target = np.array([10.0, 20, 30, 10])
    assert transfer._ranked(source, target).tolist() == [20, 10, 30, 20]
    assert transfer._ranked(np.array([5.0, 6]), np.array([1.0, 2])).tolist() == [1, 2]
    halfway = transfer._ranked(np.array([5.0, 6, 7]), np.array([1.0, 2]))
    np.testing.assert_allclose(halfway, [1, 1 + 1 / 3, 2])


def test_ranks_survive_a_histogram(pair):
    source, target = pair
    matched = flat(match(source, target, "histogram"))
    for before, after in zip(flat(source), matched, strict=True):
        assert (np.diff(after[np.argsort(before)]) >= 0).all()


@pytest.mark.parametrize("method", list(transfer.METHODS))
def test_a_picture_in_its_own_colors_is_itself(method, pair):
    torch.testing.assert_close(match(pair[0], pair[0], method), pair[0], atol=1e-9, rtol=0)


@pytest.mark.parametrize("method", list(transfer.METHODS))
@pytest.mark.parametrize("kind", ["flat", "gray", "pixel", "black", "two colors"])
def test_pictures_with_few_colors_give_a_result(method, kind, pair, rng):
    few = {
        "flat": torch.full((1, 3, 4, 5), 0.25),
        "gray": gray(rng),
        "pixel": torch.tensor([0.9, 0.5, 0.1]).view(1, 3, 1, 1),
        "black": torch.zeros(1, 3, 3, 3),
        "two colors": torch.tensor([[1.0, 0], [0, 1], [0, 0]]).view(1, 3, 1, 2),
    }[kind]
    other = pair[0].float()
    for source, target in [(few, other), (other, few), (few, few)]:
        matched = match(source, target, method)
        assert matched.shape == source.shape
        assert matched.dtype == source.dtype
        assert matched.isfinite().all()
        assert matched.min() >= 0 and matched.max() <= 1


@pytest.mark.parametrize("method", ["symmetric", "cholesky"])
def test_a_flat_picture_gets_the_mean_color(method, pair):
    matched = match(torch.full((1, 3, 4, 5), 0.25), pair[1], method)
    expected = pair[1].mean((2, 3), keepdim=True).float().expand_as(matched)
    torch.testing.assert_close(matched, expected)


@pytest.mark.parametrize("method", list(transfer.METHODS))
def test_matched_to_a_gray_picture_a_picture_is_gray(method, pair, rng):
    matched = match(pair[0].float(), gray(rng), method)
    if method == "histogram":  # each channel has its own ranks
        spread = matched.mean((2, 3)).amax() - matched.mean((2, 3)).amin()
    else:
        spread = (matched.amax(1) - matched.amin(1)).max()
    assert spread < 0.01
    both = match(gray(rng), gray(rng), method)
    assert (both.amax(1) - both.amin(1)).max() < 1e-4


@pytest.mark.parametrize("method", ["symmetric", "cholesky"])
def test_the_noise_of_a_nearly_gray_picture_is_not_blown_up(method, pair, rng):
    """Noise of a tenth of a step of 255 may grow as noise of a whole step would."""
    noise = torch.randn(1, 3, 40, 40, generator=rng) / 2550
    source = gray(rng, 40, 40) * 0.5 + 0.25
    change = match(source + noise, pair[1].float(), method) - match(source, pair[1].float(), method)
    largest = np.sqrt(np.linalg.eigvalsh(moments(flat(pair[1]))[1]).max())
    assert change.std() < 1.5 * largest * 255 * noise.std()


@pytest.mark.parametrize("method", list(transfer.METHODS))
def test_the_pictures_of_a_batch_do_not_mix(method, rng):
    sources, targets = torch.rand(2, 2, 3, 8, 9, generator=rng)
    together = match(sources, targets, method)
    for i in range(2):
        alone = match(sources[i : i + 1], targets[i : i + 1], method)
        assert torch.equal(together[i : i + 1], alone)


@pytest.mark.parametrize("space", list(keep.SPACES))
def test_lightness_is_that_of_the_result(space, rng):
    result, content = torch.rand(2, 1, 3, 16, 16, generator=rng, dtype=torch.float64)
    joined = colors.to_linear(with_colors_of(result, content, space))
    light = colors.to_linear(result)
    if space == "oklab":
        found, expected = colors.to_oklab(joined)[:, 0], colors.to_oklab(light)[:, 0]
    else:
        found = joined[:, 0] * 0.2126 + joined[:, 1] * 0.7152 + joined[:, 2] * 0.0722
        expected = light[:, 0] * 0.2126 + light[:, 1] * 0.7152 + light[:, 2] * 0.0722
    torch.testing.assert_close(found, expected, atol=2e-3 if space == "oklab" else 1e-9, rtol=0)


def test_colors_that_fit_are_those_of_the_content(rng):
    result, content = 0.4 + 0.2 * torch.rand(2, 1, 3, 16, 16, generator=rng, dtype=torch.float64)
    joined = colors.to_oklab(colors.to_linear(with_colors_of(result, content)))
    expected = colors.to_oklab(colors.to_linear(content))
    torch.testing.assert_close(joined[:, 1:], expected[:, 1:], atol=1e-9, rtol=0)


def test_bright_colors_in_linear_light_have_the_ratios_of_the_content(rng):
    result, content = 0.5 + 0.2 * torch.rand(2, 1, 3, 16, 16, generator=rng, dtype=torch.float64)
    found = colors.to_linear(with_colors_of(result, content, "linear"))[0]
    before = colors.to_linear(content)[0]
    ratios, expected = found[:2] / found[2:], before[:2] / before[2:]
    torch.testing.assert_close(ratios, expected, rtol=0.02, atol=0)


def test_the_hue_of_noise_in_black_does_not_show():
    """One of 255 steps of blue in black, where the result is half bright."""
    content = torch.tensor([0.0, 0.0, 1 / 255]).view(1, 3, 1, 1)
    joined = with_colors_of(torch.full((1, 3, 1, 1), 0.5), content, "linear")
    assert joined.amax() - joined.amin() < 0.05


def test_a_color_no_screen_shows_keeps_its_hue_and_is_as_vivid_as_it_can():
    red = torch.tensor([1.0, 0, 0], dtype=torch.float64).view(1, 3, 1, 1)
    for level in (0.2, 0.6, 0.95):
        joined = with_colors_of(torch.full_like(red, level), red)
        lab = colors.to_oklab(colors.to_linear(joined)).flatten()
        wanted = colors.to_oklab(colors.to_linear(red)).flatten()
        turned = torch.atan2(lab[2], lab[1]) - torch.atan2(wanted[2], wanted[1])
        assert abs(turned) < 0.02
        assert torch.hypot(lab[1], lab[2]) < torch.hypot(wanted[1], wanted[2])
        light = colors.to_linear(joined)
        assert min(light.min(), 1 - light.max()) < 1e-3  # on the border of what is shown


@pytest.mark.parametrize("space", list(keep.SPACES))
def test_a_picture_with_its_own_colors_is_itself(space, rng):
    image = torch.rand(1, 3, 16, 16, generator=rng)
    torch.testing.assert_close(with_colors_of(image, image, space), image, atol=2e-3, rtol=0)


@pytest.mark.parametrize("space", list(keep.SPACES))
def test_a_gray_content_gives_a_gray_picture(space, rng):
    result, content = torch.rand(1, 3, 12, 16, generator=rng), gray(rng)
    joined = with_colors_of(result, content, space)
    assert (joined.amax(1) - joined.amin(1)).max() < 1e-4
    assert joined.std() > 0.1


@pytest.mark.parametrize("space", list(keep.SPACES))
def test_black_and_white_stay_so_and_nothing_leaves_the_range(space):
    ends = torch.tensor([0.0, 1.0]).view(1, 1, 1, 2).expand(1, 3, 1, 2)
    vivid = torch.tensor([[0.0, 1], [0, 0], [1, 0]]).view(1, 3, 1, 2)
    for content in (vivid, ends, 1 - ends):
        joined = with_colors_of(ends, content, space)
        torch.testing.assert_close(joined, ends, atol=2e-3, rtol=0)
        beyond = with_colors_of(ends * 3 - 1, content, space)
        torch.testing.assert_close(beyond, joined)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda a, b: match(a, b, "cholsky"),
            "'cholsky'; did you mean cholesky\\? choose from",
        ),
        (lambda a, b: match(a, b, ""), "is called ''; choose from symmetric, cholesky, histogram"),
        (
            lambda a, b: with_colors_of(a, a, "okla"),
            "'okla'; did you mean oklab\\? choose from",
        ),
        (lambda a, b: with_colors_of(a, b), "a picture of 6 x 5 pixels .* one of 4 x 3; give"),
    ],
)
def test_a_mistake_is_told_in_one_line(call, said):
    with pytest.raises(SettingsError, match=said) as raised:
        call(torch.zeros(1, 3, 3, 4), torch.zeros(1, 3, 5, 6))
    assert "\n" not in str(raised.value)
