"""swag experiment on the command line."""

import csv
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from typer.main import get_command
from typer.testing import CliRunner, Result

from swag.cli import app
from swag.image import write
from swag_lab.cli.experiment import _plan
from swag_lab.evaluation.networks import random
from swag_lab.evaluation.paired import compare
from swag_lab.experiments import StudyRunner
from swag_lab.experiments.comparisons import verdict

SMALL = ["--quick", "--size", "32", "--steps", "2", "--units", "1"]


def experiment(*words: object) -> Result:
    return CliRunner().invoke(app, ["experiment", *map(str, words)])


@dataclass(frozen=True)
class Done:
    """A study of one's own pictures: how it was asked for, its folder, and what was printed."""

    words: tuple[object, ...]
    out: Path
    printed: Result


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Done:
    place = tmp_path_factory.mktemp("study")
    draw = torch.Generator().manual_seed(0)
    words: list[object] = [*SMALL]
    for name in ("contents", "styles"):
        (place / name).mkdir()
        write(place / name / "picture.png", torch.rand(3, 40, 48, generator=draw))
        words += [f"--{name}", place / name]
    out = place / "deep" / "out"
    return Done(tuple(words), out, experiment("statistics", *words, "--out", out))


def test_a_study_of_ones_own_pictures_prints_the_path_of_its_page(study):
    assert study.printed.exit_code == 0, study.printed.output
    page = Path(study.printed.stdout.strip())
    assert page == study.out / "statistics.html"
    assert "<dd>picture</dd>" in page.read_text(encoding="utf-8")
    before = {file: file.stat().st_mtime_ns for file in study.out.glob("runs/*/*")}
    assert before
    again = experiment("statistics", *study.words, "--out", study.out, "--quiet")
    assert (again.exit_code, again.stdout) == (0, "")
    assert before == {file: file.stat().st_mtime_ns for file in study.out.glob("runs/*/*")}


@pytest.mark.parametrize("name", ["size", "steps"])
def test_the_defaults_that_help_shows_are_those_of_a_study(name):
    (option,) = [p for p in get_command(app).commands["experiment"].params if p.name == name]
    plans = [
        _plan(None, None, None, quick=quick, networks=([], []), size=None, steps=None)
        for quick in (False, True)
    ]
    default, quick_default = (getattr(plan, name) for plan in plans)
    assert option.show_default == f"{default}, or {quick_default} with --quick"


def test_a_dry_run_counts_the_runs_and_does_none(study, tmp_path):
    def counted(name: str, out: Path) -> dict[str, list[int]]:
        lines = experiment(name, *study.words, "--out", out, "--dry-run").stdout.splitlines()
        assert lines[0].split() == ["study", "runs", "large", "missing"]
        return {line.split()[0]: [int(n) for n in line.split()[1:]] for line in lines[1:]}

    before = counted("statistics", tmp_path / "out")
    runs, large, missing = before["statistics"]
    assert runs == missing > large >= 0 and before["together"] == before["statistics"]
    assert not (tmp_path / "out").exists()
    assert len(list(study.out.glob("runs/*"))) == runs
    assert counted("statistics", study.out)["statistics"] == [runs, large, 0]
    several = counted("paper", study.out)
    assert several["statistics"] == [runs, large, 0] and len(several) == 9
    assert several["together"][0] <= sum(n[0] for name, n in several.items() if name != "together")


def test_a_quick_report_says_what_it_is_and_all_runs_are_in_one_table(study):
    page = (study.out / "statistics.html").read_text(encoding="utf-8")
    assert page.index("not a result") < page.index("<dt>contents")
    assert all(f"<dt>{name}</dt>" in page for name in ("command", "date", "machine", "versions"))
    with open(study.out / "statistics-runs.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    folders_of_runs = {path.name for path in (study.out / "runs").iterdir()}
    assert {row["folder"] for row in rows} == folders_of_runs
    for row in rows:
        assert row["network"] and row["weights"] and row["size"] == "32"
        assert len(row["content SHA-256"]) == len(row["style SHA-256"]) == 64
        assert row["content"] in row["folder"]


def test_a_report_with_other_settings_is_not_replaced_unasked(study, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(study.out, out)
    before = (out / "statistics.html").read_bytes()
    words = (*study.words, "--size", "48", "--out", out)
    other = experiment("statistics", *words)
    assert other.exit_code == 1 and "--overwrite to replace it" in other.stderr
    assert (out / "statistics.html").read_bytes() == before
    assert experiment("statistics", *words, "--overwrite").exit_code == 0
    assert (out / "statistics.html").read_bytes() != before


def test_one_pair_gives_no_verdict():
    assert verdict(compare([-0.5]), "better", "worse").startswith("No verdict: there is one")
    assert verdict(compare([-0.5, -0.4]), "better", "worse").startswith("better by")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["statistic"], "did you mean statistics"),
        (["judges", "--contents", "nowhere"], "no folder"),
        (["judges", "--steps", "0"], "steps"),
        (["judges", "--steps", "2", "--units", "13"], "make 12 different ones"),
        (["judges", "--pictures", "2"], "--contents and --styles"),
        (["ablation", "--epochs", "2"], "--epochs has no effect without --training"),
        (["weights", "--network", "a=swag/vgg"], "--network has no effect in the study weights"),
        (["statistics", "--network", f"a=swag/vgg,{__file__}"], "not a safetensors file"),
        (["judges", "--judge", f"a=swag/vgg,{__file__}"], "not a safetensors file"),
        (["real", "--network", "a=swag/vgg", "--network", "a=swag/resnet"], "different names"),
        (["suppression", "--network", "a=swag/vgg", "--judge", "b=swag/vgg"], "--judge has no"),
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
    monkeypatch.setattr(StudyRunner, "unfinished_jobs", lambda self: plans.append(self.plan) or [])
    given = ("--units", "3", "--large-units", "2")
    experiment("statistics", "--out", tmp_path, "--quick", *given)
    experiment("statistics", "--out", tmp_path / "few", "--quick", "--units", "3")
    counted = [
        [
            len(plan.single_jobs("any", random(name)))
            for name in ("swag/resnet", "torchvision/resnet50")
        ]
        for plan in plans
    ]
    assert counted == [[3, 2], [3, 1]]
