"""swag experiment on the command line."""

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from swag.cli import app
from swag.image import write
from swag_lab.evaluation.networks import random
from swag_lab.experiments import StudyRunner

SMALL = ["--quick", "--size", "32", "--steps", "2", "--units", "1"]


def experiment(*words: object) -> Result:
    return CliRunner().invoke(app, ["experiment", *map(str, words)])


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    random = torch.Generator().manual_seed(0)
    found = tmp_path / "contents", tmp_path / "styles"
    for folder in found:
        folder.mkdir()
        write(folder / "picture.png", torch.rand(3, 40, 48, generator=random))
    return found


def test_a_study_of_ones_own_pictures_prints_the_path_of_its_page(folders, tmp_path):
    out = tmp_path / "deep" / "out"
    words = ("--contents", folders[0], "--styles", folders[1], "--out", out)
    result = experiment("statistics", *words, *SMALL)
    assert result.exit_code == 0, result.output
    page = Path(result.stdout.strip())
    assert page == out / "statistics.html"
    assert "<dd>picture</dd>" in page.read_text(encoding="utf-8")
    before = {file: file.stat().st_mtime_ns for file in out.glob("runs/*/*")}
    assert experiment("statistics", *words, *SMALL, "--quiet").stdout == ""
    assert before == {file: file.stat().st_mtime_ns for file in out.glob("runs/*/*")}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["statistic"], "did you mean statistics"),
        (["judges", "--contents", "nowhere"], "no folder"),
        (["judges", "--steps", "0"], "steps"),
    ],
)
def test_a_mistake_is_one_line(words, said, tmp_path):
    result = experiment(*words, "--out", tmp_path / "out", *([] if "--steps" in words else SMALL))
    assert (result.exit_code, result.stdout) == (1, "")
    assert said in result.stderr and result.stderr.count("\n") == 1


def test_an_interruption_keeps_what_is_done_and_says_how_to_go_on(tmp_path, monkeypatch):
    from swag import distributed

    def one_then_ctrl_c(function, items, **options):
        yield function(next(iter(items)))
        raise KeyboardInterrupt

    monkeypatch.setattr(distributed, "map", one_then_ctrl_c)
    result = experiment("statistics", "--out", tmp_path, *SMALL)
    assert result.exit_code == 130 and "goes on" in result.stderr
    assert len(list(tmp_path.glob("runs/*/metrics.json"))) == 1
    assert (tmp_path / "statistics.html").is_file()


def test_networks_of_torchvision_have_a_number_of_units_of_their_own(tmp_path, monkeypatch):
    plans = []
    monkeypatch.setattr(StudyRunner, "missing", lambda self: plans.append(self.plan) or [])
    given = ("--units", "3", "--large-units", "2")
    experiment("statistics", "--out", tmp_path, "--quick", *given)
    experiment("statistics", "--out", tmp_path, "--quick", "--units", "3")
    counted = [
        [len(plan.single("any", random(name))) for name in ("swag/resnet", "torchvision/resnet50")]
        for plan in plans
    ]
    assert counted == [[3, 2], [3, 1]]
