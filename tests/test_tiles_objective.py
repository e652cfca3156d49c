"""In tiles the loss and its gradient are those of the whole picture."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from swag.errors import SettingsError
from swag.features import FeatureExtractor
from swag.losses import LOSSES, get
from swag.objective import PIXELS, LossTerm, Objective, with_pixels
from swag.optimize.optimizer import evaluate
from swag.smoothing import KINDS, parse
from swag.tiling import NetworkTail, TiledObjective, measure_receptive_field

PENALTIES = {"total_variation": 0.7, "pixel_range": 2.0}
LAYERS = {"1": 1.0, "3": 0.5, "5": 2.0}
STYLES = [name for name, loss in LOSSES.items() if loss.role == "style" and not loss.of_pixels]


def network(padding_mode, pool):
    """A few random layers with two strides; the last one pads at its inner borders."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return nn.Sequential(
            nn.Conv2d(3, 5, 5, padding=2, padding_mode=padding_mode),
            nn.ReLU(),
            nn.Conv2d(5, 6, 3, stride=2, padding=1),
            nn.Tanh(),
            pool,
            nn.Conv2d(6, 7, 3, padding=1),
        ).double()


def extract_of(model):
    extractors = {}

    def extract(image, layers):
        if tuple(layers) not in extractors:
            extractors[tuple(layers)] = FeatureExtractor(model, layers)
        return extractors[tuple(layers)](image)

    return extract


POOLS = {
    "max, ceil": nn.MaxPool2d(2, ceil_mode=True),
    "average, ceil": nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False),
    "max 3": nn.MaxPool2d(3, stride=2, padding=1),
}
EXTRACTS = {
    (mode, name): extract_of(network(mode, pool))
    for mode in ("zeros", "reflect")
    for name, pool in POOLS.items()
}
USUAL = EXTRACTS["reflect", "average, ceil"]
REACH = {
    key: measure_receptive_field(
        with_pixels(extract), ["1", "3", "5", PIXELS], torch.zeros(1, 3, 8, 8).double()
    )
    for key, extract in EXTRACTS.items()
}


def picture(seed, *size):
    generator = torch.Generator().manual_seed(seed)
    # A little out of the range, so that the penalty for that is not zero.
    return torch.rand(1, 3, *size, generator=generator, dtype=torch.float64) * 1.2 - 0.1


def terms(loss, smoothing, photo, style, *, normalization="span", mask=None, matched="none"):
    against = torch.nn.functional.interpolate(style, photo.shape[-2:])
    layers = {PIXELS: 1.0} if get(loss).of_pixels else LAYERS
    smooth = parse(smoothing)
    content = get("content")
    return [
        LossTerm(
            "style", get(loss), layers, style, smooth, 3.0, normalization, photo, mask, None,
            matched,
        ),
        LossTerm("content", content, {"3": 1.0}, photo, smooth, 0.5, normalization, against, mask,
             mask),
    ]  # fmt: skip


def behind(key, cut):
    """The layers of the network behind a cut, run from its map."""
    if cut is None:
        return None
    rest = tuple(layer for layer in LAYERS if layer > cut)
    modules = network(key[0], POOLS[key[1]])[int(cut) + 1 :]

    def extract(features, layers):
        found, x = {}, features
        for number, module in enumerate(modules, start=int(cut) + 1):
            x = found[str(number)] = module(x)
        return {layer: found[layer] for layer in layers}

    return NetworkTail(cut, rest, extract)


def in_front(receptive_field, cut):
    """How far the layers see that are not behind the cut."""
    kept = {
        name: sides for name, sides in receptive_field.layers.items()
        if cut is None or name == PIXELS or name <= cut
    }  # fmt: skip
    return replace(receptive_field, layers=kept)


def both(key, size, side, loss, smoothing, *, cut=None, **options):
    """The objective of the whole picture, and the one in tiles, to `cut` or to the last layer."""
    photo, style = picture(1, *size), picture(2, size[0] + 9, size[1] + 5)
    asked = terms(loss, smoothing, photo, style, **options)
    rest = {"start": photo, "style": style, "penalties": PENALTIES}
    whole = Objective.of(EXTRACTS[key], asked, **rest)
    receptive_field = in_front(REACH[key], cut)
    return whole, TiledObjective.of(receptive_field, side, asked, tail=behind(key, cut), **rest)


