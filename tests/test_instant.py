"""One pass: transport against closed forms, strips against the whole, what runs make of it."""

import hashlib

import numpy as np
import pytest
import torch
from safetensors.torch import save
from scipy.linalg import sqrtm

import swag
from swag.errors import SettingsError, WeightsError
from swag.image import Picture
from swag.instant import (
    Gaussian,
    InstantNetwork,
    Painter,
    Style,
    bundled,
    painter_from,
    pool_gaussians,
    shipped,
    transport,
)
from swag.instant import painter as painting_module
from swag.instant.painter import GRID, HALO
from swag.instant.transport import FLAT, RIDGE, matrix_power
from swag.losses import bures


def spread(rng, channels=4, pictures=2, size=(9, 11)):
    """Maps whose channels depend on one another."""
    mixing = torch.randn(pictures, channels, channels, generator=rng, dtype=torch.float64)
    maps = torch.randn(pictures, channels, *size, generator=rng, dtype=torch.float64)
    return torch.einsum("bij,bjhw->bihw", mixing, maps) + mixing[:, :, :1, None]


@pytest.fixture
def painter():
    """A small random network, the same each time."""
    torch.manual_seed(0)
    return Painter(InstantNetwork(widths=(4, 6, 8, 6, 10), deep=1))


def ridged(a, b):
    """Two covariances with the ridge of `transport`, in NumPy."""
    variance = (np.trace(a) + np.trace(b)) / len(a) / 2
    on_diagonal = (RIDGE * variance + FLAT) * np.eye(len(a))
    return a + on_diagonal, b + on_diagonal


def test_the_map_is_the_closed_form_of_gaussians(rng):
    start, target = Gaussian.of(spread(rng)), Gaussian.of(spread(rng))
    found = transport(start, target)
    for i in range(2):
        c, s = ridged(start.covariance[i].numpy(), target.covariance[i].numpy())
        root = sqrtm(c)
        inverse = np.linalg.inv(root)
        expected = inverse @ sqrtm(root @ s @ root).real @ inverse
        np.testing.assert_allclose(found.matrix[i].numpy(), expected, rtol=1e-6, atol=1e-8)
        offset = target.mean[i].numpy() - expected @ start.mean[i].numpy()
        np.testing.assert_allclose(found.offset[i].numpy(), offset, rtol=1e-6, atol=1e-8)


def test_moved_positions_are_spread_like_the_target(rng):
    maps, others = spread(rng, size=(30, 40)), spread(rng)
    moved = transport(Gaussian.of(maps), Gaussian.of(others))(maps)
    before = bures.compare(bures.describe(maps), bures.describe(others))
    after = bures.compare(bures.describe(moved), bures.describe(others))
    assert bool((after < 1e-3 * before).all())


def test_two_gaussians_on_a_line(rng):
    """In one dimension the map is m_s + (x - m_c) sigma_s / sigma_c."""
    start = Gaussian(torch.tensor([[2.0]]), torch.tensor([[[9.0]]]))
    target = Gaussian(torch.tensor([[-1.0]]), torch.tensor([[[4.0]]]))
    found = transport(start, target)
    moved = found(torch.tensor([2.0, 5.0]).reshape(1, 1, 1, 2))
    torch.testing.assert_close(moved.flatten(), torch.tensor([-1.0, 1.0]), rtol=0, atol=5e-3)


def test_a_share_of_the_way(rng):
    maps, others = spread(rng), spread(rng)
    whole = transport(Gaussian.of(maps), Gaussian.of(others))
    torch.testing.assert_close(whole.share(0.0)(maps), maps)
    torch.testing.assert_close(whole.share(1.0)(maps), whole(maps))
    halves = whole.share(torch.tensor([0.5, 0.25]))(maps)
    shares = torch.tensor([0.5, 0.25], dtype=torch.float64).reshape(2, 1, 1, 1)
    torch.testing.assert_close(halves, torch.lerp(maps, whole(maps), shares))


