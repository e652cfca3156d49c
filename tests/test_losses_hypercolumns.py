"""The common grid of all layers, and the vectors on it."""

import numpy as np
import pytest
import torch

from swag.errors import SettingsError
from swag.losses.hypercolumns import (
    POSITIONS,
    centered,
    columns_of,
    cosine_distances,
    hypercolumns,
    resample,
    sample_grid,
    together,
    unit_vectors,
)


def bilinear_by_loops(plane, rows, columns):
    """Values between the centers of pixels; beyond the outermost centers, theirs."""
    height, width = plane.shape
    out = np.zeros((rows, columns))
    for i in range(rows):
        for j in range(columns):
            y = min(max((i + 0.5) * height / rows - 0.5, 0), height - 1)
            x = min(max((j + 0.5) * width / columns - 0.5, 0), width - 1)
            top, left = min(int(y), height - 2), min(int(x), width - 2)
            v, u = y - top, x - left
            upper = (1 - u) * plane[top, left] + u * plane[top, left + 1]
            lower = (1 - u) * plane[top + 1, left] + u * plane[top + 1, left + 1]
            out[i, j] = (1 - v) * upper + v * lower
    return out


@pytest.mark.parametrize(
    ("rows", "columns", "at_most", "expected"),
    [
        (512, 512, 2048, (45, 45)),
        (512, 512, 4096, (64, 64)),
        (400, 100, 1024, (64, 16)),
        (4, 5, 2048, (4, 5)),
        (1, 1, 1, (1, 1)),
        (7, 9, 1, (1, 1)),
        (1, 100_000, 2048, (1, 2048)),
        (100_000, 1, 2048, (2048, 1)),
        (100_000, 3, 5, (5, 1)),
    ],
)
def test_a_grid_keeps_its_bound_and_its_aspect_ratio(rows, columns, at_most, expected):
    assert sample_grid(rows, columns, at_most) == expected


def test_a_grid_without_positions_is_refused():
    with pytest.raises(SettingsError, match="expected at least 1 position, not 0; give 1 or more"):
        sample_grid(4, 5, 0)


def test_finer_maps_are_averaged_over_cells(rng):
    fine = torch.randn(2, 3, 6, 8, generator=rng, dtype=torch.float64)
    cells = fine.reshape(2, 3, 3, 2, 2, 4).mean((3, 5))
    torch.testing.assert_close(resample(fine, (3, 2)), cells)


def test_coarser_maps_are_bilinear_between_their_positions(rng):
    coarse = torch.randn(1, 1, 3, 4, generator=rng, dtype=torch.float64)
    expected = bilinear_by_loops(coarse[0, 0].numpy(), 7, 9)
    np.testing.assert_allclose(resample(coarse, (7, 9))[0, 0].numpy(), expected, rtol=1e-12)


def test_a_map_finer_one_way_and_coarser_the_other_is_averaged_and_then_enlarged(rng):
    mixed = torch.randn(1, 1, 8, 3, generator=rng, dtype=torch.float64)
    averaged = mixed.reshape(1, 1, 4, 2, 3).mean(3)
    expected = bilinear_by_loops(averaged[0, 0].numpy(), 4, 6)
    np.testing.assert_allclose(resample(mixed, (4, 6))[0, 0].numpy(), expected, rtol=1e-12)


def test_a_hypercolumn_holds_the_channels_of_all_layers_in_order(rng):
    shallow = torch.randn(2, 3, 4, 6, generator=rng)
    deep = torch.randn(2, 5, 2, 3, generator=rng)
    joined = hypercolumns((shallow, deep))
    assert joined.shape == (2, 8, 4, 6)
    assert torch.equal(joined[:, :3], shallow)
    torch.testing.assert_close(joined[:, 3:], resample(deep, (4, 6)))


def test_large_maps_are_brought_to_the_bound(rng):
    layers = (torch.rand(1, 2, 96, 96, generator=rng), torch.rand(1, 3, 24, 24, generator=rng))
    assert hypercolumns(layers).shape == (1, 5, 45, 45)
    assert 45 * 45 <= POSITIONS
    assert hypercolumns(layers, 36).shape == (1, 5, 6, 6)


