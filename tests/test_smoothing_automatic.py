"""The parameters that are derived from activations."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import gelu

from swag.errors import SettingsError
from swag.smoothing import Smoothing, automatic, parse
from swag.statistics import entropy, share_of_largest

SHAPE = (1, 16, 32, 32)


def normal(seed=0):
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def with_an_outlier():
    features = normal().relu()
    features[0, 3, 4, 5] = 1000.0
    return features


def one_active_entry():
    features = torch.zeros(SHAPE, dtype=torch.float64)
    features[0, 3, 4, 5] = 7.0
    return features


ACTIVATIONS = {
    "rectified": normal().relu(),
    "sparse": (normal() - 1.5).relu(),
    "half normal": normal().abs(),
    "log-normal": (2 * normal()).exp(),
    "outlier": with_an_outlier(),
    "gelu": gelu(normal()),
    "linear": normal(),
    "shifted": normal() + 5,
    "negative": normal() - 5,
    "channels of different size": normal().relu() * normal(1)[:, :, :1, :1].exp(),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_auto_is_the_smallest_temperature_that_makes_a_layer_no_peakier(name):
    features = ACTIVATIONS[name]
    found = automatic.temperature(features, "layer")
    assert math.isfinite(found) and found > 0
    allowed = share_of_largest(features, 0.01)
    assert (share_of_largest(Smoothing("softmax", found)(features), 0.01) <= allowed).all()
    sharper = Smoothing("softmax", found / 1.002)(features)
    assert (share_of_largest(sharper, 0.01) > allowed).all()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_auto_neither_sharpens_nor_makes_constant(name):
    features = ACTIVATIONS[name]
    smoothed = Smoothing("softmax", "auto").fitted(features)(features)
    if features.max() > 0:
        assert (entropy(smoothed) >= entropy(features) - 1e-3).all()
    assert (entropy(smoothed) < 1 - 1e-5).all()


def test_auto_of_ordinary_activations_is_two_to_four_deviations():
    for name in ("rectified", "half normal", "gelu", "linear"):
        features = ACTIVATIONS[name]
        ratio = automatic.temperature(features, "layer") / features.std().item()
        assert 2 <= ratio <= 4, name


@pytest.mark.parametrize("domain", ["layer", "channels", "positions"])
@pytest.mark.parametrize("factor", [1e-3, 1e4])
def test_auto_grows_with_the_activations(domain, factor):
    features = ACTIVATIONS["rectified"]
    found = automatic.temperature(features, domain)
    assert automatic.temperature(features * factor, domain) == pytest.approx(found * factor)


@pytest.mark.parametrize("name", ["channel-softmax", "spatial-softmax"])
def test_auto_makes_no_peakier_within_each_channel_or_position(name):
    features = ACTIVATIONS["rectified"]

    def peakiness(maps):
        rows = maps.flatten(2)[0]
        rows = rows.T if name == "channel-softmax" else rows
        return share_of_largest(rows, 0.01).mean()

    found = Smoothing(name, "auto").fitted(features).parameter
    assert peakiness(Smoothing(name, found)(features)) <= peakiness(features)
    assert peakiness(Smoothing(name, found / 1.002)(features)) > peakiness(features)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.floats(1.0, 30.0), st.floats(0.1, 3.0))
def test_entropy_above_auto_is_not_lower(seed, factor, tail):
    features = (tail * normal(seed)[:, :4, :12, :12]).exp()
    found = Smoothing("softmax", "auto").fitted(features)
    hotter = Smoothing("softmax", found.parameter * factor)
    assert (entropy(hotter(features)) >= entropy(found(features)) - 1e-12).all()


@pytest.mark.parametrize("value", [0.0, 0.1, -3.0, 1e4])
@pytest.mark.parametrize("name", ["softmax", "channel-softmax", "spatial-softmax", "log", "tanh"])
def test_auto_of_a_flat_layer_is_one(name, value):
    flat = torch.full(SHAPE, value)
    assert Smoothing(name, "auto").fitted(flat).parameter == 1.0


def test_a_layer_flat_within_each_channel_has_a_spatial_temperature_of_one():
    features = torch.arange(1.0, 5.0)[None, :, None, None].expand(1, 4, 3, 3)
    assert automatic.temperature(features, "positions") == 1.0


def test_a_single_active_entry_outweighs_the_others_together_and_no_more():
    features = one_active_entry()
    smoothed = Smoothing("softmax", "auto").fitted(features)(features)
    assert smoothed.max() == pytest.approx(features.numel() / 2, rel=1e-3)


def test_a_layer_of_equal_sizes_and_two_signs_gets_the_highest_temperature():
    features = ACTIVATIONS["linear"].sign()
    found = automatic.temperature(features, "layer")
    assert found == pytest.approx(automatic.HIGHEST * features.std(correction=0).item())


def test_token_maps_with_channels_of_large_outliers_are_handled():
    tokens = normal().float()
    tokens[:, 5] *= 80
    smoothed = parse("softmax:temperature=auto").fitted(tokens)(tokens)
    assert smoothed.isfinite().all()
    assert share_of_largest(smoothed) <= share_of_largest(tokens)


@pytest.mark.parametrize("name", ["log", "tanh"])
def test_thresholds_are_the_deviation_of_the_layer(name):
    features = ACTIVATIONS["gelu"]
    found = Smoothing(name).fitted(features).parameter
    assert found == pytest.approx(features.numpy().std())


def test_an_automatic_scale_gives_every_layer_deviation_one():
    features = ACTIVATIONS["log-normal"]
    scaled = parse("scale:alpha=auto").fitted(features)(features)
    assert scaled.std(correction=0).item() == pytest.approx(1.0)


def test_several_pictures_are_fitted_together():
    both = torch.cat([normal(1), 3 * normal(2)]).relu()
    found = automatic.temperature(both, "layer")
    alone = [automatic.temperature(one[None], "layer") for one in both]
    assert min(alone) < found < max(alone)


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("spec", ["softmax:temperature=auto", "log", "scale:alpha=auto"])
def test_activations_that_are_not_finite_are_refused(spec, value):
    features = normal()
    features[0, 0, 0, 0] = value
    with pytest.raises(SettingsError, match="not all finite"):
        parse(spec).fitted(features)
