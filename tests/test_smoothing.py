"""The smoothing functions: values by loops, sums, order, gradients, large and half numbers."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from swag import smoothing
from swag.errors import SettingsError
from swag.smoothing import KINDS, Smoothing, parse
from swag.statistics import entropy

SOFTMAXES = {
    "softmax": (smoothing.softmax, (1, 2, 3)),
    "channel-softmax": (smoothing.channel_softmax, (1,)),
    "spatial-softmax": (smoothing.spatial_softmax, (2, 3)),
}
EVERY = [name for name in KINDS if name not in ("log", "tanh")] + [
    "softmax:temperature=0.5",
    "channel-softmax:temperature=3",
    "spatial-softmax:temperature=2",
    "power:exponent=0.3",
    "log:threshold=0.7",
    "tanh:threshold=1.5",
]


def softmax_by_loops(features, name, temperature):
    """The paper's sigma, and its kin over channels or positions, written out."""
    out = np.zeros(features.shape)
    batch, channels, height, width = features.shape
    places = [(i, y, x) for i in range(channels) for y in range(height) for x in range(width)]
    for b in range(batch):
        for i, y, x in places:
            total = 0.0
            for j, v, u in places:
                same = {
                    "softmax": True,
                    "channel-softmax": (v, u) == (y, x),
                    "spatial-softmax": j == i,
                }[name]
                total += math.exp(features[b, j, v, u] / temperature) if same else 0.0
            out[b, i, y, x] = math.exp(features[b, i, y, x] / temperature) / total
    return out


@pytest.mark.parametrize("name", SOFTMAXES)
@pytest.mark.parametrize("temperature", [1.0, 0.4, 5.0])
def test_a_softmax_equals_its_formula(name, temperature, rng):
    features = torch.randn(2, 3, 2, 4, generator=rng, dtype=torch.float64)
    expected = torch.from_numpy(softmax_by_loops(features.numpy(), name, temperature))
    function, _ = SOFTMAXES[name]
    torch.testing.assert_close(function(features, temperature), expected, rtol=1e-13, atol=0)
    choice = Smoothing(name, temperature)
    torch.testing.assert_close(
        choice(features) * choice.unit(features.shape), expected, rtol=1e-13, atol=0
    )


@pytest.mark.parametrize(
    ("name", "unit"),
    [("softmax", 1 / 60), ("channel-softmax", 1 / 3), ("spatial-softmax", 1 / 20), ("scale", 1.0)],
)
def test_the_unit_is_that_of_one_picture(name, unit):
    assert Smoothing(name).unit(torch.Size((7, 3, 4, 5))) == pytest.approx(unit, rel=1e-15)


@pytest.mark.parametrize("name", SOFTMAXES)
def test_a_softmax_of_constants_is_one_over_their_number(name):
    features = torch.full((2, 3, 4, 5), 7.0)
    function, dims = SOFTMAXES[name]
    count = math.prod(features.shape[dim] for dim in dims)
    torch.testing.assert_close(function(features), torch.full_like(features, 1 / count))


