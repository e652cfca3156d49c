"""The histogram loss against histogram matching written out as the paper does it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from swag.losses import histogram
from swag.losses.loss import loss_of

LOSS = loss_of(histogram, "summary", "reference", role="style")


def difference(a, b, mask=None):
    return histogram.compare(histogram.describe(a, mask), histogram.describe(b))


def matched(channel, target):
    """The activations of a channel remapped to the histogram of a target of the same size."""
    remapped = np.empty_like(channel)
    for rank, position in enumerate(sorted(range(len(channel)), key=lambda i: channel[i])):
        remapped[position] = sorted(target)[rank]
    return remapped


def remapped_map(a, b):
    rows = zip(a[0].flatten(1).numpy(), b[0].flatten(1).numpy(), strict=True)
    return np.stack([matched(x, y) for x, y in rows])


@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 7))
def test_the_loss_is_the_papers(seed, d, m):
    """|O - R|^2 with R the remapped activations, and its gradient with R held constant."""
    source = torch.Generator().manual_seed(seed)
    a, b = torch.randn(2, 1, d, 1, m, generator=source, dtype=torch.float64)
    apart = a[0].flatten(1).numpy() - remapped_map(a, b)
    a.requires_grad_()
    error = difference(a, b)
    assert error.item() == pytest.approx((apart**2).sum() / m, rel=1e-12)
    (gradient,) = torch.autograd.grad(error.sum(), a)
    np.testing.assert_allclose(gradient[0].flatten(1), 2 * apart / m, rtol=1e-12, atol=1e-15)


def test_one_step_to_the_remapped_activations_ends_the_loss(pair):
    step = torch.from_numpy(remapped_map(pair[0][:1], pair[1][:1])).reshape(1, 3, 4, 5)
    assert difference(step, pair[1][:1]).item() == 0


def test_a_constant_added_to_a_channel_counts_by_its_square(pair):
    moved = pair[0] + torch.tensor([1.0, -2.0, 0.5])[:, None, None]
    torch.testing.assert_close(difference(moved, pair[0]), torch.full((2,), 5.25).double())


def test_channels_are_compared_each_by_itself(pair, rng):
    apart = [difference(pair[0][:, i : i + 1], pair[1][:, i : i + 1]) for i in range(3)]
    torch.testing.assert_close(difference(*pair), sum(apart))
    shuffled = pair[0].clone()
    shuffled[:, 1] = pair[0][:, 1].flip(1, 2)
    assert torch.equal(difference(shuffled, pair[0]), torch.zeros(2).double())


def test_of_different_sizes_each_is_as_if_repeated(pair):
    b = pair[1][..., :3]
    expected = difference(pair[0].repeat(1, 1, 1, 3), b.repeat(1, 1, 1, 5))
    torch.testing.assert_close(difference(pair[0], b), expected)


@pytest.mark.parametrize("weight", [1.0, 3.0])
def test_weights_that_are_all_alike_change_nothing(pair, weight):
    mask = torch.full((2, 1, 4, 5), weight)
    torch.testing.assert_close(difference(*pair, mask), difference(*pair))


def test_a_mask_leaves_the_chosen_positions_alone(pair):
    mask = torch.zeros(2, 1, 4, 5)
    mask[0, :, 2:], mask[1, :, :2] = 1.0, 1.0
    expected = torch.cat(
        [
            difference(pair[0][:1, :, 2:], pair[1][:1]),
            difference(pair[0][1:, :, :2], pair[1][1:]),
        ]
    )
    torch.testing.assert_close(difference(*pair, mask), expected)


def test_a_position_of_weight_two_counts_as_two(pair):
    mask = torch.ones(1, 1, 4, 5)
    mask[..., 0] = 2
    doubled = torch.cat([pair[0], pair[0][..., :1]], dim=3)
    torch.testing.assert_close(difference(*pair, mask), difference(doubled, pair[1]))


def test_the_gradient_is_that_of_the_function(pair):
    target = histogram.describe(pair[1][..., :3])
    a = pair[0].clone().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: histogram.compare(histogram.describe(x), target), (a,)
    )


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (1, 3, 4, 4)])
@pytest.mark.parametrize("value", [0.0, 0.5])
@pytest.mark.parametrize("target", [0.0, 0.5, 1.0])
def test_nothing_to_see_gives_a_number_and_a_gradient(shape, value, target):
    flat = torch.full(shape, value, requires_grad=True)
    error = difference(flat, torch.full((1, 3, 2, 3), target))
    assert error.item() == pytest.approx(3 * (value - target) ** 2, rel=1e-5, abs=1e-9)
    error.sum().backward()
    assert flat.grad.isfinite().all()


def test_the_size_is_the_error_of_an_empty_picture(pair):
    described = histogram.describe(pair[1])
    torch.testing.assert_close(
        histogram.target_norm(described), difference(torch.zeros_like(pair[1]), pair[1])
    )
    assert histogram.target_norm(histogram.describe(torch.zeros(2, 3, 4, 5))).tolist() == [3, 3]


def test_several_pictures_count_as_one_with_all_their_positions(pair):
    merged = LOSS.combine_targets([histogram.describe(x) for x in pair])
    together = histogram.describe(torch.cat([pair[0], pair[1]], dim=2))
    assert histogram.compare(merged, together).abs().max() < 1e-12
