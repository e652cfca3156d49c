"""The contract that every loss between layers keeps, whatever it describes."""

import pytest
import torch

from swag import losses
from swag.errors import SettingsError
from swag.losses import LOSSES

STYLE = [name for name, loss in LOSSES.items() if loss.role == "style"]


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(0)


@pytest.fixture(params=list(LOSSES))
def loss(request):
    return losses.get(request.param)


@pytest.fixture(params=STYLE)
def style_loss(request):
    return losses.get(request.param)


def difference(loss, a, b):
    return loss.compare(loss.describe(a), loss.describe(b))


def parts(description):
    return description if isinstance(description, tuple) else (description,)


def test_a_picture_differs_by_nothing_from_itself(loss, rng):
    a = torch.randn(2, 3, 4, 5, generator=rng)
    assert torch.equal(difference(loss, a, a), torch.zeros(2))


def test_different_pictures_differ_alike_in_both_directions(loss, rng):
    a, b = torch.randn(2, 2, 3, 4, 5, generator=rng)
    assert (difference(loss, a, b) > 0.01).all()
    torch.testing.assert_close(difference(loss, a, b), difference(loss, b, a))


def test_the_gradient_is_that_of_the_function(loss, rng):
    a, b = torch.randn(2, 2, 3, 2, 3, generator=rng, dtype=torch.float64)
    target = loss.describe(b)
    a.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss.compare(loss.describe(x), target), (a,))


def test_the_gradient_is_finite_where_nothing_varies(loss):
    flat = torch.full((1, 3, 4, 4), 0.5, requires_grad=True)
    difference(loss, flat, torch.zeros(1, 3, 4, 4)).sum().backward()
    assert flat.grad.isfinite().all()


def test_the_pictures_of_a_batch_do_not_mix(loss, rng):
    a, b = torch.randn(2, 3, 4, 5, 6, generator=rng)
    alone = [difference(loss, x[None], y[None]) for x, y in zip(a, b, strict=True)]
    torch.testing.assert_close(difference(loss, a, b), torch.cat(alone))
    for part in parts(loss.describe(a)):
        assert part.shape[0] == 3


def test_an_optimiser_finds_the_way_to_the_target(loss, rng):
    a, b = torch.randn(2, 1, 3, 4, 4, generator=rng)
    a.requires_grad_()
    (gradient,) = torch.autograd.grad(difference(loss, a, b).sum(), a)
    closer = a.detach() - 1e-3 * gradient
    assert (difference(loss, closer, b) < difference(loss, a, b)).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(loss, dtype, rng):
    a, b = (300 * torch.randn(2, 1, 16, 8, 8, generator=rng)).to(dtype)
    found = difference(loss, a, b)
    assert found.dtype == torch.float32
    assert found.isfinite().all()
    assert torch.equal(found, difference(loss, a.float(), b.float()))
    size = loss.magnitude(loss.describe(b))
    assert size.dtype == torch.float32 and size.isfinite().all()


def test_autocast_changes_nothing(loss, rng):
    a, b = torch.randn(2, 1, 16, 8, 8, generator=rng)
    expected = difference(loss, a, b)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(difference(loss, a, b), expected)


def test_float64_is_kept(loss, rng):
    a, b = torch.randn(2, 1, 3, 4, 4, generator=rng, dtype=torch.float64)
    assert difference(loss, a, b).dtype == torch.float64


def test_where_things_are_is_not_part_of_a_style(style_loss, rng):
    a, b = torch.randn(2, 2, 3, 4, 5, generator=rng, dtype=torch.float64)
    order = torch.randperm(20, generator=rng)
    moved = a.flatten(2)[..., order].reshape(2, 3, 5, 4)
    torch.testing.assert_close(difference(style_loss, moved, b), difference(style_loss, a, b))


def test_styles_of_different_sizes_can_be_compared(style_loss, rng):
    a = torch.randn(2, 3, 4, 5, generator=rng, dtype=torch.float64)
    b = torch.randn(2, 3, 7, 2, generator=rng, dtype=torch.float64)
    assert (difference(style_loss, a, b) > 0).all()
    tiled = a.repeat(1, 1, 2, 3)
    torch.testing.assert_close(difference(style_loss, tiled, b), difference(style_loss, a, b))


def test_where_things_are_is_what_content_is_about(rng):
    a = torch.randn(1, 3, 4, 5, generator=rng)
    assert difference(LOSSES["content"], a, a.flip(3)) > 0.1
    with pytest.raises(SettingsError, match=r"\(1, 3, 4, 5\) and \(1, 3, 5, 4\)"):
        difference(LOSSES["content"], a, a.mT)


def test_the_magnitude_is_the_error_of_an_empty_picture(loss, rng):
    a = torch.randn(2, 3, 4, 5, generator=rng, dtype=torch.float64)
    expected = difference(loss, torch.zeros_like(a), a)
    torch.testing.assert_close(loss.magnitude(loss.describe(a)), expected)


def test_the_magnitude_is_above_zero_even_of_nothing(loss):
    size = loss.magnitude(loss.describe(torch.zeros(2, 3, 4, 5)))
    entries = sum(part[0].numel() for part in parts(loss.describe(torch.zeros(2, 3, 4, 5))))
    assert size.tolist() == [entries, entries]


def test_the_magnitude_of_faint_activations_is_their_own(loss, rng):
    faint = 1e-3 * torch.randn(1, 3, 8, 8, generator=rng)
    assert loss.magnitude(loss.describe(faint)) < 1


def test_every_loss_can_be_found_and_listed():
    assert losses.names() == ("gram", "covariance", "moments", "content")
    for name in losses.names():
        found = losses.get(name)
        assert found.name == name
        assert found.summary and found.reference


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gramm", "no loss is called 'gramm'; did you mean gram\\? there are gram, covariance"),
        ("xyz", "no loss is called 'xyz'; there are gram, covariance, moments, content"),
        ("pixel_range", "pixel_range is no loss between layers but a penalty"),
    ],
)
def test_an_unknown_loss_is_told_with_those_there_are(name, said):
    with pytest.raises(SettingsError, match=said):
        losses.get(name)