@pytest.mark.parametrize(
    ("function", "by_hand"),
    [
        (lambda f: smoothing.scale(f, 0.25), lambda v: 0.25 * v),
        (lambda f: smoothing.power(f), lambda v: math.copysign(math.sqrt(abs(v)), v)),
        (lambda f: smoothing.power(f, 2.0), lambda v: math.copysign(v * v, v)),
        (lambda f: smoothing.log(f, 0.5), lambda v: math.copysign(math.log(1 + abs(v) / 0.5), v)),
        (lambda f: smoothing.tanh(f, 2.0), lambda v: 2 * math.tanh(v / 2)),
        (smoothing.none, lambda v: v),
    ],
    ids=["scale", "power", "square", "log", "tanh", "none"],
)
def test_an_entrywise_smoothing_equals_its_formula(function, by_hand, rng):
    features = torch.randn(2, 3, 4, 5, generator=rng, dtype=torch.float64)
    features = features.sign() * (features.abs() + 0.1)
    expected = torch.tensor([by_hand(v) for v in features.flatten().tolist()], dtype=torch.float64)
    torch.testing.assert_close(function(features).flatten(), expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("spec", EVERY)
def test_gradients_are_those_of_the_function(spec, rng):
    features = torch.randn(2, 2, 2, 3, generator=rng, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(parse(spec), (features,))


@pytest.mark.parametrize("spec", EVERY)
def test_the_gradient_at_zero_is_finite_and_not_lost(spec):
    features = torch.zeros(1, 2, 2, 2, dtype=torch.float64, requires_grad=True)
    smoothed = parse(spec)(features)
    (gradient,) = torch.autograd.grad(smoothed[0, 0, 0, 0], features)
    assert gradient.isfinite().all()
    assert gradient[0, 0, 0, 0] > 0
    step = 1e-9
    moved = features.detach().clone()
    moved[0, 0, 0, 0] = step
    slope = (parse(spec)(moved) - smoothed.detach())[0, 0, 0, 0] / step
    assert gradient[0, 0, 0, 0].item() == pytest.approx(slope.item(), rel=1e-4)


def test_the_slope_of_the_square_root_at_zero_is_as_documented():
    features = torch.zeros(1, 1, 1, 1, requires_grad=True)
    smoothing.power(features).sum().backward()
    assert features.grad.item() == pytest.approx(100.0)
    assert smoothing.power(torch.tensor([[[[1e-3]]]])).item() == pytest.approx(1e-3**0.5, rel=1e-2)


@pytest.mark.parametrize("spec", EVERY)
def test_each_picture_of_a_batch_is_smoothed_by_itself(spec, rng):
    features = (
        torch.randn(3, 4, 2, 3, generator=rng) * torch.tensor([1, 10, 100])[:, None, None, None]
    )
    alone = torch.cat([parse(spec)(one[None]) for one in features])
    torch.testing.assert_close(parse(spec)(features), alone)


@pytest.mark.parametrize("spec", EVERY)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(spec, dtype, rng):
    features = torch.randn(1, 64, 32, 32, generator=rng).to(dtype)
    smoothed = parse(spec)(features)
    assert smoothed.dtype == torch.float32
    assert torch.equal(smoothed, parse(spec)(features.float()))


def test_float32_holds_a_softmax_over_four_million_entries_to_a_millionth(rng):
    features = torch.randn(1, 64, 256, 256, generator=rng).relu()
    smoothed = smoothing.functions.mean_one_softmax(features, 1.0, "layer")
    exact = features.double().flatten().softmax(0).view_as(smoothed) * features.numel()
    assert ((smoothed - exact) / exact).abs().max() < 2e-6


@pytest.mark.parametrize("name", SOFTMAXES)
def test_float32_agrees_with_float64_on_large_activations(name, rng):
    features = torch.rand(2, 64, 32, 32, generator=rng) * 1e4
    for temperature in (1000.0, 3000.0, 1e5):
        single = Smoothing(name, temperature)(features)
        double = Smoothing(name, temperature)(features.double())
        assert single.isfinite().all()
        assert (single > 1e-6).all()
        torch.testing.assert_close(single.double(), double, rtol=2e-5, atol=0)


@pytest.mark.parametrize("name", SOFTMAXES)
def test_large_activations_at_temperature_one_give_finite_values_and_gradients(name, rng):
    features = (torch.randn(1, 8, 16, 16, generator=rng) * 1e4).requires_grad_()
    smoothed = Smoothing(name)(features)
    smoothed.square().mean().backward()
    assert smoothed.isfinite().all()
    assert features.grad.isfinite().all()


def test_the_mean_one_form_keeps_what_a_sum_of_one_would_lose_in_half_precision(rng):
    features = 2 * torch.randn(1, 64, 64, 64, generator=rng)
    mean_one, summing_to_one = Smoothing("softmax")(features), smoothing.softmax(features)
    assert (mean_one.half() != 0).all()
    assert (summing_to_one.half() == 0).float().mean() > 0.01


maps = st.tuples(
    st.integers(0, 2**31), st.floats(0.01, 100), st.integers(1, 6), st.integers(1, 5)
).map(
    lambda drawn: (
        drawn[1]
        * torch.randn(
            2,
            drawn[2],
            drawn[3],
            3,
            dtype=torch.float64,
            generator=torch.Generator().manual_seed(drawn[0]),
        )
    )
)
temperatures = st.floats(0.05, 1e3)
softmax_names = st.sampled_from(sorted(SOFTMAXES))


@settings(max_examples=60, deadline=None)
@given(maps, temperatures, softmax_names)
def test_softmaxes_sum_to_one(features, temperature, name):
    function, dims = SOFTMAXES[name]
    sums = function(features, temperature).sum(dims)
    torch.testing.assert_close(sums, torch.ones_like(sums), rtol=1e-12, atol=0)


@settings(max_examples=60, deadline=None)
@given(maps, st.floats(-1e3, 1e3), temperatures, softmax_names)
def test_softmaxes_do_not_notice_a_constant_that_is_added(features, shift, temperature, name):
    choice = Smoothing(name, temperature)
    torch.testing.assert_close(choice(features + shift), choice(features), rtol=1e-8, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(maps, st.sampled_from(EVERY))
def test_no_smoothing_changes_the_order_of_what_it_compares(features, spec):
    smoothed = parse(spec)(features)
    if spec.startswith("channel"):
        before, after = features.flatten(2).mT, smoothed.flatten(2).mT
    elif spec.startswith("spatial"):
        before, after = features.flatten(2), smoothed.flatten(2)
    else:
        before, after = features.flatten(1), smoothed.flatten(1)
    steps = after.gather(-1, before.argsort(-1)).diff(dim=-1)
    assert (steps >= 0).all()


@settings(max_examples=60, deadline=None)
@given(maps, temperatures, st.floats(1.0, 50.0))
def test_entropy_does_not_fall_when_the_temperature_rises(features, temperature, factor):
    lower = entropy(Smoothing("softmax", temperature)(features))
    higher = entropy(Smoothing("softmax", temperature * factor)(features))
    assert (higher >= lower - 1e-9).all()


@pytest.mark.parametrize("value", [0.0, -1.0, math.inf, math.nan])
def test_parameters_that_are_not_above_zero_are_refused(value):
    features = torch.ones(1, 2, 2, 2)
    for function, name in [
        (smoothing.softmax, "temperature"),
        (smoothing.channel_softmax, "temperature"),
        (smoothing.spatial_softmax, "temperature"),
        (smoothing.scale, "alpha"),
        (smoothing.power, "exponent"),
        (smoothing.log, "threshold"),
        (smoothing.tanh, "threshold"),
    ]:
        with pytest.raises(SettingsError, match=f"{name} is {value}"):
            function(features, value)