def assert_alike(whole, tiled, image, close=1e-10):
    expected, got = evaluate(whole, image), evaluate(tiled, image)
    assert list(got.terms) == list(expected.terms)
    for name, value in expected.terms.items():
        assert float(got.terms[name]) == pytest.approx(float(value), rel=close, abs=1e-13)
    error = (got.gradient - expected.gradient).norm() / expected.gradient.norm()
    assert float(error) < close


@settings(max_examples=25, deadline=None)
@given(
    key=st.sampled_from(sorted(EXTRACTS)),
    rows=st.integers(20, 60),
    columns=st.integers(20, 60),
    side=st.integers(12, 60),
    loss=st.sampled_from(["gram", "covariance", "moments", "gram-robust"]),
    smoothing=st.sampled_from([*KINDS, "softmax:temperature=0.2", "spatial-softmax:temperature=3"]),
    cut=st.sampled_from([None, "1", "3"]),
    seed=st.integers(0, 5),
)
def test_tiles_give_the_gradient_of_the_whole(key, rows, columns, side, loss, smoothing, cut, seed):
    whole, tiled = both(key, (rows, columns), side, loss, smoothing, cut=cut)
    assert_alike(whole, tiled, picture(10 + seed, rows, columns))


@pytest.mark.parametrize("cut", [None, "1", "3"])
@pytest.mark.parametrize("loss", [*STYLES, "palette"])
def test_every_loss_can_be_tiled(loss, cut):
    whole, tiled = both(("reflect", "average, ceil"), (45, 38), 20, loss, "none", cut=cut)
    # An eigenvalue of zero has a root whose slope is bounded by a ridge of 1e-6 only.
    assert_alike(whole, tiled, picture(5, 45, 38), close=1e-8 if loss == "bures" else 1e-10)


@pytest.mark.parametrize("loss", ["content", "self-similarity", "laplacian"])
def test_every_content_loss_can_be_tiled(loss):
    size = (45, 38)
    photo, style = picture(1, *size), picture(2, *size)
    layers = {PIXELS: 1.0} if get(loss).of_pixels else {"3": 1.0, "5": 1.0}
    asked = [LossTerm("content", get(loss), layers, photo, parse("softmax"), unit_image=style)]
    whole = Objective.of(USUAL, asked, start=photo, style=style)
    receptive_field = REACH["reflect", "average, ceil"]
    tiled = TiledObjective.of(receptive_field, 12, asked, start=photo, style=style)
    assert_alike(whole, tiled, picture(5, *size))


@pytest.mark.parametrize("cut", [None, "3"])
@pytest.mark.parametrize("normalization", ["target", "initial", "paper", "released-code"])
def test_tiles_give_the_same_with_every_normalization(normalization, cut):
    options = {"normalization": normalization, "cut": cut}
    whole, tiled = both(("zeros", "max 3"), (50, 41), 16, "gram", "softmax", **options)
    assert_alike(whole, tiled, picture(5, 50, 41))


@pytest.mark.parametrize("cut", [None, "1"])
@pytest.mark.parametrize("matched", ["loss", "gradient"])
def test_tiles_give_the_same_where_smoothing_is_matched(matched, cut):
    options = {"matched": matched, "cut": cut}
    whole, tiled = both(("zeros", "max 3"), (50, 41), 16, "covariance", "softmax", **options)
    assert_alike(whole, tiled, picture(5, 50, 41))


@pytest.mark.parametrize("cut", [None, "3"])
@pytest.mark.parametrize("loss", ["gram", "covariance", "moments", "bures"])
@pytest.mark.parametrize("smoothing", ["none", "spatial-softmax"])
def test_tiles_give_the_same_within_a_region(loss, smoothing, cut):
    mask = torch.rand(1, 1, 17, 23, generator=torch.Generator().manual_seed(0)).double()
    mask[..., :8, :] = 0
    options = {"mask": mask, "cut": cut}
    whole, tiled = both(("reflect", "max, ceil"), (50, 41), 16, loss, smoothing, **options)
    assert_alike(whole, tiled, picture(5, 50, 41), close=1e-8 if loss == "bures" else 1e-10)


