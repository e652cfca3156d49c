"""Choices as users write them."""

import pytest

from swag.spec import Spec, parse_spec, parse_with_layers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gram", Spec("gram")),
        ("", Spec("")),
        (" mrf : size = 3 , patches=64 ", Spec("mrf", {"size": "3", "patches": "64"})),
        ("softmax:2", Spec("softmax", {"2": ""})),
        ("softmax:", Spec("softmax", {"": ""})),
        ("greedy:draws=a=b", Spec("greedy", {"draws": "a=b"})),
        ("gram@layer3", Spec("gram@layer3")),
    ],
)
def test_a_name_and_its_options(text, expected):
    assert parse_spec(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("power", Spec("power")),
        ("power @ layer3 , layer4", Spec("power", {}, ("layer3", "layer4"))),
        ("log:threshold=1@stem", Spec("log", {"threshold": "1"}, ("stem",))),
        ("power@", Spec("power", {}, ("",))),
    ],
)
def test_a_name_with_its_layers(text, expected):
    assert parse_with_layers(text) == expected


def test_options_are_told_as_they_were_written():
    assert parse_spec("mrf:size=3,patches").written_options == "size=3,patches"
