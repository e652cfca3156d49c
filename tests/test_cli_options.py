"""Options are declared once: what help says of them is true, and groups become options."""

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
import typer
from rich.text import Text
from typer.main import get_command
from typer.testing import CliRunner

from swag.cli import app
from swag.cli.groups import grouped, settings_from
from swag.config import settings
from swag.errors import SettingsError

WORDS = {
    "blend": "equal weights",
    "style_loss": "the method's",
    "content_loss": "the method's",
    "initial": "see --start",
    "output": "a .png in this folder, named for its inputs",
    "format": "png",
}
"""Defaults that are no values of settings."""

MAKERS = ("stylize", "texture", "reconstruct", "batch")


@pytest.mark.parametrize("command", [*MAKERS, "rerun"])
def test_the_defaults_that_help_shows_are_those_of_the_settings(command: str):
    shown = {
        option.name: option.show_default
        for option in get_command(app).commands[command].params
        if isinstance(option.show_default, str) and option.show_default
    }
    assert command == "rerun" or {"size", "steps", "backbone", "method"} <= set(shown)
    default = settings()
    for name, text in shown.items():
        value = getattr(default, name, None)
        expected = WORDS.get(name, f"{value:g}" if isinstance(value, float) else str(value))
        assert text == expected, name


@pytest.mark.parametrize("command", [*MAKERS, "rerun"])
def test_help_has_an_example_and_panels(command: str):
    text = CliRunner().invoke(app, [command, "--help"]).stdout
    assert f"swag {command} " in text.split("Arguments")[0].split("Usage")[1].split("\n", 1)[1]
    assert "─ Output ─" in text


@pytest.mark.parametrize("command", get_command(app).commands)
def test_no_word_of_a_help_is_taken_for_markup(command: str):
    about = get_command(app).commands[command]
    for text in (about.help, *(getattr(option, "help", None) for option in about.params)):
        assert Text.from_markup(text or "").plain == (text or "").replace("\\[", "[")


def test_the_help_of_a_video_is_about_a_video():
    text = CliRunner().invoke(app, ["video", "--help"], env={"COLUMNS": "200"}).stdout
    assert "Store no settings, hashes or versions in the video." in text
    assert "'swag-style[video]'" in text


@dataclass(frozen=True)
class Pair:
    """Two options."""

    first: Annotated[int | None, typer.Option("--first")] = None
    second: Annotated[str, typer.Option("--second", "-s")] = "two"


def test_the_fields_of_a_group_are_options_of_the_command():
    seen = []

    @grouped
    def command(name: str, *, pair: Pair, last: bool = False) -> None:
        """Say what was given."""
        seen.append((name, pair, last))

    assert list(inspect.signature(command).parameters) == ["name", "first", "second", "last"]
    program = typer.Typer()
    program.command()(command)
    result = CliRunner().invoke(program, ["x", "--first", "3", "-s", "z", "--last"])
    assert result.exit_code == 0, result.output
    CliRunner().invoke(program, ["y"])
    assert seen == [("x", Pair(3, "z"), True), ("y", Pair(), False)]


def test_options_win_over_set_and_set_over_the_file(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text("size = 100\nsteps = 7\nseed = 1\n")
    given = settings_from(config=file, set=["steps=8", "seed = 2", "scales=3"], seed=3, size=None)
    assert given == {"size": 100, "steps": 8, "seed": 3, "scales": 3}


def test_either_spelling_may_stand_in_a_file_and_an_option_wins(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text('colours = "content"\nnormalisation = "target"\n')
    given = settings_from(config=file, set=["normalization=span"], colors="match")
    assert given == {"colors": "match", "normalization": "span"}


def test_words_become_settings():
    given = settings_from(blend="2, 1", style_rotations=False, colors="match")
    assert given == {"style_weights": ["2", "1"], "colors": "match"}
    assert settings_from(style_rotations=True) == {"style_rotations": True}
    with pytest.raises(SettingsError, match="expected NAME=VALUE"):
        settings_from(set=["steps"])
    assert settings_from(set=["backbone=swag/resnet"]) == {"backbone": "swag/resnet"}


@pytest.mark.parametrize("value", ["{relu2_1=1", '["relu2_1"', '"text'])
def test_a_value_that_is_almost_toml_is_refused_as_such(value):
    with pytest.raises(SettingsError, match="is not valid TOML"):
        settings_from(set=[f"content_layers={value}"])


@pytest.mark.parametrize("blend", ["a,b", "2,", "1,-1", "nan,1", "1,inf"])
def test_a_blend_of_no_weights_names_its_option(blend):
    with pytest.raises(SettingsError, match=f"^--blend '{blend}': expected numbers"):
        settings_from(blend=blend)


@pytest.mark.parametrize("text", ["foo = 1", "size = 3"])
def test_a_wrong_setting_of_a_file_names_the_file(text, tmp_path):
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(SettingsError, match=r"a\.toml: (there is no setting 'foo'|size = 3)"):
        settings_from(config=tmp_path / "a.toml")


def test_a_folder_that_is_there_gets_a_picture_named_for_the_inputs(tmp_path):
    from swag.cli.output import output_path

    inputs = [Path("photos/a.jpg"), Path("b.png")]
    assert output_path(tmp_path, None, inputs) == tmp_path / "a-b.png"
    assert output_path(tmp_path / "c.png", None, inputs) == tmp_path / "c.png"
