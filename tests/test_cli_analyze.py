import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner, Result

from swag import backbones
from swag.cli import app
from swag.image import read, write

RANDOM = ["--backbone", "swag/resnet", "--weights", "random", "--size", "48"]


def analyze(*words: object) -> Result:
    return CliRunner().invoke(app, ["analyze", *map(str, words), *RANDOM])


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    random = torch.Generator().manual_seed(0)
    paths = [tmp_path / "one.png", tmp_path / "two.png"]
    for path in paths:
        write(path, torch.rand(3, 48, 48, generator=random))
    return paths


def test_the_numbers_are_those_of_the_activations(pictures: list[Path]) -> None:
    rows = json.loads(analyze(*pictures, "--json").stdout)
    network = backbones.create("swag/resnet", weights="random", seed=0)
    layer = network.style_layers[1]
    with torch.no_grad():
        features = network.extract(read(pictures[1]).batch, (layer,))[layer]
    f = features[0].flatten(1).double().numpy()  # d m
    g = f @ f.T / f.shape[1]
    (row,) = [r for r in rows if r["layer"] == layer and r["image"] == str(pictures[1])]
    for name, values in {"F": f.ravel(), "G": g.ravel()}.items():
        shares = values[values > 0] / values[values > 0].sum()
        by_sum = -(shares * np.log(shares)).sum() / math.log(values.size)
        powers = np.exp(values - values.max())
        powers = powers[powers > 0] / powers.sum()
        by_softmax = -(powers * np.log(powers)).sum() / math.log(values.size)
        assert row[f"max {name}"] == pytest.approx(values.max(), rel=1e-4)
        assert row[f"entropy {name} (sum)"] == pytest.approx(by_sum, rel=1e-4)
        assert row[f"entropy {name} (softmax)"] == pytest.approx(by_softmax, rel=1e-3)


def test_the_table_has_a_line_for_each_layer(pictures: list[Path]) -> None:
    result = analyze(*pictures)
    assert (result.exit_code, result.stderr) == (0, "")
    network = backbones.create("swag/resnet", weights="random", seed=0)
    layers = dict.fromkeys((*network.style_layers, *network.content_layers))
    assert {line.split()[0] for line in result.stdout.splitlines()[1:]} == set(layers)


def test_the_csv_has_what_the_json_has(pictures: list[Path], tmp_path: Path) -> None:
    file = tmp_path / "numbers.csv"
    rows = json.loads(analyze(*pictures, "--json", "--csv", file).stdout)
    with file.open(newline="") as lines:
        written = list(csv.DictReader(lines))
    assert [{name: str(value) for name, value in row.items()} for row in rows] == written


@pytest.mark.parametrize(
    ("name", "signature"), [("x.png", b"\x89PNG"), ("x.svg", b"<?xml"), ("x.pdf", b"%PDF")]
)
def test_the_figure_has_the_format_of_its_name(
    name: str, signature: bytes, pictures: list[Path], tmp_path: Path
) -> None:
    assert analyze(pictures[0], "--figure", tmp_path / name).exit_code == 0
    assert (tmp_path / name).read_bytes().startswith(signature)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--figure", "there.png"], "there.png exists"),
        (["--csv", "numbers.txt"], "'.txt' is not one of .csv"),
        (["--figure", "x.csv"], "'.csv' is not one of .png, .svg, .pdf"),
        (["--csv", "nowhere/x.csv"], "no folder nowhere"),
        (["gone.jpg"], "gone.jpg"),
    ],
)
def test_what_cannot_be_read_or_written_ends_in_one_line(
    words: list[str],
    said: str,
    pictures: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.png").write_text("mine")
    result = analyze(pictures[0], *words)
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert said in line
    assert Path("there.png").read_text() == "mine"