@pytest.mark.parametrize("smoothing", ["none", "softmax:temperature=0.5", "spatial-softmax"])
@pytest.mark.parametrize("loss", ["gram", "covariance", "moments"])
def test_in_float32_tiles_are_as_near_to_float64_as_the_whole(loss, smoothing):
    key, size = ("reflect", "average, ceil"), (75, 70)
    image = picture(5, *size)
    exact = evaluate(both(key, size, 24, loss, smoothing)[0], image).gradient
    model = network("reflect", POOLS["average, ceil"]).float()
    extract = extract_of(model)
    photo, style = picture(1, *size), picture(2, size[0] + 9, size[1] + 5)
    asked = terms(loss, smoothing, photo.float(), style.float())
    rest = {"start": photo.float(), "style": style.float(), "penalties": PENALTIES}
    receptive_field = measure_receptive_field(with_pixels(extract), ["1", "3", "5"], photo.float())
    errors = [
        float((evaluate(objective, image.float()).gradient - exact).norm() / exact.norm())
        for objective in (
            Objective.of(extract, asked, **rest),
            TiledObjective.of(receptive_field, 24, asked, **rest),
        )
    ]
    assert errors[1] < max(1e-6, 1.5 * errors[0])


def test_activations_that_grow_along_the_picture_do_not_overflow():
    """A softmax over the layer takes the largest entry off, which the last tile may have."""
    extract = extract_of(nn.Sequential(nn.Conv2d(3, 4, 1), nn.Identity()).double())
    size = (64, 8)
    ramp = torch.linspace(-500, 500, 64, dtype=torch.float64)[:, None].expand(1, 3, *size)
    photo, style = picture(1, *size), picture(2, *size)
    asked = [LossTerm("style", get("gram"), {"0": 1.0}, style, parse("softmax"), unit_image=photo)]
    whole = Objective.of(extract, asked, start=photo, style=style)
    receptive_field = measure_receptive_field(extract, ["0"], photo)
    for image in (ramp.contiguous(), ramp.flip(2).contiguous()):
        tiled = TiledObjective.of(receptive_field, 4, asked, start=photo, style=style)
        assert_alike(whole, tiled, image + picture(3, *size))


def test_tiles_are_halved_where_memory_runs_out_and_the_result_is_the_same():
    key, size = ("reflect", "average, ceil"), (128, 128)
    whole, tiled = both(key, size, 128, "gram", "none")
    receptive_field = tiled.tiled_pass.receptive_field

    def small_pictures_only(image, layers):
        if image.shape[-1] * image.shape[-2] > 100 * 100:
            raise torch.OutOfMemoryError("out of memory: tried to allocate")
        return receptive_field.extract(image, layers)

    tiled.tiled_pass.receptive_field = replace(receptive_field, extract=small_pictures_only)
    assert_alike(whole, tiled, picture(5, *size))
    assert tiled.tiled_pass.fallbacks == ["memory ran out; the run goes on in tiles of 64 pixels"]


def test_memory_that_runs_out_for_the_smallest_tile_is_an_error():
    _, tiled = both(("reflect", "average, ceil"), (128, 128), 32, "gram", "none")
    receptive_field = tiled.tiled_pass.receptive_field

    def never(image, layers):
        if image.shape[-1] != 96:  # the part of a picture that tells the sizes of maps
            raise torch.OutOfMemoryError("out of memory")
        return receptive_field.extract(image, layers)

    tiled.tiled_pass.receptive_field = replace(receptive_field, extract=never)
    with pytest.raises(torch.OutOfMemoryError):
        tiled(picture(5, 128, 128))
    assert tiled.tiled_pass.side == receptive_field.step(0)


def test_a_network_that_sees_the_whole_picture_cannot_be_tiled():
    class Squeeze(nn.Module):
        def forward(self, x):
            return x * x.mean((2, 3), keepdim=True)

    extract = extract_of(nn.Sequential(nn.Conv2d(3, 4, 3), Squeeze()))
    with pytest.raises(SettingsError, match="cannot be computed in tiles"):
        measure_receptive_field(extract, ["1"], torch.zeros(1, 3, 8, 8))
