"""Each parametrization against its definition: pixels, pyramid, spectrum, and the bounded one."""

import math

import numpy as np
import pytest
import torch

from swag.parametrization import PARAMETRIZATIONS, bounded, fourier, laplacian


def cas_matrix(height, width):
    """The matrix of cos + sin of every frequency (row) at every pixel (column), by its formula."""
    rows = []
    for u in range(height):
        for v in range(width):
            for y in range(height):
                for x in range(width):
                    angle = 2 * math.pi * (u * y / height + v * x / width)
                    rows.append(math.cos(angle) + math.sin(angle))
    return np.array(rows).reshape(height * width, -1) / math.sqrt(height * width)


def one_over_f(height, width):
    """1 / frequency by its formula, mean square 1."""
    values = []
    for u in range(height):
        for v in range(width):
            fy = min(u, height - u) / height
            fx = min(v, width - v) / width
            values.append(1 / max(math.hypot(fx, fy), 1 / max(height, width)))
    values = np.array(values)
    return values / np.sqrt(np.mean(values**2))


def test_pixels_are_the_picture_itself(rng):
    image = torch.rand(1, 3, 4, 5, generator=rng)
    assert PARAMETRIZATIONS.find("pixels").encode(image) is image
    assert PARAMETRIZATIONS.find("pixels").decode(image, (4, 5)) is image


@pytest.mark.parametrize("size", [(1, 1), (4, 4), (3, 5), (6, 5)])
def test_the_hartley_transform_is_its_definition(size, rng):
    image = torch.randn(1, 2, *size, generator=rng, dtype=torch.float64)
    expected = image.reshape(2, -1).numpy() @ cas_matrix(*size).T
    np.testing.assert_allclose(fourier.hartley(image).reshape(2, -1), expected, atol=1e-12)


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (1, 6)])
def test_the_hartley_transform_is_orthogonal_and_its_own_inverse(size, rng):
    a, b = torch.randn(2, 1, 3, *size, generator=rng, dtype=torch.float64)
    torch.testing.assert_close(fourier.hartley(fourier.hartley(a)), a)
    inner = (fourier.hartley(a) * fourier.hartley(b)).sum()
    torch.testing.assert_close(inner, (a * b).sum())


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (8, 8), (7, 12)])
def test_amplitudes_fall_as_one_over_frequency(size):
    found = fourier.amplitudes(torch.zeros((), dtype=torch.float64), size)
    np.testing.assert_allclose(found.flatten(), one_over_f(*size), rtol=1e-12)


def test_the_picture_is_a_sum_of_colored_waves(rng):
    latents = torch.randn(1, 3, 4, 6, generator=rng, dtype=torch.float64)
    waves = (latents.reshape(3, -1).numpy() * one_over_f(4, 6)) @ cas_matrix(4, 6)
    expected = fourier.color_root(latents).numpy() @ waves
    found = fourier.decode(latents, (4, 6))
    np.testing.assert_allclose(found.reshape(3, -1), expected, atol=1e-12)


def test_the_gradient_is_the_adjoint_the_scaled_spectrum_of_that_of_the_pixels(rng):
    latents, wanted = torch.randn(2, 1, 3, 6, 7, generator=rng, dtype=torch.float64)
    latents.requires_grad_()
    (fourier.decode(latents, (6, 7)) * wanted).sum().backward()
    mixed = torch.einsum("ij,bihw->bjhw", fourier.color_root(wanted), wanted)
    expected = fourier.amplitudes(wanted, (6, 7)) * fourier.hartley(mixed)
    torch.testing.assert_close(latents.grad, expected)


def test_independent_latents_give_the_power_spectrum_of_photographs(rng):
    latents = torch.randn(40, 3, 64, 64, generator=rng, dtype=torch.float64)
    power = torch.fft.rfft2(fourier.decode(latents, (64, 64)), norm="ortho").abs().square()
    along = power.mean((0, 1, 2))[1:32]
    across = power[:, :, 0, 1:32].mean((0, 1))
    frequency = torch.arange(1, 32, dtype=torch.float64)
    slope = np.polyfit(frequency.log(), across.log(), 1)[0]
    assert slope == pytest.approx(-2, abs=0.15)
    assert (along[:16] > along[15:]).all()


def test_independent_latents_give_colors_that_vary_as_in_photographs(rng):
    latents = torch.randn(60, 3, 32, 32, generator=rng, dtype=torch.float64)
    pixels = fourier.decode(latents, (32, 32)).transpose(0, 1).flatten(1).numpy()
    covariance = pixels @ pixels.T / pixels.shape[1]
    expected = np.array(fourier.COLOR_COVARIANCE)
    expected *= 3 / np.trace(expected)
    assert np.trace(covariance) / 3 == pytest.approx(1, rel=0.05)
    np.testing.assert_allclose(covariance / np.trace(covariance) * 3, expected, atol=0.05)