def test_every_pixel_of_a_large_map_has_a_gradient(rng):
    layer = torch.rand(1, 2, 50, 70, generator=rng).requires_grad_()
    hypercolumns((layer,), 20).square().sum().backward()
    assert (layer.grad != 0).all()


def test_the_vectors_stand_in_reading_order_and_count_alike():
    maps = torch.arange(2 * 3 * 2 * 2).reshape(2, 3, 2, 2).float()
    vectors, weights = columns_of(maps, None)
    assert vectors[0].tolist() == [[0, 4, 8], [1, 5, 9], [2, 6, 10], [3, 7, 11]]
    assert weights.tolist() == [[0.25] * 4] * 2


def test_weights_are_shares_brought_to_the_grid():
    mask = torch.tensor([[3.0, 1.0, 0.0, 0.0], [3.0, 1.0, 4.0, 4.0]])[None, None]
    _, weights = columns_of(torch.zeros(2, 3, 1, 2), mask)
    assert weights.tolist() == [[0.5, 0.5]] * 2
    _, weights = columns_of(torch.zeros(2, 3, 2, 4), 7 * mask)
    torch.testing.assert_close(weights[0], mask.flatten() / 16)


def test_directions_have_length_one_whatever_the_scale(rng):
    vectors = torch.randn(2, 5, 7, generator=rng, dtype=torch.float64)
    units = unit_vectors(vectors)
    torch.testing.assert_close(units.norm(dim=2), torch.ones(2, 5).double(), rtol=0, atol=1e-7)
    torch.testing.assert_close(unit_vectors(1000 * vectors), units, rtol=0, atol=1e-7)


def test_a_vector_of_zeros_has_no_direction_and_a_finite_slope():
    zeros = torch.zeros(1, 2, 3, requires_grad=True)
    units = unit_vectors(zeros)
    assert not units.any()
    units.sum().backward()
    torch.testing.assert_close(zeros.grad, torch.full((1, 2, 3), 1e4))


def test_the_cosine_distance_is_one_minus_the_cosine(rng):
    a, b = torch.randn(2, 1, 6, 4, generator=rng, dtype=torch.float64)
    expected = [
        1 - np.dot(u, v) / (np.linalg.norm(u) * np.linalg.norm(v))
        for u, v in zip(a[0].numpy(), b[0].numpy(), strict=True)
    ]
    found = cosine_distances(unit_vectors(a), unit_vectors(b))[0]
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-7)


def test_vectors_of_zeros_are_alike_and_half_away_from_others(rng):
    zeros, others = torch.zeros(1, 3, 4), unit_vectors(torch.randn(1, 3, 4, generator=rng))
    assert not cosine_distances(zeros, zeros).any()
    torch.testing.assert_close(cosine_distances(zeros, others), torch.full((1, 3), 0.5))


def test_vectors_about_their_weighted_mean(rng):
    vectors = torch.randn(1, 3, 2, generator=rng, dtype=torch.float64)
    weights = torch.tensor([[0.5, 0.25, 0.25]]).double()
    mean = np.average(vectors[0].numpy(), axis=0, weights=weights[0].numpy())
    found = centered((vectors, weights))[0].numpy()
    np.testing.assert_allclose(found, vectors[0].numpy() - mean, rtol=1e-12)


def test_several_targets_share_the_weight_and_keep_all_vectors(rng):
    one = columns_of(torch.randn(1, 3, 2, 2, generator=rng), None)
    other = columns_of(torch.randn(1, 3, 2, 4, generator=rng), None)
    vectors, weights, again, _ = together([one * 2, other * 2])
    assert torch.equal(vectors, torch.cat([one[0], other[0]], 1))
    assert torch.equal(again, vectors)
    assert weights.tolist() == [[1 / 8] * 4 + [1 / 16] * 8]
