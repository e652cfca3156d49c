"""The contract that every loss between layers keeps, whatever it describes."""

import pytest
import torch

from swag import losses
from swag.errors import SettingsError
from swag.losses import LOSSES, options_of

STYLE = [name for name, loss in LOSSES.items() if loss.role == "style"]
CONTENT = [name for name, loss in LOSSES.items() if loss.role == "content"]
ONE_SIDED = {"neighbors", "mrf", "gram-robust"}
"""Those that look for the nearest in the target only, or measure errors by its size."""
SQUARES = ("gram", "covariance", "moments", "cross-layer", "content", "laplacian")
"""Sums of squared differences, whose size is that of the description."""


@pytest.fixture(params=list(LOSSES))
def loss(request):
    return losses.get(request.param)


@pytest.fixture(params=STYLE)
def style_loss(request):
    return losses.get(request.param)


def describe(loss, a, mask=None):
    """A joint loss sees two layers of one size, the other the map itself."""
    return loss.describe((a, (a + 0.5).square()[:, :2]) if loss.joint else a, mask)


def difference(loss, a, b):
    return loss.compare(describe(loss, a), describe(loss, b))


def parts(description):
    return description if isinstance(description, tuple) else (description,)


def test_a_picture_differs_by_nothing_from_itself(loss, rng):
    a = torch.randn(2, 3, 12, 16, generator=rng)
    torch.testing.assert_close(difference(loss, a, a), torch.zeros(2), atol=2e-6, rtol=0)


def test_different_pictures_differ(loss, rng):
    a, b = torch.randn(2, 2, 3, 12, 16, generator=rng)
    assert (difference(loss, a, b) > 0.01).all()


@pytest.mark.parametrize("name", sorted(set(LOSSES) - ONE_SIDED))
def test_both_directions_differ_alike(name, rng):
    a, b = torch.randn(2, 2, 3, 12, 16, generator=rng)
    loss = losses.get(name)
    torch.testing.assert_close(difference(loss, a, b), difference(loss, b, a))


def test_the_gradient_is_that_of_the_function(loss, rng):
    a, b = torch.randn(2, 2, 3, 4, 4, generator=rng, dtype=torch.float64)
    target = describe(loss, b)
    a.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss.compare(describe(loss, x), target), (a,))


@pytest.mark.parametrize("value", [0.0, 0.5])
@pytest.mark.parametrize("sides", [(4, 4), (1, 1), (1, 7), (9, 2)])
@pytest.mark.parametrize("other", ["nothing", "flat", "noise"])
def test_flat_gray_and_tiny_pictures_have_a_loss_and_a_gradient(loss, value, sides, other, rng):
    flat = torch.full((1, 3, *sides), value, requires_grad=True)
    noise = torch.rand(1, 3, *sides, generator=rng)
    target = {"nothing": 0 * noise, "flat": 0 * noise + 0.2, "noise": noise}[other]
    for a, b in ((flat, target), (target.requires_grad_(), flat.detach())):
        found = difference(loss, a, b)
        assert found.isfinite().all()
        (gradient,) = torch.autograd.grad(found.sum(), a)
        assert gradient.isfinite().all()


def test_the_pictures_of_a_batch_do_not_mix(loss, rng):
    a, b = torch.randn(2, 3, 3, 5, 6, generator=rng)
    alone = [difference(loss, x[None], y[None]) for x, y in zip(a, b, strict=True)]
    torch.testing.assert_close(difference(loss, a, b), torch.cat(alone))
    for part in parts(describe(loss, a)):
        assert part.shape[0] == 3


def test_an_optimizer_finds_the_way_to_the_target(loss, rng):
    a, b = torch.randn(2, 1, 3, 8, 8, generator=rng)
    a.requires_grad_()
    (gradient,) = torch.autograd.grad(difference(loss, a, b).sum(), a)
    closer = a.detach() - 1e-3 * gradient
    assert (difference(loss, closer, b) < difference(loss, a, b)).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(loss, dtype, rng):
    a, b = (30 * torch.randn(2, 1, 3, 8, 8, generator=rng)).to(dtype)
    if loss.joint:
        a, b = a / 16, b / 16  # the second map is a square in half precision itself
    found = difference(loss, a, b)
    assert found.dtype == torch.float32
    assert found.isfinite().all()
    if not loss.joint:
        assert torch.equal(found, difference(loss, a.float(), b.float()))
    size = loss.target_norm(describe(loss, b))
    assert size.dtype == torch.float32 and size.isfinite().all()


def test_autocast_changes_nothing(loss, rng):
    a, b = torch.randn(2, 1, 3, 8, 8, generator=rng)
    expected = difference(loss, a, b)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(difference(loss, a, b), expected)


def test_float64_is_kept(loss, rng):
    a, b = torch.randn(2, 1, 3, 4, 4, generator=rng, dtype=torch.float64)
    assert difference(loss, a, b).dtype == torch.float64


@pytest.mark.parametrize("name", sorted(set(STYLE) - {"mrf"}))
def test_where_things_are_is_not_part_of_a_style(name, rng):
    a, b = torch.randn(2, 2, 3, 4, 5, generator=rng, dtype=torch.float64)
    order = torch.randperm(20, generator=rng)
    moved = a.flatten(2)[..., order].reshape(2, 3, 5, 4)
    loss = losses.get(name)
    torch.testing.assert_close(difference(loss, moved, b), difference(loss, a, b))


