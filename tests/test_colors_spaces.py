"""Spaces of color against published values, and light and shade alone."""

import numpy as np
import pytest
import torch

from swag import colors

# Linear sRGB of XYZ (D65), IEC 61966-2-1.
FROM_XYZ = np.linalg.inv(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
)


def pixel(*values):
    return torch.tensor(values, dtype=torch.float64).view(1, 3, 1, 1)


@pytest.mark.parametrize(
    ("stored", "light"),
    [
        (0.0, 0.0),
        (1.0, 1.0),
        (0.5, 0.214041),
        (0.04, 0.003096),
        (0.04045, 0.003131),
        (0.8, 0.603827),
    ],
)
def test_srgb_is_its_standard(stored, light):
    found = colors.to_linear(pixel(stored, stored, stored)).flatten()[0].item()
    assert found == pytest.approx(light, abs=1e-6)


def test_light_comes_back_as_it_was_stored(rng):
    image = torch.rand(1, 3, 16, 16, generator=rng, dtype=torch.float64) * 1.4 - 0.2
    torch.testing.assert_close(
        colors.from_linear(colors.to_linear(image)), image, atol=1e-6, rtol=0
    )
    light = torch.linspace(-0.1, 1.2, 300, dtype=torch.float64).view(1, 3, 10, 10)
    assert (colors.from_linear(light).flatten().diff() > 0).all()


@pytest.mark.parametrize(
    ("xyz", "lab"),
    [
        ((0.950, 1.000, 1.089), (1.000, 0.000, 0.000)),
        ((1.000, 0.000, 0.000), (0.450, 1.236, -0.019)),
        ((0.000, 1.000, 0.000), (0.922, -0.671, 0.263)),
        ((0.000, 0.000, 1.000), (0.153, -1.415, -0.449)),
    ],
)
def test_oklab_meets_its_authors_table(xyz, lab):
    """The table is older than the revised matrices, which moved it by up to 1.3e-3."""
    found = colors.to_oklab(pixel(*(FROM_XYZ @ xyz))).flatten().tolist()
    assert found == pytest.approx(lab, abs=1.5e-3)


@pytest.mark.parametrize(
    ("stored", "lab"),
    [
        ((1, 0, 0), (0.627955, 0.224863, 0.125846)),
        ((0, 1, 0), (0.866440, -0.233888, 0.179498)),
        ((0, 0, 1), (0.452014, -0.032457, -0.311528)),
        ((1, 1, 1), (1, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
    ],
)
def test_oklab_of_the_screens_corners(stored, lab):
    found = colors.to_oklab(colors.to_linear(pixel(*stored))).flatten().tolist()
    assert found == pytest.approx(lab, abs=1e-5)


@pytest.mark.parametrize(("dtype", "error"), [(torch.float32, 2e-5), (torch.float64, 1e-12)])
def test_oklab_comes_back(dtype, error, rng):
    light = torch.rand(2, 3, 9, 7, generator=rng, dtype=dtype) * 1.5 - 0.25
    again = colors.from_oklab(colors.to_oklab(light))
    torch.testing.assert_close(again, light, atol=error, rtol=0)


def test_grays_have_no_color():
    gray = torch.linspace(0, 1, 50, dtype=torch.float64).view(1, 1, 5, 10).expand(1, 3, 5, 10)
    lab = colors.to_oklab(gray)
    torch.testing.assert_close(lab[:, 1:], torch.zeros_like(lab[:, 1:]), atol=1e-7, rtol=0)
    torch.testing.assert_close(lab[:, 0], gray[:, 0] ** (1 / 3), atol=1e-7, rtol=0)


def test_luminance_is_that_of_the_light(rng):
    image = torch.rand(1, 3, 8, 9, generator=rng, dtype=torch.float64)
    gray = colors.luminance(image)
    torch.testing.assert_close(gray[:, 0], gray[:, 1])
    torch.testing.assert_close(gray[:, 0], gray[:, 2])
    red, green, blue = colors.to_linear(image)[0]
    expected = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    torch.testing.assert_close(colors.to_linear(gray)[0, 0], expected, atol=1e-6, rtol=0)


def test_the_luminance_of_pure_green_is_bright_and_a_gray_picture_is_its_own():
    green = colors.luminance(pixel(0, 1, 0)).flatten()[0].item()
    assert green == pytest.approx(1.055 * 0.7152 ** (1 / 2.4) - 0.055)
    gray = torch.linspace(0, 1, 12).view(1, 1, 3, 4).expand(1, 3, 3, 4)
    torch.testing.assert_close(colors.luminance(gray), gray, atol=1e-6, rtol=0)
    torch.testing.assert_close(colors.luminance(gray * 3 - 1), (gray * 3 - 1).clamp(0, 1))


def test_a_styles_luminance_gets_mean_and_deviation_of_the_contents(rng):
    style = 0.3 + 0.3 * torch.rand(1, 3, 20, 15, generator=rng, dtype=torch.float64)
    content = 0.4 + 0.2 * torch.rand(1, 3, 12, 18, generator=rng, dtype=torch.float64)
    matched = colors.match_luminance(style, content)
    own, wanted = colors.luminance(style), colors.luminance(content)
    assert matched.mean().item() == pytest.approx(wanted.mean().item())
    deviation = wanted.std(correction=0).item()
    assert matched.std(correction=0).item() == pytest.approx(deviation)
    expected = (own - own.mean()) * (deviation / own.std(correction=0)) + wanted.mean()
    torch.testing.assert_close(matched, expected)
    assert torch.equal(matched[:, 0], matched[:, 1])


def test_a_flat_styles_luminance_is_the_mean_of_the_contents(rng):
    content = torch.rand(1, 3, 12, 18, generator=rng)
    matched = colors.match_luminance(torch.full((1, 3, 4, 4), 0.2), content)
    expected = colors.luminance(content).mean().expand_as(matched)
    torch.testing.assert_close(matched, expected, atol=1e-4, rtol=0)
