"""Weights of positions: a loss of a region of the picture."""

import pytest
import torch

from swag import losses
from swag.losses import LOSSES
from swag.losses.weighting import normalized_weights

STYLE = [name for name, loss in LOSSES.items() if loss.role == "style" and not loss.joint]


@pytest.fixture
def features(rng):
    return torch.randn(2, 3, 4, 6, generator=rng, dtype=torch.float64)


@pytest.fixture(params=STYLE)
def loss(request):
    return losses.get(request.param)


def close(a, b):
    for x, y in zip(parts(a), parts(b), strict=True):
        torch.testing.assert_close(x, y)


def parts(description):
    return description if isinstance(description, tuple) else (description,)


def test_weights_of_one_are_no_weights(loss, features):
    mask = torch.ones(1, 1, 4, 6, dtype=torch.float64)
    other = loss.describe(features.flip(0))
    a, b = loss.describe(features, mask), loss.describe(features)
    torch.testing.assert_close(loss.compare(a, other), loss.compare(b, other))


def test_a_mask_is_the_region_alone(loss, features):
    mask = torch.zeros(1, 1, 4, 6, dtype=torch.float64)
    mask[..., :4] = 1
    other = loss.describe(features.flip(0))
    inside = loss.describe(features[..., :4])
    torch.testing.assert_close(
        loss.compare(loss.describe(features, mask), other), loss.compare(inside, other)
    )


def test_only_the_shares_of_the_weights_count(loss, features, rng):
    mask = torch.rand(2, 1, 4, 6, generator=rng, dtype=torch.float64)
    other = loss.describe(features.flip(0))
    torch.testing.assert_close(
        loss.compare(loss.describe(features, 7 * mask), other),
        loss.compare(loss.describe(features, mask), other),
    )


@pytest.mark.parametrize("name", sorted(set(STYLE) - {"mrf"}))
def test_a_position_of_weight_two_counts_twice(name, features):
    loss = losses.get(name)
    mask = torch.ones(1, 1, 4, 6, dtype=torch.float64)
    mask[..., 0] = 2
    doubled = torch.cat([features[..., :1], features], dim=3)
    other = loss.describe(features.flip(0))
    torch.testing.assert_close(
        loss.compare(loss.describe(features, mask), other),
        loss.compare(loss.describe(doubled), other),
    )


def test_what_is_outside_the_region_gets_no_gradient(loss, features):
    mask = torch.zeros(1, 1, 4, 6, dtype=torch.float64)
    mask[..., 2:] = 1
    features.requires_grad_()
    target = loss.describe(features.detach().flip(0))
    (gradient,) = torch.autograd.grad(
        loss.compare(loss.describe(features, mask), target).sum(), features
    )
    assert gradient[..., :2].abs().max() == 0
    assert gradient[..., 2:].abs().max() > 0


def test_content_counts_squared_differences_by_their_weights(features, rng):
    content = LOSSES["content"]
    mask = torch.rand(2, 1, 4, 6, generator=rng, dtype=torch.float64)
    target = content.describe(features.flip(0), mask)
    found = content.compare(content.describe(features, mask), target)
    expected = (mask * (features - features.flip(0)).square()).sum((1, 2, 3))
    torch.testing.assert_close(found, expected)


def test_shares_sum_to_one_even_of_nothing():
    assert normalized_weights(torch.zeros(1, 1, 2, 2)).tolist() == [[[0.25] * 4]]
    assert normalized_weights(torch.tensor([[[[1.0, 3.0]]]])).tolist() == [[[0.25, 0.75]]]
