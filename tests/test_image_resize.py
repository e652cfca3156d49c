"""Changes of size: against a loop over Keys' kernel, and the aspect ratio kept."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from swag.image import fitted, resize

side = st.integers(1, 5000)


def keys(x: float) -> float:
    x = abs(x)
    if x < 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def resampled(row: np.ndarray, length: int) -> np.ndarray:
    """One row by loops: the kernel widened when shrinking, weights normalized to sum 1."""
    ratio = len(row) / length
    width = max(ratio, 1.0)
    out = np.zeros(length)
    for i in range(length):
        center = (i + 0.5) * ratio
        weights = [keys((j + 0.5 - center) / width) for j in range(len(row))]
        out[i] = sum(w * v for w, v in zip(weights, row, strict=True)) / sum(weights)
    return out


@pytest.mark.parametrize("shape", [(5, 7), (12, 9), (31, 40), (1, 1)])
def test_resizing_is_keys_kernel_along_both_axes(shape):
    image = torch.rand(
        1, 2, 12, 17, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    got = resize(image, shape)
    for channel in range(2):
        rows = np.stack([resampled(row, shape[1]) for row in image[0, channel].numpy()])
        oracle = np.stack([resampled(column, shape[0]) for column in rows.T]).T
        np.testing.assert_allclose(got[0, channel].numpy(), oracle, atol=1e-12)


def test_the_gradient_of_resizing_is_that_of_finite_differences():
    image = torch.rand(1, 1, 6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    image.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: resize(x, (3, 4)), image)
    assert torch.autograd.gradcheck(lambda x: resize(x, (8, 9)), image)


def test_a_constant_stays_constant():
    assert torch.allclose(resize(torch.full((1, 3, 33, 20), 0.3), (7, 50)), torch.tensor(0.3))


def test_the_finest_stripes_shrink_to_gray_instead_of_aliasing():
    stripes = (torch.arange(64) % 2).float().expand(1, 3, 64, 64)
    inner = resize(stripes, (16, 16))[..., 2:-2]
    assert (inner - 0.5).abs().max() < 0.02


def test_the_same_size_gives_the_same_picture():
    image = torch.rand(1, 3, 5, 6, generator=torch.Generator().manual_seed(2))
    assert torch.equal(resize(image, (5, 6)), image)


@given(side, side, side)
def test_the_long_side_is_exact_and_the_short_one_within_half_a_pixel(height, width, size):
    new = fitted(height, width, size)
    assert max(new) == size
    exact = min(height, width) * size / max(height, width)
    assert min(new) == max(1, math.floor(exact + 0.5 + 1e-9)) or abs(min(new) - exact) <= 0.5


@given(side, side, side)
def test_fitting_does_not_know_portrait_from_landscape(height, width, size):
    assert fitted(height, width, size) == fitted(width, height, size)[::-1]


@given(side, side)
def test_a_picture_fits_its_own_long_side(height, width):
    assert fitted(height, width, max(height, width)) == (height, width)


def test_a_thread_keeps_one_pixel_of_width():
    assert fitted(5000, 1, 100) == (100, 1)
