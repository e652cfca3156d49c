"""Networks as ONNX files give what torch gives, at any size, and say nothing of this machine."""

import re
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from swag import errors
from swag.cli import app
from swag.image import Picture, read, write
from swag.instant import Painter, StyleNetwork, bundled, export, read_style, write_style
from swag.instant.export import PaintedIn, export_onnx, inverse_root
from swag.instant.network import InstantNetwork
from tests.test_style import noise, replace_card

onnxruntime = pytest.importorskip("onnxruntime")
DOCS = Path(__file__).parents[1] / "docs" / "instant.md"


def painted(path, photo):
    session = onnxruntime.InferenceSession(path)
    return torch.from_numpy(session.run(None, {"photo": photo.numpy()})[0])


@pytest.fixture
def style(tmp_path):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        write_style(
            tmp_path / "s.safetensors", StyleNetwork(), replace_card(widths=(16, 32, 64), blocks=5)
        )
    return tmp_path / "s.safetensors"


@pytest.mark.slow
def test_a_style_is_the_same_in_onnx(style, tmp_path, monkeypatch):
    out = tmp_path / "s.onnx"
    ended = CliRunner().invoke(app, ["export", str(style), str(out)])
    assert ended.exit_code == 0, ended.output
    network = read_style(style).network
    for rows, columns in ((64, 80), (101, 77)):
        photo = noise(rows, columns)
        torch.testing.assert_close(painted(out, photo), network(photo), rtol=0, atol=1e-4)
    assert out.stat().st_size < 1.3e6  # half precision
    assert b"/swag/" not in out.read_bytes() and b"site-packages" not in out.read_bytes()
    again = CliRunner().invoke(app, ["export", str(style), str(out)])
    assert again.exit_code == 1 and "--overwrite" in again.output
    _run_the_example(tmp_path, monkeypatch, network)


def _run_the_example(folder, monkeypatch, network):
    """The program in the documentation, on what this folder holds."""
    (program,) = re.findall(r"```python\n(import numpy.*?)```", DOCS.read_text(), re.DOTALL)
    assert "swag" not in program.replace("wave", "")
    assert len(program.strip().splitlines()) <= 10
    (folder / "s.onnx").rename(folder / "painting.onnx")
    write(folder / "photo.jpg", Picture(noise(40, 52)[0]))
    monkeypatch.chdir(folder)
    exec(program, {})
    expected = network(read(folder / "photo.jpg").batch).clamp(0, 1)
    torch.testing.assert_close(read(folder / "out.png").batch, expected, rtol=0, atol=0.005)


@pytest.mark.slow
def test_a_painter_with_a_paintings_statistics_is_the_same_in_onnx(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "ITERATIONS", 20)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        painter = Painter(InstantNetwork((4, 6, 8), 1))
    style = painter.describe(noise(60, 50))
    out = tmp_path / "p.onnx"
    export_onnx(PaintedIn(painter, style, strength=0.4), out)
    photo = noise(48, 67)
    expected = painter.paint(photo, [style], strength=0.4)
    torch.testing.assert_close(painted(out, photo), expected, rtol=0, atol=1e-4)


def test_the_bundled_painter_needs_the_photo_alone():
    painter = bundled()
    style = painter.describe(noise(64, 80).square())
    for photo in (noise(48, 64), noise(32, 48) * torch.linspace(0, 1, 48)):
        # The painter takes its roots in float32, which moves a color by half a step of 255.
        torch.testing.assert_close(
            PaintedIn(painter, style)(photo), painter.paint(photo, [style]), rtol=0, atol=2e-3
        )


def test_products_find_the_inverse_root():
    draw = torch.Generator().manual_seed(0)
    turn = torch.linalg.qr(torch.randn(40, 40, generator=draw, dtype=torch.float64)).Q
    values = torch.logspace(-8, 2, 40, dtype=torch.float64)
    found = inverse_root(((turn * values) @ turn.T)[None])[0]
    expected = (turn * values.rsqrt()) @ turn.T
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-2)


def test_what_is_missing_is_named(style, monkeypatch, tmp_path):
    monkeypatch.setattr(export, "NEEDED", ("onnx", "not_there"))
    with pytest.raises(errors.DependencyError, match=r"not_there.*swag-style\[onnx\]"):
        export_onnx(read_style(style).network, tmp_path / "s.onnx")
    (tmp_path / "folder.onnx").mkdir()
    for words, said in (
        ([style, tmp_path / "s.txt"], "ends in .onnx"),
        ([style, tmp_path / "s.onnx", "--strength", "1"], "trained for one strength"),
        ([tmp_path / "no.jpg", tmp_path / "s.onnx"], "no.jpg"),
        (["graet-wave", tmp_path / "s.onnx", "--strength", "1"], "did you mean great-wave?"),
        ([style, tmp_path / "none" / "s.onnx"], "cannot write"),
        ([style, tmp_path / "folder.onnx", "--overwrite"], "exists; give another name"),
        (["great-wav.jpg", tmp_path / "s.onnx"], "there is no file"),
    ):
        ended = CliRunner().invoke(app, ["export", *map(str, words)])
        assert ended.exit_code == 1 and said in ended.output, ended.output