def test_a_picture_moves_to_itself(rng):
    maps = spread(rng)
    found = Gaussian.of(maps)
    torch.testing.assert_close(transport(found, found)(maps), maps, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("flat", ["start", "target", "both"])
def test_flat_pictures_have_finite_maps(rng, flat):
    plain = torch.full((1, 4, 5, 5), 0.3)
    maps = spread(rng, pictures=1).float()
    start = plain if flat in ("start", "both") else maps
    target = plain if flat in ("target", "both") else maps
    moved = transport(Gaussian.of(start), Gaussian.of(target))(start)
    assert bool(moved.isfinite().all())
    torch.testing.assert_close(moved.mean((2, 3)), target.mean((2, 3)), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("exponent", [0.5, -0.5])
def test_powers_and_their_gradients(rng, exponent):
    maps = spread(rng)
    matrices = Gaussian.of(maps).covariance
    for found, matrix in zip(matrix_power(matrices, exponent), matrices, strict=True):
        root = sqrtm(matrix.numpy())
        expected = root if exponent > 0 else np.linalg.inv(root)
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-8, atol=1e-8)
    twice = torch.eye(4, dtype=torch.float64)[None] * 2  # equal eigenvalues
    for each in (matrices, twice):
        given = each.clone().requires_grad_()
        assert torch.autograd.gradcheck(lambda m: matrix_power((m + m.mT) / 2, exponent), given)


def test_parts_of_a_picture_pooled_are_the_whole(rng):
    maps = spread(rng)
    left, right = maps[..., :4], maps[..., 4:]
    found = pool_gaussians([(4.0, Gaussian.of(left)), (7.0, Gaussian.of(right))])
    whole = Gaussian.of(maps)
    torch.testing.assert_close(found.mean, whole.mean)
    torch.testing.assert_close(found.covariance, whole.covariance)


@pytest.mark.parametrize("size", [(64, 48), (37, 53), (1, 1), (16, 300), (17, 33)])
def test_a_picture_keeps_its_size(painter, rng, size):
    photo = torch.rand(1, 3, *size, generator=rng)
    style = painter.describe(torch.rand(1, 3, 40, 50, generator=rng))
    assert painter.paint(photo, [style]).shape == photo.shape


@pytest.mark.parametrize("size", [(4000, 4000), (9001, 700), (1600, 9000), (1234, 1234)])
def test_strips_share_the_rows_and_read_few_pixels(size):
    height, width = size
    strips = painting_module.row_strips(height, width, HALO)
    own = [row for strip in strips for row in range(strip.first, strip.last)]
    assert own == list(range(height))
    most = max(painting_module.AT_ONCE / width, 4 * HALO) + GRID
    for strip in strips:
        assert strip.bottom - strip.top <= most
        assert strip.top % GRID == strip.first % GRID == 0
        assert strip.top <= max(0, strip.first - HALO)
        assert strip.bottom >= min(height, strip.last + HALO)


@pytest.mark.parametrize("strength", [0.3, 0.9])
def test_strips_have_no_seams(painter, rng, monkeypatch, strength):
    photo, painting = torch.rand(1, 3, 531, 37, generator=rng), torch.rand(1, 3, 333, 37)
    mask = torch.rand(1, 1, 531, 37, generator=rng)
    first, other = painter.describe(painting), painter.describe(painting.flip(1) ** 2)
    styles = [Style(first.stages, mask), Style(other.stages, 1 - mask)]
    whole = painter.paint(photo, styles, strength=strength)
    monkeypatch.setattr(painting_module, "AT_ONCE", 37 * 80)
    assert len(painting_module.row_strips(531, 37, 0)) == 7
    in_strips = painter.paint(photo, styles, strength=strength)
    assert float((in_strips - whole).abs().max()) < 1e-4
    again = painter.describe(painting)
    for one, same in zip(first.stages, again.stages, strict=True):
        torch.testing.assert_close(one.covariance, same.covariance, rtol=1e-4, atol=1e-6)


def test_a_strip_needs_no_more_than_its_halo(painter, rng, monkeypatch):
    """The halo is the least multiple of 64 that shows no seam; without one there are seams."""
    photo = torch.rand(1, 3, 331, 33, generator=rng)
    style = painter.describe(photo.flip(2))
    whole = painter.paint(photo, [style])
    monkeypatch.setattr(painting_module, "AT_ONCE", 33 * 80)
    monkeypatch.setattr(painting_module, "HALO", 0)
    assert float((painter.paint(photo, [style]) - whole).abs().max()) > 1e-3


def test_strength_goes_from_the_photo_to_the_style(painter, rng):
    photo = torch.rand(1, 3, 64, 64, generator=rng)
    style = painter.describe(torch.rand(1, 3, 64, 64, generator=rng) ** 3)
    assert torch.equal(painter.paint(photo, [style], strength=0), photo)
    away = [
        float((painter.paint(photo, [style], strength=s) - photo).abs().mean())
        for s in (0.01, 0.2, 0.5)
    ]
    assert away == sorted(away)


def test_two_styles_are_blended_between_them(painter, rng):
    photo = torch.rand(1, 3, 64, 64, generator=rng)
    one, other = (painter.describe(torch.rand(1, 3, 48, 48, generator=rng)) for _ in range(2))
    alone = painter.paint(photo, [one])
    halves = [Style(one.stages, 0.5), Style(one.stages, 0.5)]
    torch.testing.assert_close(painter.paint(photo, halves), alone, rtol=1e-4, atol=1e-5)
    everywhere = torch.ones(1, 1, 64, 64)
    masked = [Style(one.stages, everywhere), Style(other.stages, 0 * everywhere)]
    torch.testing.assert_close(painter.paint(photo, masked), alone, rtol=1e-4, atol=1e-5)


def test_hidden_pixels_of_a_painting_have_no_say(painter, rng):
    painting = torch.rand(1, 3, 64, 512, generator=rng)
    mask = torch.zeros(1, 1, 64, 512)
    mask[..., :256] = 1
    changed = painting.clone()
    changed[..., 480:] = 0
    for a, b in zip(
        painter.describe(painting, mask).stages, painter.describe(changed, mask).stages, strict=True
    ):
        torch.testing.assert_close(a.covariance, b.covariance)


# The painter of the package


def pictures(seed=0, size=(72, 96)):
    draw = torch.Generator().manual_seed(seed)
    return tuple(Picture(torch.rand(3, *size, generator=draw)) for _ in range(2))


def test_the_file_of_the_package_is_the_one_that_was_trained():
    assert hashlib.sha256(shipped.FILE.read_bytes()).hexdigest() == shipped.SHA256
    assert shipped.FILE.stat().st_size < 6_000_000


def test_another_file_is_refused(monkeypatch, tmp_path):
    other = tmp_path / "painter.safetensors"
    other.write_bytes(save({"a": torch.zeros(1)}))
    monkeypatch.setattr(shipped, "FILE", other)
    bundled.cache_clear()
    with pytest.raises(WeightsError, match="install SWAG again"):
        bundled()


def test_loading_draws_no_random_numbers():
    before = torch.get_rng_state()
    painter_from(shipped.FILE.read_bytes())
    assert torch.equal(before, torch.get_rng_state())


def test_a_painting_nothing_moves_is_given_back():
    """The network is an autoencoder but for its transports."""
    photo = torch.linspace(0, 1, 96).expand(1, 3, 96, 96).contiguous()
    painter = bundled()
    style = painter.describe(photo)
    assert float((painter.paint(photo, [style], strength=1) - photo).abs().mean()) < 0.1


def test_a_run_of_method_instant_is_one_pass():
    photo, painting = pictures()
    made = swag.stylize(photo, painting, method="instant", size=96)
    assert made.image.size == (96, 72) and made.fallbacks == ()
    assert made.settings.steps == 0 and made.losses == {}
    expected = bundled().paint(
        photo.batch, [bundled().describe(painting.batch)], strength=made.settings.strength
    )
    torch.testing.assert_close(made.image.batch, expected.clamp(0, 1))


def test_several_styles_masks_and_colors():
    photo, painting = pictures()
    black_and_white = Picture((torch.arange(96) < 48).float().expand(3, 72, 96).contiguous())
    made = swag.stylize(photo, painting, method="instant", size=96, content_mask=black_and_white)
    assert torch.equal(made.image.pixels[..., 48:], photo.pixels[..., 48:])
    assert not torch.equal(made.image.pixels[..., :48], photo.pixels[..., :48])
    both = swag.stylize(photo, [painting, photo], method="instant", size=96)
    assert both.image.size == (96, 72)
    turned = swag.stylize(photo, painting, method="instant", size=96, style_rotations=True)
    assert turned.image.size == (96, 72)
    gray = swag.stylize(photo, painting, method="instant", size=96, colors="content")
    assert gray.image.size == (96, 72)


@pytest.mark.parametrize("task", [swag.texture, swag.reconstruct])
def test_only_photos_are_painted(task):
    photo, _ = pictures()
    with pytest.raises(SettingsError, match="start = instant needs a photo"):
        task(photo, start="instant", size=64, steps=2)


def test_a_picture_painted_in_one_pass_can_be_made_again(tmp_path):
    photo, painting = pictures()
    made = swag.stylize(photo, painting, method="instant", size=96, strength=0.4)
    made.save(tmp_path / "made.png")
    again = swag.stylize(photo, painting, like=tmp_path / "made.png")
    assert torch.equal(again.image.pixels, made.image.pixels)


@pytest.mark.parametrize(
    "idle",
    [{"smoothing": "softmax"}, {"backbone": "swag/resnet"}, {"style_loss": "gram"}, {"palette": 1}],
    ids=str,
)
def test_settings_of_steps_have_no_say_in_one_pass(idle):
    photo, painting = pictures()
    with pytest.raises(SettingsError, match=f"{next(iter(idle))} has no effect on a picture"):
        swag.stylize(photo, painting, method="instant", size=96, **idle)


def test_the_method_takes_no_steps():
    photo, painting = pictures()
    with pytest.raises(SettingsError, match=r"steps = 5: .*one pass.*start = instant with another"):
        swag.stylize(photo, painting, method="instant", size=96, steps=5)


def test_nor_has_a_map_of_the_content():
    photo, painting = pictures()
    with pytest.raises(SettingsError, match="content_map has no effect"):
        swag.stylize(photo, painting, method="instant", size=96, content_map=photo)