def test_the_colors_axes_are_light_and_two_opponents():
    root = fourier.color_root(torch.zeros((), dtype=torch.float64)).numpy()
    covariance = np.array(fourier.COLOR_COVARIANCE)
    np.testing.assert_allclose(root @ root.T, covariance * 3 / np.trace(covariance), rtol=1e-12)
    light, yellow, green = root.T
    assert light.min() > 0.8 * light.max()
    assert yellow[0] > 0 > yellow[2] and abs(yellow[1]) < 0.1 * yellow[0]
    assert green[1] < 0 < green[0] and green[2] > 0
    products = root.T @ root
    np.testing.assert_allclose(products, np.diag(np.diag(products)), atol=1e-12)


def test_zero_latents_are_black_and_gray_where_bounded():
    zero = torch.zeros(1, 3, 5, 6)
    assert torch.equal(PARAMETRIZATIONS.find("fourier").decode(zero, (5, 6)), zero)
    assert torch.equal(PARAMETRIZATIONS.find("fourier-bounded").decode(zero, (5, 6)), zero + 0.5)


def test_bounded_pixels_stay_within_the_margin(rng):
    form = PARAMETRIZATIONS.find("fourier-bounded")
    image = form.decode(1e3 * torch.randn(1, 3, 16, 16, generator=rng), (16, 16))
    assert image.min() >= -bounded.MARGIN - 1e-6
    assert image.max() <= 1 + bounded.MARGIN + 1e-6
    assert image.min() < 0 and image.max() > 1


def test_bounded_pixels_are_those_of_the_spectrum_about_gray(rng):
    small = 1e-4 * torch.randn(1, 3, 8, 8, generator=rng, dtype=torch.float64)
    expected = 0.5 + PARAMETRIZATIONS.find("fourier").decode(small, (8, 8))
    torch.testing.assert_close(
        PARAMETRIZATIONS.find("fourier-bounded").decode(small, (8, 8)), expected, atol=1e-9, rtol=0
    )


def test_a_picture_out_of_range_is_clamped_where_it_is_bounded():
    form = PARAMETRIZATIONS.find("fourier-bounded")
    image = torch.linspace(-0.5, 1.5, 48, dtype=torch.float64).view(1, 3, 4, 4)
    again = form.decode(form.encode(image), (4, 4))
    torch.testing.assert_close(again, image.clamp(0, 1))


def test_black_and_white_can_be_left_again():
    form = PARAMETRIZATIONS.find("fourier-bounded")
    pixel = form.encode(torch.tensor([0.0, 1.0, 0.5], dtype=torch.float64).view(1, 3, 1, 1))
    straight = fourier.decode(pixel, (1, 1)).requires_grad_()
    drawn = 0.5 + bounded.REACH * (straight / bounded.REACH).tanh()
    drawn.sum().backward()
    slopes = straight.grad.flatten().tolist()
    assert slopes == pytest.approx([1 - (0.5 / 0.55) ** 2] * 2 + [1.0])


def test_bands_have_half_the_size_of_the_one_before_and_the_last_is_the_coarsest_picture():
    assert laplacian._sizes((37, 53)) == [(37, 53), (19, 27), (10, 14), (5, 7), (3, 4), (2, 2)]
    assert laplacian._sizes((2, 5)) == [(2, 5), (1, 3), (1, 2), (1, 1)]
    assert laplacian._sizes((1, 1)) == [(1, 1)]


def test_a_flat_picture_has_no_detail():
    latents = laplacian.encode(torch.full((1, 3, 37, 53), 0.7, dtype=torch.float64))
    assert latents.shape == (1, 3, 1, 37 * 53 + 19 * 27 + 140 + 35 + 12 + 4)
    torch.testing.assert_close(latents[..., :-4], torch.zeros_like(latents[..., :-4]))
    torch.testing.assert_close(latents[..., -4:], torch.full_like(latents[..., -4:], 0.7))


def test_the_finest_band_is_what_halving_loses():
    """A row of 8 by hand: halving weighs four neighbors 1 3 3 1, doubling two 3 1."""
    row = np.array([0.0, 0, 0, 8, 0, 0, 0, 0])
    halved = np.array([0.0, 3, 1, 0])
    coarse = torch.from_numpy(row).view(1, 1, 1, 8).expand(1, 3, 8, 8).contiguous()
    latents = laplacian.encode(coarse)
    assert latents.shape[-1] == 64 + 16 + 4 + 1
    doubled = np.interp((np.arange(8) + 0.5) / 2 - 0.5, np.arange(4), halved)
    found = latents[0, 0, 0, :64].view(8, 8).numpy()
    np.testing.assert_allclose(found, np.tile(row - doubled, (8, 1)), atol=1e-12)


def test_an_entry_of_the_coarsest_band_moves_its_whole_region(rng):
    latents = laplacian.encode(torch.rand(1, 3, 64, 64, generator=rng, dtype=torch.float64))
    moved = latents.clone()
    moved[..., -4] += 1.0  # the upper left of 2 x 2
    change = (laplacian.decode(moved, (64, 64)) - laplacian.decode(latents, (64, 64)))[0, 0]
    assert change[0, 0].item() == pytest.approx(1.0)
    assert (change[:16, :16] > 0.5).all()
    assert change[-1, -1].item() == pytest.approx(0.0)
