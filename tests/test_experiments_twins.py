"""Networks trained alike: the same pictures for as long, kept with their batch norm folded."""

from dataclasses import replace

import pytest
import torch
from typer.testing import CliRunner

from swag.cli import app
from swag.errors import ImageError, WeightsError
from swag.image import write
from swag_lab.experiments import Plan, StudyRunner, painted_samples, twins
from swag_lab.experiments.studies import STUDIES

CHANGES = {"no shortcuts": {"shortcuts": False}}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    random = torch.Generator().manual_seed(0)
    for part in ("train", "val"):
        for name in ("cats", "dogs"):
            (folder / part / name).mkdir(parents=True)
            for i in range(2):
                picture = torch.rand(3, 32, 32, generator=random)
                write(folder / part / name / f"{i}.png", picture)
    return folder


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks")
    wanted = twins.twins(CHANGES, epochs=3.0)
    lines = list(twins.train_twins(wanted, data, folder))
    return wanted, folder, lines


def test_each_is_trained_once_and_kept_without_its_checkpoint(trained, data):
    wanted, folder, lines = trained
    assert [twin.name for twin in wanted] == [twins.BASE, twins.SHORTER, "no shortcuts"]
    assert {twin.name for twin, _ in lines} == {twin.name for twin in wanted}
    assert len(list(folder.glob("*.safetensors"))) == 3 and not list(folder.glob("*.pt"))
    assert list(twins.train_twins(wanted, data, folder)) == []


def test_all_but_the_shorter_one_are_trained_by_the_same_recipe(trained):
    wanted, _, _ = trained
    base, shorter, changed = (twin.recipe for twin in wanted)
    assert changed == base
    assert shorter == replace(base, epochs=base.epochs / 3)


def test_they_are_networks_of_a_study_found_by_their_weights(trained, data):
    wanted, folder, _ = trained
    base, _, plain = twins.twin_networks(wanted, data, folder)
    assert (base.name, plain.name) == (f"t-{twins.BASE}", "t-no shortcuts")
    assert not base.random and not base.large
    assert base.config()["sha256"] != plain.config()["sha256"]
    assert str(folder) not in str(base.config())
    assert 0 <= twins.top1(base) <= 1
    created = plain.create(seed=0)
    maps = created.extract(torch.rand(1, 3, 48, 48), ["stage4"])
    assert maps["stage4"].shape == (1, 192, 3, 3)
    assert not any("shortcut" in name for name, _ in created.module.named_modules())


def test_what_is_not_trained_is_left_out(trained, data, tmp_path):
    wanted, _, _ = trained
    assert twins.twin_networks(wanted, data, tmp_path) == ()


def test_a_training_that_diverges_is_one_line(data, tmp_path, monkeypatch):
    def broken(architecture, recipe, sources, *, out, validation):
        from swag_lab.training.loop import train

        yield from train(architecture, recipe, sources, out=out, validation=validation)
        state = torch.load(out, weights_only=True)
        next(iter(state["model"].values())).fill_(float("nan"))
        torch.save(state, out)

    monkeypatch.setattr(twins, "train", broken)
    with pytest.raises(WeightsError, match="'trained alike' went to numbers that are not finite"):
        list(twins.train_twins(twins.twins({}, epochs=1.0), data, tmp_path))


def test_no_pictures_are_one_line(tmp_path):
    with pytest.raises(ImageError, match="not a folder"):
        list(twins.train_twins(twins.twins({}), tmp_path / "none", tmp_path))


def test_the_ablation_compares_them_to_the_one_without_a_change(trained, data):
    wanted, folder, _ = trained
    plan = Plan(
        painted_samples("contents"), painted_samples("styles"), units=1, quick=True,
        twins=twins.twin_networks(wanted, data, folder),
    )  # fmt: skip
    study = STUDIES["ablation"]
    names = {job.variant for job in study.jobs(plan)}
    assert {"t-no shortcuts", "t-no shortcuts, one weight", f"t-{twins.BASE}"} <= names
    titles = [section.title for section in study.sections(plan, [])]
    assert "One component at a time, trained alike" in titles
    plain = [section.title for section in study.sections(replace(plan, twins=()), [])]
    assert "One component at a time, trained alike" not in plain


def test_the_command_trains_them_first(data, tmp_path, monkeypatch):
    monkeypatch.setattr(StudyRunner, "unfinished_jobs", lambda runner: [])
    words = ["experiment", "ablation", "--quick", "--training", str(data), "--epochs", "1"]
    result = CliRunner().invoke(app, [*words, "--out", str(tmp_path), "--quiet"])
    assert result.exit_code == 0, result.output
    assert len(list((tmp_path / "networks").glob("*.safetensors"))) == 3
    page = (tmp_path / "ablation.html").read_text(encoding="utf-8")
    assert "One component at a time, trained alike" in page
