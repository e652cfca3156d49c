"""Things by name: in order, read-only, and with the nearest to a name that is not there."""

from dataclasses import dataclass

import pytest

from swag.errors import BackboneError, SettingsError
from swag.registry import Registry, did_you_mean


@dataclass(frozen=True)
class Thing:
    name: str


THINGS = Registry("thing", [Thing("gram"), Thing("moments")])


def test_things_are_a_mapping_in_their_order():
    assert list(THINGS) == ["gram", "moments"]
    assert len(THINGS) == 2
    assert THINGS["gram"] == THINGS.find(" gram ") == Thing("gram")
    assert "mrf" not in THINGS
    assert dict(Registry("number", {"one": 1})) == {"one": 1}


def test_nothing_can_be_put_into_a_registry():
    with pytest.raises(TypeError):
        THINGS["mrf"] = Thing("mrf")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gran", "no thing is called 'gran'; did you mean gram? choose from gram, moments."),
        ("xyz", "no thing is called 'xyz'; choose from gram, moments."),
    ],
)
def test_an_unknown_name_is_one_line_with_the_nearest(name, words):
    with pytest.raises(SettingsError) as error:
        THINGS.find(name)
    assert str(error.value) == words
    assert error.value.__suppress_context__


def test_the_error_is_that_of_the_registry():
    with pytest.raises(BackboneError, match="no edit is called 'x'"):
        Registry("edit", {"reflect": 1}, error=BackboneError).find("x")


def test_only_a_near_name_is_suggested():
    assert did_you_mean("steppes", ["steps", "size"]) == "did you mean steps? "
    assert did_you_mean("color", ["steps", "size"]) == ""
