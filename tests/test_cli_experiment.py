"""swag experiment on the command line."""

import csv
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from swag.cli import app
from swag.image import write
from swag_lab.evaluation.networks import random
from swag_lab.evaluation.paired import compare
from swag_lab.experiments import StudyRunner
from swag_lab.experiments.comparisons import words as words_about

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


def test_a_dry_run_counts_the_runs_and_does_none(folders, tmp_path):
    out = tmp_path / "out"
    words = ("--contents", folders[0], "--styles", folders[1], "--out", out, *SMALL)

    def counted(name: str) -> dict[str, list[int]]:
        lines = experiment(name, *words, "--dry-run").stdout.splitlines()
        assert lines[0].split() == ["study", "runs", "large", "missing"]
        return {line.split()[0]: [int(n) for n in line.split()[1:]] for line in lines[1:]}

    before = counted("statistics")
    runs, large, missing = before["statistics"]
    assert runs == missing > large >= 0 and before["together"] == before["statistics"]
    assert not out.exists()
    assert experiment("statistics", *words).exit_code == 0
    assert len(list(out.glob("runs/*"))) == runs
    assert counted("statistics")["statistics"] == [runs, large, 0]
    several = counted("paper")
    assert several["statistics"] == [runs, large, 0] and len(several) == 9
    assert several["together"][0] <= sum(n[0] for name, n in several.items() if name != "together")


def test_a_quick_report_says_what_it_is_and_all_runs_are_in_one_table(folders, tmp_path):
    out = tmp_path / "out"
    words = ("--contents", folders[0], "--styles", folders[1], "--out", out)
    assert experiment("statistics", *words, *SMALL).exit_code == 0
    page = (out / "statistics.html").read_text(encoding="utf-8")
    assert page.index("not a result") < page.index("<dt>contents")
    assert all(f"<dt>{name}</dt>" in page for name in ("command", "date", "machine", "versions"))
    with open(out / "statistics-runs.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    folders_of_runs = {path.name for path in (out / "runs").iterdir()}
    assert {row["folder"] for row in rows} == folders_of_runs
    for row in rows:
        assert row["network"] and row["weights"] and row["size"] == "32"
        assert len(row["content SHA-256"]) == len(row["style SHA-256"]) == 64
        assert row["content"] in row["folder"]


def test_a_report_with_other_settings_is_not_replaced_unasked(folders, tmp_path):
    words = ("--contents", folders[0], "--styles", folders[1], "--out", tmp_path / "out")
    assert experiment("statistics", *words, *SMALL).exit_code == 0
    before = (tmp_path / "out/statistics.html").read_bytes()
    other = experiment("statistics", *words, *SMALL, "--size", "48")
    assert other.exit_code == 1 and "--overwrite to replace it" in other.stderr
    assert (tmp_path / "out/statistics.html").read_bytes() == before
    assert experiment("statistics", *words, *SMALL, "--size", "48", "--overwrite").exit_code == 0
    assert (tmp_path / "out/statistics.html").read_bytes() != before


def test_one_pair_gives_no_verdict():
    assert words_about(compare([-0.5]), "better", "worse").startswith("No verdict: there is one")
    assert words_about(compare([-0.5, -0.4]), "better", "worse").startswith("better by")


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

    monkeypatch.setattr(distributed, "as_completed", one_then_ctrl_c)
    result = experiment("statistics", "--out", tmp_path, *SMALL)
    assert result.exit_code == 130 and "goes on" in result.stderr
    assert len(list(tmp_path.glob("runs/*/metrics.json"))) == 1
    assert (tmp_path / "statistics.html").is_file()


def test_networks_of_torchvision_have_a_number_of_units_of_their_own(tmp_path, monkeypatch):
    plans = []
    monkeypatch.setattr(StudyRunner, "missing", lambda self: plans.append(self.plan) or [])
    given = ("--units", "3", "--large-units", "2")
    experiment("statistics", "--out", tmp_path, "--quick", *given)
    experiment("statistics", "--out", tmp_path / "few", "--quick", "--units", "3")
    counted = [
        [len(plan.single("any", random(name))) for name in ("swag/resnet", "torchvision/resnet50")]
        for plan in plans
    ]
    assert counted == [[3, 2], [3, 1]]
