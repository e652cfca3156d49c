"""Terms on the pixels: total variation and the range."""

import math

import pytest
import torch

from swag.losses import PENALTIES

pixel_range, total_variation = (PENALTIES[n].measure for n in ("pixel_range", "total_variation"))


@pytest.fixture(params=list(PENALTIES))
def penalty(request):
    return PENALTIES[request.param]


def total_variation_by_loops(image):
    _, height, width = image.shape
    total = 0.0
    for plane in image.tolist():
        for y in range(height):
            for x in range(width):
                right = plane[y][x + 1] - plane[y][x] if x + 1 < width else 0.0
                below = plane[y + 1][x] - plane[y][x] if y + 1 < height else 0.0
                total += math.sqrt(right**2 + below**2 + 0.01**2) - 0.01
    return total / image.numel()


def test_total_variation_equals_its_formula(rng):
    image = torch.rand(2, 3, 5, 7, generator=rng, dtype=torch.float64)
    expected = torch.tensor([total_variation_by_loops(one) for one in image]).double()
    torch.testing.assert_close(total_variation(image), expected, rtol=1e-6, atol=0)


def test_an_edge_costs_its_height_and_not_its_square():
    image = torch.zeros(1, 3, 10, 10, dtype=torch.float64)
    image[..., 5:] = 1.0
    assert total_variation(image).item() == pytest.approx(10 * 1.0 / 100, rel=0.011)
    assert total_variation(image / 2) / total_variation(image) == pytest.approx(0.5, rel=0.02)


def test_a_picture_turned_over_varies_as_much(rng):
    image = torch.rand(1, 3, 6, 6, generator=rng, dtype=torch.float64)
    torch.testing.assert_close(total_variation(image.mT), total_variation(image))


def test_a_picture_of_one_pixel_does_not_vary():
    assert total_variation(torch.rand(1, 3, 1, 1, generator=torch.Generator().manual_seed(0))) == 0


def test_the_range_penalty_is_the_mean_squared_distance_from_the_range():
    image = torch.tensor([-0.5, 0.0, 0.3, 1.0, 1.25, 3.0]).repeat(3, 1)[None, :, None]
    assert pixel_range(image).item() == pytest.approx((0.25 + 0.0625 + 4.0) / 6)


def test_a_picture_within_the_range_costs_nothing(rng):
    image = torch.rand(2, 3, 4, 4, generator=rng).requires_grad_()
    cost = pixel_range(image)
    cost.sum().backward()
    assert torch.equal(cost, torch.zeros(2))
    assert not image.grad.any()


def test_the_gradient_is_that_of_the_function(penalty, rng):
    image = 3 * torch.rand(2, 3, 3, 4, generator=rng, dtype=torch.float64) - 1
    assert torch.autograd.gradcheck(penalty.measure, (image.requires_grad_(),))


def test_the_gradient_is_finite_on_a_flat_picture(penalty):
    image = torch.ones(1, 3, 4, 4, requires_grad=True)
    penalty.measure(image).sum().backward()
    assert image.grad.isfinite().all()


def test_the_pictures_of_a_batch_do_not_mix(penalty, rng):
    image = 3 * torch.rand(3, 3, 4, 5, generator=rng) - 1
    alone = torch.cat([penalty.measure(one[None]) for one in image])
    torch.testing.assert_close(penalty.measure(image), alone)


def test_half_precision_is_computed_in_float32(penalty, rng):
    image = (3 * torch.rand(1, 3, 8, 8, generator=rng) - 1).half()
    assert torch.equal(penalty.measure(image), penalty.measure(image.float()))


def test_every_penalty_can_be_listed():
    for name, penalty in PENALTIES.items():
        assert penalty.name == name
        assert penalty.summary and penalty.reference
