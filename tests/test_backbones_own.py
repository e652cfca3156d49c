"""Networks that are code of the user's own, by name: on the command line, in batches, in Python."""

import json
import os
import sys

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

import swag
from swag import backbones
from swag.cli import app
from swag.errors import BackboneError, SettingsError
from swag.spec import is_code
from swag_lab.evaluation.networks import Network

CODE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.one = nn.Conv2d(3, width, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.two = nn.Conv2d(width, 8, 3, padding=1)

    def forward(self, x):
        return self.two(self.pool(self.one(x).relu())).relu()

    @classmethod
    def wide(cls):
        return cls(6)

def build():
    from beside import WIDTH
    torch.manual_seed(3)
    return Net(WIDTH)

made = Net()
number = 3
def broken():
    raise KeyError("no weights\\nhere")
def other():
    return "a network"
"""
QUICK = ["--size", "32", "--steps", "2", "--set", "scales=1"]


@pytest.fixture
def code(tmp_path, monkeypatch):
    (tmp_path / "own_networks.py").write_text(CODE)
    (tmp_path / "beside.py").write_text("WIDTH = 5\n")
    (tmp_path / "faulty.py").write_text("import nothing_of_this_name\n")
    for number in range(2):
        torch.manual_seed(number)
        swag.image.write(tmp_path / f"{number}.png", torch.rand(3, 24, 32))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in ("own_networks", "beside"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("place", ["own_networks.py", "own_networks", "./own_networks.py"])
def test_a_factory_is_named_by_its_module_or_file(place, code):
    path = list(sys.path)
    network = backbones.create(f"{place}:build")
    assert network.name == f"{place}:build"
    assert network.module.one.out_channels == 5
    assert network.style_layers == ("one", "two")
    again = backbones.create(f"{place}:build").module
    assert torch.equal(network.module.one.weight, again.one.weight)
    assert sys.path == path


def test_classes_modules_and_what_is_within_them_are_factories(code):
    assert backbones.create("own_networks.py:Net").module.one.out_channels == 4
    assert backbones.create("own_networks.py:Net.wide").module.one.out_channels == 6
    assert backbones.create("own_networks.py:made").module.one.out_channels == 4


def test_weights_are_the_factorys_random_ones_or_a_files(code):
    own = backbones.create("own_networks.py:build").module
    again = backbones.create("own_networks.py:build", weights="random", seed=5).module
    assert not torch.equal(own.one.weight, again.one.weight)
    torch.save(again.state_dict(), code / "w.pth")
    loaded = backbones.create("own_networks.py:build", weights=code / "w.pth").module
    assert torch.equal(loaded.one.weight, again.one.weight)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("own_networks.py:nothing", "own_networks.py has no 'nothing'; expected a factory"),
        ("own_networks.py:broken", "own_networks.py:broken failed: KeyError: 'no weights"),
        ("own_networks.py:other", "own_networks.py:other made str; expected a torch.nn.Module"),
        ("own_networks.py:number", "own_networks.py:number failed: TypeError"),
        ("missing.py:build", "missing.py cannot be imported: .*no such file"),
        ("faulty.py:build", "faulty.py cannot be imported: ModuleNotFoundError: No module named"),
        ("nothing_of_this_name:build", "nothing_of_this_name cannot be imported"),
        (":build", "expected module.path:factory or file.py:factory"),
        ("missing.pt2", "there is no file 'missing.pt2'"),
        ("0.png.pt2", "'0.png.pt2' cannot be read as a program of torch.export"),
        ("resnet50", "or code of your own: module.path:factory"),
    ],
)
def test_mistakes_are_one_line(name, words, code):
    os.link(code / "0.png", code / "0.png.pt2")
    with pytest.raises(BackboneError, match=words) as caught:
        backbones.create(name)
    assert "\n" not in str(caught.value)


def small():
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Conv2d(4, 8, 3, padding=1), nn.ReLU()).eval()


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """Exported for one size of picture, and for any."""
    folder = tmp_path_factory.mktemp("programs")
    picture = torch.rand(1, 3, 40, 48)
    torch.export.save(torch.export.export(small(), (picture,)), folder / "fixed.pt2")
    rows, columns = (torch.export.Dim(n, min=16, max=1024) * 2 for n in ("rows", "columns"))
    any_size = torch.export.export(small(), (picture,), dynamic_shapes=({2: rows, 3: columns},))
    torch.export.save(any_size, folder / "any.pt2")
    return folder


def test_an_exported_program_is_a_network(programs):
    network = backbones.create(str(programs / "any.pt2"))
    assert network.style_layers == ("1", "4")
    picture = torch.rand(1, 3, 64, 98)
    expected = backbones.create(small())(picture)
    for layer, features in network(picture).items():
        torch.testing.assert_close(features, expected[layer], atol=1e-5, rtol=1e-4)
    made = swag.stylize(
        picture, picture.flip(3), backbone=str(programs / "any.pt2"), size=64, steps=2, scales=1
    )
    assert made.settings.backbone.endswith("any.pt2") and made.losses["style"] > 0


def test_an_exported_program_of_one_size_says_which(programs):
    network = backbones.create(str(programs / "fixed.pt2"))
    assert network(torch.rand(1, 3, 40, 48)).keys() == {"1", "4"}
    with pytest.raises(BackboneError, match="not take pictures of 64 x 64 pixels, but of 48 x 40"):
        network(torch.rand(1, 3, 64, 64))


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_a_picture_is_made_on_the_command_line_and_again(code):
    own = ["--backbone", "own_networks.py:build"]
    made = run("stylize", "0.png", "1.png", "-o", "out.png", *QUICK, *own)
    assert made.exit_code == 0, made.output
    again = ["rerun", "out.png", "--content", "0.png", "--style", "1.png", "-o", "again.png"]
    refused = run(*again)
    assert refused.exit_code == 1
    assert "which is code that SWAG would run; if you trust this code" in refused.stderr
    assert run(*again, *own).exit_code == 0
    first, second = (swag.image.read(code / name).pixels for name in ("out.png", "again.png"))
    assert torch.equal(first, second)


def test_a_batch_names_it(code):
    for number in range(2):
        (code / f"d{number}").mkdir()
        os.link(code / f"{number}.png", code / f"d{number}" / f"{number}.png")
    words = ["batch", "--contents", "d0", "--styles", "d1", "--out", "out"]
    done = run(*words, *QUICK, "--backbone", "own_networks:build")
    assert done.exit_code == 0, done.output
    (made,) = (code / "out").glob("*.png")
    told = json.loads(swag.image.read_metadata(made)["swag"])
    assert told["backbone"] == "own_networks:build"


def test_a_study_names_it(code):
    network = Network("p-own", "own_networks.py:build", style_layers=("two",))
    assert network.create(0).style_layers == ("two",)


def test_neither_a_picture_nor_a_checkpoint_runs_code_unasked(code):
    last = None
    photos = ("0.png", "1.png")
    for last in swag.iterate(*photos, backbone="own_networks.py:build", size=32, steps=2, scales=1):
        if last.index == 0:
            last.save_checkpoint(code / "half.ckpt")
    last.result([]).save(code / "out.png")
    (code / "own_networks.py").write_text("raise SystemExit('was run')")
    for given in ({"resume": code / "half.ckpt"}, {"like": code / "out.png"}):
        with pytest.raises(
            SettingsError, match="which is code that SWAG would run; if you trust this code"
        ):
            swag.iterate(*photos, **given)
    (code / "own_networks.py").write_text(CODE)
    own = {"resume": code / "half.ckpt", "backbone": "own_networks.py:build"}
    assert torch.equal([*swag.iterate(*photos, **own)][-1].image.pixels, last.image.pixels)


def test_neither_a_file_of_settings_nor_a_table_of_jobs_runs_code(code):
    (code / "own_networks.py").write_text("raise SystemExit('was run')")
    (code / "mine.toml").write_text('backbone = "own_networks.py:build"\n')
    (code / "jobs.csv").write_text("content,style,backbone\n0.png,1.png,own_networks.py:build\n")
    for words in (
        ["stylize", "0.png", "1.png", "--config", "mine.toml"],
        ["batch", "jobs.csv", "--out", "out"],
    ):
        refused = run(*words)
        assert refused.exit_code == 1
        assert "which is code that SWAG would run; if you trust this code" in refused.stderr


def test_a_picture_does_not_tell_where_the_code_lies(code):
    path = str(code / "own_networks.py") + ":build"
    swag.stylize("0.png", "1.png", backbone=path, size=32, steps=1, scales=1).save("out.png")
    told = swag.image.read_metadata("out.png")
    assert json.loads(told["swag"])["backbone"] == "own_networks.py:build"
    assert not any(str(code) in text for text in told.values())


@pytest.mark.parametrize("name", ["a.b:c", "a.py:c", "C:\\a.py:c", "a.pt2"])
def test_names_of_code_are_known(name):
    assert is_code(name)
    assert not any(map(is_code, ("swag/resnet", "torchvision/vgg19", "timm/resnet18.a1_in1k")))
