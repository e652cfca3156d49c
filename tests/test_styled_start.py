"""What a run begins with that has something of the style already: colors, or a painted picture."""

import pytest
import torch

import swag
from swag.colors import match
from swag.image import Picture
from swag.run.styled_start import FULL_COLORS


def picture(seed: int, *size: int, gain: float = 1.0) -> Picture:
    values = torch.rand(3, *size, generator=torch.Generator().manual_seed(seed))
    shades = torch.tensor([0.5, 0.3, 0.1])[:, None, None]
    return Picture((values * gain * shades + 0.3 - shades / 3).clamp(0, 1))


PHOTO, PAINTING, OTHER = picture(0, 48, 64), picture(1, 64, 56, gain=0.5), picture(2, 64, 64)


def begun(*args, **settings):
    """The first picture, without any step: pixels (3, 48, 64)."""
    return swag.stylize(
        *args, **{"start": "style-colors", "steps": 0, "size": 64, **settings}
    ).image.pixels


def colored(painting: Picture):
    scaled = swag.image.resize(painting.batch, swag.image.fitted(*painting.batch.shape[2:], 64))
    return match(PHOTO.batch, scaled.clamp(0, 1))[0]


@pytest.mark.parametrize(
    ("strength", "share"),
    [(0.0, 0.0), (FULL_COLORS / 2, 0.5), (FULL_COLORS, 1.0), (0.5, 1.0), (1.0, 1.0)],
)
def test_the_default_begins_with_the_photo_in_the_colors_of_the_painting(strength, share):
    assert swag.settings().start == "style-colors"
    expected = PHOTO.pixels.lerp(colored(PAINTING), share)
    torch.testing.assert_close(begun(PHOTO, PAINTING, strength=strength), expected)


def test_the_colors_have_the_mean_and_covariance_of_the_painting():
    made = begun(PHOTO, PAINTING, strength=0.5).flatten(1)
    target = swag.image.resize(PAINTING.batch, (64, 56))[0].flatten(1)
    torch.testing.assert_close(made.mean(1), target.mean(1), atol=2e-3, rtol=0)
    torch.testing.assert_close(torch.cov(made), torch.cov(target), atol=2e-3, rtol=0)


def test_several_paintings_are_blended_by_their_weights():
    made = begun(PHOTO, [PAINTING, OTHER], style_weights=(3.0, 1.0))
    torch.testing.assert_close(made, 0.75 * colored(PAINTING) + 0.25 * colored(OTHER))


def test_each_region_has_the_colors_of_its_painting():
    left = torch.zeros(3, 48, 64)
    left[:, :, :32] = 1
    made = begun(PHOTO, [PAINTING, OTHER], content_mask=Picture(left), feather=0)
    expected = [colored(PAINTING), colored(OTHER)]
    found = [[float((made - e)[..., cut].abs().mean()) for e in expected]
             for cut in (slice(0, 28), slice(36, 64))]  # fmt: skip
    assert found[0][0] < 1e-6 < found[0][1] and found[1][1] < 1e-6 < found[1][0]


def test_transparent_pixels_of_a_painting_have_no_colors():
    alpha = torch.ones(1, 64, 56)
    alpha[:, 32:] = 0
    pixels = PAINTING.pixels.clone()
    pixels[:, 32:] = 1
    made = begun(PHOTO, Picture(pixels, alpha=alpha))
    top = Picture(PAINTING.pixels[:, :32].contiguous())
    own = match(PHOTO.batch, top.batch)[0]
    torch.testing.assert_close(made, own, atol=0.02, rtol=0)


@pytest.mark.parametrize("task", [swag.texture, swag.reconstruct])
@pytest.mark.parametrize("start", ["style-colors", "instant"])
def test_without_a_photo_or_a_painting_there_is_no_such_start(task, start):
    with pytest.raises(swag.SettingsError, match=f"start = {start} needs a photo"):
        task(PHOTO, start=start, size=64, steps=2)


@pytest.mark.parametrize("name", ["initial", "content_map"])
def test_a_first_picture_and_a_map_of_the_photo_keep_its_colors(name):
    updates = swag.iterate(PHOTO, PAINTING, size=64, **{name: PHOTO})
    chosen = next(iter(updates)).settings
    assert (chosen.start, chosen.steps) == ("content", 150)
    asked = {name: PHOTO, "start": "style-colors"}
    updates = swag.iterate(PHOTO, PAINTING, size=64, **asked)
    assert next(iter(updates)).settings.start == "style-colors"


def test_with_a_map_of_the_photo_methods_keep_a_start_of_their_own():
    (update, *_) = swag.iterate(PHOTO, PAINTING, size=64, method="mrf", content_map=PHOTO, steps=2)
    assert update.settings.start == "instant"


def test_no_steps_are_the_start_as_it_is():
    made = swag.stylize(PHOTO, PAINTING, start="content", steps=0, size=64)
    assert torch.equal(made.image.pixels, PHOTO.pixels)
    instant = swag.stylize(PHOTO, PAINTING, method="instant", size=64).image.pixels
    assert torch.equal(begun(PHOTO, PAINTING, start="instant"), instant)


def test_an_optimization_may_begin_with_a_picture_painted_in_one_pass():
    first = next(iter(swag.iterate(PHOTO, PAINTING, start="instant", size=64, steps=2, scales=1)))
    painted, content = begun(PHOTO, PAINTING, start="instant"), PHOTO.pixels
    away = [float((first.image.pixels - p).abs().mean()) for p in (painted, content)]
    assert away[0] < away[1]
