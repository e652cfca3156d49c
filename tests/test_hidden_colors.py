"""Colors of transparent pixels, which nobody has seen, have no say."""

import numpy as np
import pytest
import torch
from PIL import Image

import swag
from swag.errors import SettingsError
from swag.image import Picture, filled, read, write
from swag.run.places import weighted_by_alpha
from swag.run.terms import StyleRegion
from swag.run.trained_style import photo_network
from swag_lab.training.style.loss import StyleObjective

HIDDEN = {"black": 0.0, "white": 1.0, "green": (0.0, 1.0, 0.0)}
FEW = {"size": 40, "steps": 3, "scales": 2, "backbone": "swag/resnet"}


def cut_out(hidden):
    """A disc of waves with a soft rim on colors that nobody sees."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, 48), torch.linspace(-1, 1, 48), indexing="ij")
    alpha = ((0.8 - torch.hypot(x, y)) / 0.2).clamp(0, 1)[None]
    waves = torch.stack([0.5 + 0.4 * torch.sin(9 * x + k * y) for k in range(3)])
    color = torch.tensor(HIDDEN[hidden]).expand(3).view(3, 1, 1)
    return Picture(torch.where(alpha > 0, waves, color), alpha)


@pytest.fixture(scope="module")
def painting():
    return torch.rand(3, 48, 48, generator=torch.Generator().manual_seed(0))


def alike(make):
    first, *others = (make(cut_out(hidden)) for hidden in HIDDEN)
    return all(torch.equal(first, other) for other in others)


@pytest.mark.parametrize("size", [None, 20, 48, 60])
def test_hidden_colors_are_filled_in_from_visible_ones(size):
    read_ones = [filled(read(cut_out(hidden), size=size)) for hidden in HIDDEN]
    for other in read_ones[1:]:
        assert torch.equal(read_ones[0].pixels, other.pixels)
    seen = read_ones[0].alpha >= 0.01
    colors = read_ones[0].pixels.masked_select(seen)
    hidden = read_ones[0].pixels.masked_select(~seen)
    assert hidden.min() >= colors.min() - 1e-6
    assert hidden.max() <= colors.max() + 1e-6


def test_visible_colors_stay_as_they_are():
    picture = cut_out("green")
    seen = (picture.alpha > 0.01).expand(3, -1, -1)
    assert torch.equal(filled(picture).pixels[seen], picture.pixels[seen])


@pytest.mark.parametrize("colors", ["style", "content", "match"])
def test_hidden_colors_of_a_photo_have_no_say(painting, colors):
    assert alike(lambda p: swag.stylize(p, painting, colors=colors, **FEW).image.pixels)


def test_hidden_colors_of_a_style_have_no_say(painting):
    assert alike(lambda p: swag.stylize(painting, p, **FEW).image.pixels)
    assert alike(lambda p: swag.texture(p, **FEW).image.pixels)


@torch.no_grad()
@pytest.mark.parametrize("size", [48, 40])
def test_hidden_colors_of_a_style_have_no_say_in_the_loss_of_a_training(painting, size):
    image = painting[None, :, :size, :size]
    options = {"backbone": "swag/resnet", "size": size}

    def error(style):
        return swag.PerceptualLoss(style, **options)(image, image)

    assert alike(error)
    network = swag.backbones.create("swag/resnet")
    assert alike(
        lambda p: StyleObjective(swag.settings(**options), network, p, size=size).style_spans(
            image
        )[0]
    )
    # What is filled in does not count, either.
    assert not torch.isclose(error(cut_out("black")), error(filled(cut_out("black")).pixels))


def test_hidden_colors_of_a_picture_to_begin_with_have_no_say(painting):
    assert alike(lambda p: swag.stylize(painting, painting, initial=p, **FEW).image.pixels)


def test_positions_of_a_style_count_by_their_alpha(painting):
    """Its hidden half, which is filled in, is not taken: the waves of the other half are."""
    alpha = (torch.arange(48) < 18).float().expand(1, 48, 48).clone()
    hidden = swag.iterate(painting, Picture(painting, alpha), **FEW)
    opaque = swag.iterate(painting, filled(Picture(painting, alpha)).pixels, **FEW)
    assert next(hidden).losses["style"] != next(opaque).losses["style"]
    (whole,) = weighted_by_alpha(
        [StyleRegion("1", 0, 1.0)], [Picture(painting, alpha)], torch.device("cpu")
    )
    assert torch.equal(whole.style_mask, alpha[None])
    region = StyleRegion("1", 0, 1.0, style_mask=alpha[None].mT)
    (part,) = weighted_by_alpha([region], [Picture(painting, alpha)], torch.device("cpu"))
    assert torch.equal(part.style_mask, alpha[None] * alpha[None].mT)


def test_a_style_that_cannot_be_seen_is_refused(painting):
    nothing = Picture(painting, torch.zeros(1, 48, 48))
    for content, style, name in ((nothing, painting, "content"), (painting, nothing, "style")):
        with pytest.raises(SettingsError, match=f"{name} is transparent everywhere"):
            swag.stylize(content, style, **FEW)


@pytest.mark.parametrize(
    "use", [photo_network, lambda painting: swag.PerceptualLoss(painting, size=64)]
)
def test_a_painting_that_cannot_be_seen_is_refused_by_networks_and_losses(tmp_path, painting, use):
    write(tmp_path / "painting.png", Picture(painting, torch.zeros(1, 48, 48)))
    with pytest.raises(SettingsError, match="style is transparent everywhere"):
        use(tmp_path / "painting.png")


def test_a_jpeg_does_not_show_hidden_colors(tmp_path):
    for hidden in HIDDEN:
        write(tmp_path / f"{hidden}.jpg", cut_out(hidden))
    files = [(tmp_path / f"{hidden}.jpg").read_bytes() for hidden in HIDDEN]
    assert files[0] == files[1] == files[2]
    with Image.open(tmp_path / "green.jpg") as image:
        assert np.asarray(image)[:4, :4].min() > 250
