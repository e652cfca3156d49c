"""Settings from anywhere: taken, or refused in one short line, soon."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from swag.backbones import create
from swag.cli.groups import settings_from
from swag.config import Settings, load, settings
from swag.config.load import LARGEST_FILE
from swag.errors import BackboneError, SettingsError, SwagError

OFTEN = hypothesis_settings(
    max_examples=200, deadline=None, derandomize=True, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip

WORDS = st.sampled_from(
    ["softmax", "softmax:temperature=auto@layer3", "gram", "gram-robust:penalty=l1", "lbfgs", "nan",
     "inf", "1e999", "-1", "0x10", "true", "../../etc/passwd", "\0", "\x1b[31m", "a\nb", "", ":",
     "@", "=", "softmax:temperature=1e400", "power:exponent=" + "9" * 400]
)  # fmt: skip
NUMBERS = st.one_of(
    st.integers(), st.integers(min_value=10**4000, max_value=10**4000 + 9), st.floats()
)
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=50), WORDS)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=8,
)
NAMES = st.one_of(st.sampled_from([*Settings.model_fields, "presett", "__init__"]), st.text())


def one_short_line(error: BaseException) -> bool:
    text = str(error)
    return "\n" not in text and "\x1b" not in text and len(text) < 700


@OFTEN
@given(st.dictionaries(NAMES, VALUES, max_size=3))
def test_any_values_are_settings_or_one_line(values: dict[str, Any]):
    values = {k: v for k, v in values.items() if k not in ("preset", "method")}
    try:
        chosen = settings(**values)
    except SettingsError as error:
        assert one_short_line(error), error
        return
    again = Settings.model_validate_json(chosen.model_dump_json())
    assert again == chosen  # settings are their own JSON
    assert len(chosen.model_dump_json()) < 40_000


@OFTEN
@given(st.sampled_from(list(Settings.model_fields)), VALUES)
def test_any_value_of_any_setting_is_taken_or_refused(name: str, value: Any):
    if name in ("preset", "method"):
        return
    try:
        settings(**{name: value})
    except SettingsError as error:
        assert one_short_line(error), error


@OFTEN
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_any_file_is_settings_or_one_line(data: bytes):
    for name in ("config.toml", "config.json"):
        path = FOLDER / name
        path.write_bytes(data)
        try:
            assert isinstance(load(path), dict)
        except SettingsError as error:
            assert one_short_line(error), error


@OFTEN
@given(st.lists(st.one_of(st.text(max_size=40), WORDS), max_size=3))
def test_any_words_of_set_are_settings_or_one_line(words: list[str]):
    try:
        settings_from(set=words)
    except SettingsError as error:
        assert one_short_line(error), error


FOLDER = Path()


@pytest.fixture(autouse=True, scope="module")
def folder(tmp_path_factory):
    global FOLDER
    FOLDER = tmp_path_factory.mktemp("configs")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "a = " + "[" * 100_000,
        '{"a": ' * 50_000,
        "a." * 30_000 + "a = 1",
        "a." * 2_000 + "a = 1",
        "size = " + "9" * 10_000,
        "rate = 1e" + "9" * 1000,
        "# " + "x" * 1_000_000,
        "[a]\n" * 10_000,
        "a = 1\n" * 10_000,
    ],
)
@pytest.mark.parametrize("name", ["a.toml", "a.json"])
def test_a_hostile_file_is_refused_soon(text: str, name: str, tmp_path: Path):
    (tmp_path / name).write_text(text)
    began = time.perf_counter()
    try:
        settings(**load(tmp_path / name))
    except SettingsError as error:
        assert one_short_line(error), error
    assert time.perf_counter() - began < 5


def test_a_file_that_is_too_long_or_no_file_is_refused_unread(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.toml")
    with open(tmp_path / "long.toml", "wb") as file:
        file.truncate(LARGEST_FILE + 1)
    for path in (tmp_path / "pipe.toml", tmp_path / "long.toml", tmp_path, Path("/dev/zero")):
        with pytest.raises(SettingsError, match="cannot be read as settings") as caught:
            load(path)
        assert one_short_line(caught.value)


@pytest.mark.parametrize("weights", ["a\0b", "~nobody-of-this-name/x.pth", "x" * 5000, "/dev/zero",
                                     "", ".", "random:", "random:\n", "\x1b[31m"])  # fmt: skip
def test_any_name_of_weights_is_taken_or_refused_in_one_line(weights: str):
    try:
        create("swag/resnet", weights=weights)
    except BackboneError as error:
        assert len(str(error)) < 6000 and "\n" not in str(error)


@pytest.mark.parametrize("name", ["swag/", "torchvision/", "timm/", "/", "a/b/c", "swag/../x",
                                  "torchvision/get_model", "\0"])  # fmt: skip
def test_any_name_of_a_network_is_refused_in_one_line(name: str):
    with pytest.raises(SwagError) as caught:
        create(name, weights="random")
    assert "\n" not in str(caught.value)


def test_settings_of_a_file_are_those_of_its_json(tmp_path: Path):
    chosen = settings("quick", size=96, style_layers={"stem": 2})
    (tmp_path / "a.json").write_text(json.dumps(chosen.model_dump(mode="json")))
    values = load(tmp_path / "a.json")
    assert settings(**values) == chosen
