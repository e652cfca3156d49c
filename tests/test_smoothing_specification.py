"""Specifications of smoothing: reading, writing, layers, and what is said of mistakes."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from swag.errors import SettingsError
from swag.smoothing import KINDS, Smoothing, parse


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("none", Smoothing("none")),
        ("softmax", Smoothing("softmax", 1.0)),
        ("softmax:temperature=1", Smoothing("softmax", 1.0)),
        ("softmax:temperature=auto", Smoothing("softmax", "auto")),
        ("scale:alpha=0.001@layer3,layer4", Smoothing("scale", 0.001, ("layer3", "layer4"))),
        ("scale@layer3", Smoothing("scale", 0.001, ("layer3",))),
        (" power : exponent = 0.5 @ a , b ", Smoothing("power", 0.5, ("a", "b"))),
        ("log", Smoothing("log", "auto")),
        ("channel-softmax:temperature=1e2", Smoothing("channel-softmax", 100.0)),
    ],
)
def test_specifications_are_read(spec, expected):
    assert parse(spec) == expected


def test_a_choice_is_written_out_in_full():
    assert str(parse("softmax")) == "softmax:temperature=1"
    assert str(parse("scale@layer3, layer4")) == "scale:alpha=0.001@layer3,layer4"
    assert str(parse("none")) == "none"
    assert str(parse("tanh")) == "tanh:threshold=auto"


numbers = st.floats(min_value=0, exclude_min=True, allow_infinity=False, allow_nan=False)
layer_names = st.text(
    st.characters(blacklist_characters=",", categories=["L", "N", "P"]), min_size=1
)


@st.composite
def arguments_of_choices(draw):
    kind = KINDS[draw(st.sampled_from(list(KINDS)))]
    value = None
    if kind.parameter is not None:
        value = draw(numbers if kind.parameter.fit is None else st.one_of(numbers, st.just("auto")))
    return (kind.name, value, draw(st.none() | st.lists(layer_names, min_size=1).map(tuple)))


@settings(max_examples=200, deadline=None)
@given(arguments_of_choices())
def test_what_is_written_reads_back_as_itself(arguments):
    choice = Smoothing(*arguments)
    assert parse(str(choice)) == choice


def test_an_entry_means_a_layer_and_all_inside_it():
    choice = parse("softmax@layer3,features.4")
    for layer in ("layer3", "layer3.5", "layer3.5.relu", "features.4"):
        assert choice.at(layer) == Smoothing("softmax"), layer
    for layer in ("layer30", "layer2", "layer", "features", "features.40", "x.layer3"):
        assert choice.at(layer) == Smoothing("none"), layer


def test_without_layers_every_layer_is_smoothed():
    assert parse("power").at("anything") == parse("power")


def test_only_auto_is_fitted():
    features = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    for spec in ("none", "softmax:temperature=2", "power", "scale"):
        assert parse(spec).fitted(features) == parse(spec)
    fitted = parse("softmax:temperature=auto@layer3").fitted(features)
    assert isinstance(fitted.parameter, float)
    assert fitted.layers == ("layer3",)


def test_an_unfitted_auto_says_so():
    with pytest.raises(SettingsError, match="temperature=auto has no number for `auto`"):
        parse("softmax:temperature=auto")(torch.ones(1, 2, 2, 2))


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (
            "sofmax",
            r"no smoothing is called 'sofmax'; did you mean softmax\? choose from none",
        ),
        ("", "no smoothing is called ''; choose from none, softmax, channel-softmax, .*tanh"),
        ("softmax:temprature=2", r"no parameter 'temprature'; did you mean temperature\?"),
        (
            "softmax:alpha=2",
            r"softmax has no parameter 'alpha'; it has temperature \(default 1.0\)",
        ),
        ("softmax:2", "softmax has no parameter '2'"),
        ("softmax:", "softmax has no parameter ''"),
        ("none:alpha=1", "none has no parameter, but 'alpha=1' was given"),
        (
            "softmax:temperature=0",
            "softmax:temperature is 0.0; give a finite number above 0 or auto",
        ),
        ("softmax:temperature=-1", "softmax:temperature is -1.0"),
        ("softmax:temperature=nan", "softmax:temperature is nan"),
        ("softmax:temperature=inf", "softmax:temperature is inf"),
        ("softmax:temperature=hot", "softmax:temperature is hot"),
        ("softmax:temperature=", "softmax:temperature is ; give"),
        (
            "power:exponent=auto",
            r"power:exponent is auto; give a finite number above 0 \(default 0.5",
        ),
        ("softmax@", "the layers of a smoothing are ''; write names"),
        ("softmax@a,,b", "the layers of a smoothing are 'a', '', 'b'"),
    ],
)
def test_a_mistake_is_told_in_one_line(spec, said):
    with pytest.raises(SettingsError, match=said) as raised:
        parse(spec)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "arguments",
    [
        ("softmax", -1.0, None),
        ("none", 1.0, None),
        ("softmax", 1.0, ()),
        ("softmax", 1.0, ("a,b",)),
        ("softmax", 1.0, (" a",)),
        ("softmax", True, None),
    ],
)
def test_a_choice_built_by_hand_is_checked_too(arguments):
    with pytest.raises(SettingsError):
        Smoothing(*arguments)


def test_every_kind_can_be_listed():
    for name, kind in KINDS.items():
        assert kind.name == name
        assert kind.formula and kind.reference
        assert "\n" not in kind.formula
        assert kind.parameter is None or kind.parameter.meaning
