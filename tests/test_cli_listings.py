import json
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from swag.backbones import available, bundled
from swag.backbones.presets import PRESETS as LAYER_PRESETS
from swag.cli import app
from swag.config import PRESETS, settings
from swag.image import write
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


def test_the_networks_of_the_package_show_size_accuracy_and_hash() -> None:
    lines = CliRunner().invoke(app, ["backbones"]).stdout.splitlines()
    for name in bundled.bundled_names():
        card = bundled.card(name)
        (line,) = (line for line in lines if line.split()[0] == card.name)
        made = card.teacher if card.top1 is None else f"{card.top1:.1%}"
        assert f"{card.bytes / 1e6:.1f} MB" in line and made in line
        assert card.sha256[:12] in line
    rows = json.loads(CliRunner().invoke(app, ["backbones", "--json"]).stdout)
    cards = {row["name"]: row["card"] for row in rows if row["card"]}
    assert cards["swag/resnet"] == asdict(bundled.card("resnet"))
    assert set(cards) == {f"swag/{name}" for name in bundled.bundled_names()}


def test_a_card_is_shown_whole() -> None:
    card = bundled.card("resnet")
    text = CliRunner().invoke(app, ["backbones", "swag/resnet"]).stdout
    lines = [line.split() for line in text.splitlines()]
    assert ["sha256", card.sha256] in lines
    assert ["trainings", "1", "recipe", "seed", "0"] in lines
    assert ["architecture", "widths", "24,", "48,", "96,", "192"] in lines
    assert card.data[1]["terms"] in text and card.intended_use in text and card.limits[:80] in text
    (row,) = json.loads(CliRunner().invoke(app, ["backbones", "resnet", "--json"]).stdout)
    layers = {"stem": 1.0, "stage1": 1.0, "stage2": 1.0}
    content_layers = {"stage1": 1.0, "stage2": 1.0}
    assert row == asdict(card) | {"style_layers": layers, "content_layers": content_layers}


def test_a_card_begins_with_the_layers_that_are_read_and_their_weights() -> None:
    text = CliRunner().invoke(app, ["backbones", "swag/vgg16-distilled"]).stdout
    style, content = (line.split() for line in text.splitlines()[2:4])
    weights = ["relu1_1=1,", "relu2_1=2,", "relu3_1=1,", "relu4_1=1,", "relu5_1=0.3"]
    assert style == ["style", "layers", *weights]
    assert content == ["content", "layers", "relu2_1=1,", "relu3_1=2,", "relu4_2=1"]


def test_the_layers_of_a_network_that_is_not_bundled_are_shown() -> None:
    text = CliRunner().invoke(app, ["backbones", "torchvision/vgg16"]).stdout
    assert "VGG-16 (2014)" in text
    (row,) = json.loads(
        CliRunner().invoke(app, ["backbones", "torchvision/vgg16", "--json"]).stdout
    )
    chosen = LAYER_PRESETS["torchvision/vgg16"]
    assert row["style_layers"] == dict(chosen.style)
    (row,) = json.loads(
        CliRunner().invoke(app, ["backbones", "torchvision/alexnet", "--json"]).stdout
    )
    assert row["content_layers"] == {"features.9": 1.0}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("swag/resnte", "did you mean swag/resnet?"),
        ("torchvision/resnext50_32x4d", "expected one of swag/resnet"),
    ],
)
def test_a_network_without_a_card_is_refused_in_one_line(name: str, said: str) -> None:
    done = CliRunner().invoke(app, ["backbones", name])
    assert done.exit_code == 1 and said in done.stderr
    assert len(done.stderr.splitlines()) == 1


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


def test_a_row_of_markdown_is_one_line(tmp_path: Path) -> None:
    made = tmp_path / "made.png"
    write(made, torch.zeros(3, 8, 8), metadata={"parameters": "apply\nModel: a|b"})
    text = CliRunner().invoke(app, ["settings", "--markdown", str(made)]).stdout
    assert text.splitlines()[2:] == ["| parameters | apply Model: a/b |"]


def test_every_setting_is_listed_with_its_option_and_meaning() -> None:
    rows = json.loads(CliRunner().invoke(app, ["settings", "--json"]).stdout)
    assert [row["name"] for row in rows] == list(settings().model_dump())
    assert all(row["what"] for row in rows)
    by_name = {row["name"]: row for row in rows}
    assert by_name["size"]["option"] == "--size" and by_name["size"]["default"] == "512"
    assert by_name["colors"]["option"] == "--colors"
    assert by_name["scales"]["option"] == ""


def test_the_document_of_settings_is_that_of_the_code() -> None:
    table = CliRunner().invoke(app, ["settings", "--markdown"]).stdout
    document = Path(__file__).parents[1] / "docs" / "settings.md"
    assert document.read_text(encoding="utf-8").endswith(f"\n\n{table}")
