"""Settings, presets and the schedule."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swag.config import PRESETS, Settings, load, settings
from swag.errors import SettingsError
from swag.schedule import Scale, plan


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_valid_and_survives_json(preset):
    chosen = settings(preset)
    assert chosen.preset == preset
    assert Settings.model_validate_json(chosen.model_dump_json()) == chosen


@pytest.mark.parametrize(
    ("overrides", "word"),
    [
        ({"preset": "nope"}, "default"),
        ({"stength": 0.5}, "strength"),
        ({"strength": 1.5}, "strength"),
        ({"size": 1}, "size"),
        ({"smoothing": "softmx"}, "softmax"),
        ({"style_loss": "grm"}, "gram"),
        ({"total_variation": float("nan")}, "total_variation"),
        ({"steps": -1}, "steps"),
        ({"method": "gaty"}, "w2, gatys"),
        ({"style_loss": "content"}, "content is a content loss and cannot be the style loss"),
        ({"content_loss": "gram"}, "gram is a style loss and cannot be the content loss"),
        ({"colors": "red"}, "colors"),
        ({"tile": "big"}, "^tile = 'big': give auto, 0 for no tiles, or pixels up to"),
        ({"content_layers": "relu2_1"}, r'give names of layers, as in \["relu2_1"\], or names'),
        ({"style_layers": ["relu2_1", 3]}, "give names of layers"),
        ({"style_layers": {"features": {"4": 1}}}, r'needs quotes, as in \{"features.4"=1\}'),
        ({"content_layers": {"relu2_1": 0, "relu3_1": 0}}, "^content_layers = .*not all of them 0"),
        ({"style_layers": {"relu1_1": 0}}, "^style_layers = .*not all of them 0"),
        ({"style_layers": {}}, "^style_layers = {}: .*leave it out"),
        ({"content_layers": []}, "^content_layers = {}: .*leave it out"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(overrides, word):
    with pytest.raises(SettingsError, match=word) as caught:
        settings(**overrides)
    assert "\n" not in str(caught.value)


def test_a_named_method_wins_over_the_preset_and_a_value_over_both():
    assert settings("paper").smoothing == settings("paper", smoothing="softmax").smoothing
    assert settings("paper", method="swag").smoothing == "softmax:temperature=auto"
    assert settings("paper", method="swag", smoothing="none").smoothing == "none"
    assert settings(method="swag").method == "swag"


QUICK = ("style-colors", 20, 1, 256)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, QUICK),
        ({"method": "w2", "strength": 0.7}, QUICK),
        ({"method": "swag"}, QUICK),
        ({"backbone": "torchvision/vgg16"}, QUICK),
        ({"weights": "random"}, QUICK),
        ({"start": "instant", "steps": 7}, ("instant", 7, 1, 256)),
        ({"start": "content"}, ("content", 100, 2, 256)),
        ({"optimizer": "adam"}, ("style-colors", 100, 2, 256)),
        ({"method": "mrf"}, ("instant", 20, 1, 256)),
        ({"method": "nnst"}, ("content", 100, 3, 256)),
        ({"method": "instant"}, ("instant", 0, 1, 256)),
    ],
)
def test_quick_makes_few_steps_if_they_begin_with_the_colors_of_the_style(asked, expected):
    chosen = settings("quick", **asked)
    assert (chosen.start, chosen.steps, chosen.scales, chosen.size) == expected


DEFAULT = ("style-colors", 75)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, DEFAULT),
        ({"strength": 0.3, "size": 900}, DEFAULT),
        ({"steps": 7}, ("style-colors", 7)),
        ({"method": "gatys"}, DEFAULT),
        ({"method": "sliced"}, DEFAULT),
        ({"method": "swag"}, DEFAULT),
        ({"method": "mrf"}, ("instant", 75)),
        ({"method": "nnst"}, ("content", 150)),
        ({"start": "noise"}, ("noise", 150)),
        ({"start": "content"}, ("content", 150)),
        ({"smoothing": "softmax"}, DEFAULT),
        ({"backbone": "torchvision/resnet50"}, DEFAULT),
        ({"weights": "random", "steps": 7}, ("style-colors", 7)),
        ({"optimizer": "adam"}, ("style-colors", 150)),
        ({"parametrization": "fourier"}, ("style-colors", 150)),
        ({"start": "instant"}, ("instant", 75)),
        ({"preset": "quality"}, ("style-colors", 150)),
        ({"preset": "quality", "start": "content"}, ("content", 300)),
        ({"preset": "paper"}, ("content", 1000)),
        ({"preset": "released-code", "backbone": "swag/resnet"}, ("content", 1000)),
    ],
)
def test_runs_make_half_of_the_steps_if_they_begin_with_something_of_the_style(asked, expected):
    chosen = settings(**asked)
    assert (chosen.start, chosen.steps) == expected


def test_the_settings_of_a_method_can_be_given_again():
    chosen = settings("quick", method="swag", smoothing="tanh")
    assert settings(**chosen.model_dump()) == chosen


@pytest.mark.parametrize(
    ("weights", "shares"), [(None, [0.5, 0.5]), ((3, 1), [0.75, 0.25]), ((0, 2), [0, 1])]
)
def test_several_styles_share_the_weight(weights, shares):
    assert settings(style_weights=weights).style_shares(2) == shares


@pytest.mark.parametrize("weights", [(1,), (0, 0), (1, 1, 1)])
def test_weights_that_do_not_fit_the_styles_are_told(weights):
    with pytest.raises(SettingsError, match="for 2 styles; expected one weight for each style"):
        settings(style_weights=weights).style_shares(2)


def test_strength_runs_from_the_content_alone_to_the_style_alone():
    assert settings(strength=0).weights_of_terms[0] == 0
    assert settings(strength=1).weights_of_terms[1] == 0


def test_released_code_has_the_authors_numbers():
    chosen = settings("released-code")
    assert (chosen.steps, chosen.size, chosen.square) == (1000, 512, True)
    assert chosen.weights_of_terms == (1e17, 1.0)
    assert chosen.smoothing == "scale:alpha=0.001@layer3,layer4"
    assert chosen.backbone == "torchvision/resnet50" and chosen.optimizer == "torch-lbfgs"


def test_settings_are_read_from_toml_and_json(tmp_path):
    toml, jason = tmp_path / "a.toml", tmp_path / "a.json"
    toml.write_text('size = 300\nsmoothing = "softmax"\n')
    jason.write_text('{"size": 300, "smoothing": "softmax"}')
    assert load(toml) == load(jason) == {"size": 300, "smoothing": "softmax"}


@pytest.mark.parametrize("text", ["size = ", "[1", "\x00"])
def test_a_file_that_is_not_settings_is_refused(tmp_path, text):
    file = tmp_path / "a.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match="TOML or JSON"):
        load(file)
    with pytest.raises(SettingsError, match="TOML or JSON"):
        load(tmp_path / "missing.toml")


@given(size=st.integers(16, 9000), steps=st.integers(12, 2000), scales=st.integers(1, 12))
def test_a_plan_doubles_to_the_size_and_spends_every_step(size, steps, scales):
    made = plan(size, steps, scales)
    assert made[-1].size == size and sum(scale.steps for scale in made) == steps
    assert all(scale.steps >= 1 for scale in made)
    pairs = list(itertools.pairwise(made))
    assert all(a.size == b.size // 2 and a.steps >= b.steps for a, b in pairs)


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        (1, "1 step is too few for 3 scales; give steps = 3 or more, or scales = 1"),
        (2, "2 steps are too few for 3 scales; give steps = 3 or more, or scales = 2"),
    ],
)
def test_too_few_steps_are_refused(steps, words):
    with pytest.raises(SettingsError, match=words):
        plan(512, steps, 3)


@pytest.mark.parametrize(
    ("british", "name", "value"),
    [
        ("colours", "colors", "content"),
        ("normalisation", "normalization", "target"),
        ("parametrisation", "parametrization", "fourier"),
    ],
)
def test_either_spelling_names_a_setting(british, name, value):
    assert settings(**{british: value}) == settings(**{name: value})
    with pytest.raises(SettingsError, match=f"{british} and {name} are one setting"):
        settings(**{british: value, name: value})
    of_earlier_versions = settings().model_dump() | {name: value}
    of_earlier_versions[british] = of_earlier_versions.pop(name)
    same = settings(**settings().model_dump() | {name: value})
    assert Settings.model_validate(of_earlier_versions) == same


def test_a_loss_of_earlier_versions_is_found_by_its_british_name():
    assert settings(style_loss="neighbours").style_loss == "neighbors"


def test_without_steps_there_is_the_last_size_alone():
    assert plan(512, 0, 4) == (Scale(512, 0),)


@pytest.mark.parametrize(
    ("aspect", "sizes"),
    [(1.0, [128, 256, 512]), (1 / 4, [128, 256, 512]), (1 / 9, [256, 512]), (1 / 500, [512])],
)
def test_scales_at_which_a_panorama_is_too_narrow_are_left_out(aspect, sizes):
    made = plan(512, 30, 3, aspect=aspect)
    assert [scale.size for scale in made] == sizes and sum(scale.steps for scale in made) == 30
