import json
from collections.abc import Collection

import pytest
from typer.testing import CliRunner

from swag.backbones import available
from swag.cli import app
from swag.config import PRESETS, settings
from swag.losses import LOSSES, PENALTIES
from swag.smoothing import KINDS, parse

LISTS = {
    "backbones": tuple(entry.name for entry in available()),
    "losses": (*LOSSES, *PENALTIES),
    "smoothings": tuple(KINDS),
    "presets": tuple(PRESETS),
}


@pytest.mark.parametrize(("command", "names"), LISTS.items())
def test_a_list_has_one_line_for_each_name(command: str, names: Collection[str]) -> None:
    result = CliRunner().invoke(app, [command])
    assert (result.exit_code, result.stderr) == (0, "")
    first_words = [line.split()[0] for line in result.stdout.splitlines()]
    assert first_words == ["name", *names]


@pytest.mark.parametrize(("command", "names"), LISTS.items())
def test_a_list_is_json_on_request(command: str, names: Collection[str]) -> None:
    rows = json.loads(CliRunner().invoke(app, [command, "--json"]).stdout)
    assert [row["name"] for row in rows] == list(names)


def test_the_defaults_of_smoothings_are_written_as_users_write_them() -> None:
    rows = json.loads(CliRunner().invoke(app, ["smoothings", "--json"]).stdout)
    for row in rows:
        spec = row["name"] if row["parameter"] is None else f"{row['name']}:{row['parameter']}"
        assert parse(spec) == parse(row["name"])


def test_the_settings_of_presets_can_be_given_back() -> None:
    rows = json.loads(CliRunner().invoke(app, ["presets", "--json"]).stdout)
    for row in rows:
        again = settings(row["name"], **row["settings"])
        assert again == settings(row["name"])


def test_a_value_with_brackets_is_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    from swag.cli.table import show

    show([{"name": "[bold]x[/bold]", "range": "[0, 1]"}], as_json=False)
    assert "[bold]x[/bold]  [0, 1]" in capsys.readouterr().out