def test_patches_hold_where_things_are(rng):
    a, b = torch.randn(2, 1, 3, 6, 6, generator=rng)
    moved = a.flatten(2)[..., torch.randperm(36, generator=rng)].reshape(1, 3, 6, 6)
    mrf = losses.get("mrf")
    assert not torch.isclose(difference(mrf, moved, b), difference(mrf, a, b))


def test_styles_of_different_sizes_can_be_compared(style_loss, rng):
    a = torch.randn(2, 3, 4, 5, generator=rng, dtype=torch.float64)
    b = torch.randn(2, 3, 7, 2, generator=rng, dtype=torch.float64)
    assert (difference(style_loss, a, b) > 0).all()
    if style_loss.name != "mrf":
        tiled = a.repeat(1, 1, 2, 3)
        torch.testing.assert_close(difference(style_loss, tiled, b), difference(style_loss, a, b))


@pytest.mark.parametrize("name", CONTENT)
def test_where_things_are_is_what_content_is_about(name, rng):
    a = torch.randn(1, 3, 12, 16, generator=rng)
    assert difference(LOSSES[name], a, a.flip(3)) > 0.1
    with pytest.raises(SettingsError, match="give pictures of the same size"):
        difference(LOSSES[name], a, a[..., :-4])


@pytest.mark.parametrize("name", SQUARES)
def test_the_magnitude_is_the_error_of_an_empty_picture(name, rng):
    loss = losses.get(name)
    a = torch.randn(2, 3, 8, 8, generator=rng, dtype=torch.float64)
    target = describe(loss, a)
    empty = tuple(torch.zeros_like(part) for part in parts(target))
    expected = loss.compare(empty if isinstance(target, tuple) else empty[0], target)
    torch.testing.assert_close(loss.target_norm(target), expected)


@pytest.mark.parametrize("name", SQUARES)
def test_the_magnitude_of_faint_activations_is_their_own(name, rng):
    loss = losses.get(name)
    faint = describe(loss, torch.randn(1, 3, 8, 8, generator=rng))
    faint = tuple(1e-6 * part for part in faint) if isinstance(faint, tuple) else 1e-6 * faint
    assert 0 < loss.target_norm(faint) < 1e-3


def test_the_magnitude_is_above_zero_even_of_nothing(loss):
    size = loss.target_norm(describe(loss, torch.zeros(2, 3, 8, 8)))
    assert size.isfinite().all() and (size > 0.01).all()


def test_several_targets_are_merged_into_one(style_loss, rng):
    a, b = torch.randn(2, 1, 3, 8, 8, generator=rng)
    one, other = describe(style_loss, a), describe(style_loss, b)
    merged = style_loss.combine_targets([one, other])
    twice = style_loss.combine_targets([one, one])
    torch.testing.assert_close(style_loss.compare(one, twice), torch.zeros(1), atol=2e-6, rtol=0)
    assert style_loss.compare(one, merged) < style_loss.compare(one, other)


def test_every_loss_can_be_found_and_listed():
    assert next(iter(losses.LOSSES)) == "gram" and len(losses.LOSSES) == 15
    for name in losses.LOSSES:
        found = losses.get(name)
        assert found.name == name == str(found)
        assert found.summary and found.reference


def test_options_are_read_by_the_type_of_their_defaults():
    robust = losses.get("gram-robust: penalty = l1 , corner=0.5")
    assert dict(robust.options) == {"penalty": "l1", "corner": 0.5}
    assert str(robust) == "gram-robust:penalty=l1,corner=0.5"
    assert str(losses.get(str(robust))) == str(robust)
    assert str(losses.get("gram-robust:penalty=huber")) == "gram-robust"
    assert losses.get("neighbors:split=TRUE").options == {"split": True}
    assert options_of(losses.get("mrf").describe_fn).keys() == {"size", "patches"}


def test_an_option_changes_the_loss(rng):
    a, b = torch.randn(2, 1, 3, 8, 8, generator=rng)
    plain, absolute = losses.get("gram-robust"), losses.get("gram-robust:penalty=l1")
    assert difference(plain, a, b) != difference(absolute, a, b)
    assert plain.target_norm(describe(plain, b)) != absolute.target_norm(describe(plain, b))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gramm", "no loss is called 'gramm'; did you mean gram\\? choose from gram, covariance"),
        ("xyz", "no loss is called 'xyz'; choose from gram, covariance, moments"),
        ("pixel_range", "pixel_range is a penalty on pixels, not a loss"),
        ("gram:size=3", "gram has no option 'size'; it has none"),
        ("mrf:sise=3", "mrf has no option 'sise'; did you mean size\\? it has size=3"),
        ("mrf:size=big", "mrf:size=big: expected a whole number, as in mrf:size=3"),
        ("neighbors:split=1", "expected true or false, as in neighbors:split=false"),
    ],
)
def test_an_unknown_loss_or_option_is_told_with_those_there_are(name, said):
    with pytest.raises(SettingsError, match=said):
        losses.get(name)


@pytest.mark.parametrize("name", ["remd", "sliced", "neighbors"])
def test_a_loss_unknown_to_the_paper_has_no_factor_in_it(name):
    for factor in (losses.get(name).paper_factor, losses.get(name).released_factor):
        with pytest.raises(SettingsError, match=f"has a loss like {name}; choose gram"):
            factor(*(3, 4, 1.0)[: 3 if factor.__name__ == "paper_factor" else 2])
