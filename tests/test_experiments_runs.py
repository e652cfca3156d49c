"""Runs: found again by their hash, done once, and weighed as the paper weighs them."""

import json
from dataclasses import replace

import pytest
import torch

from swag.losses import get
from swag.objective import LossTerm, Objective
from swag.smoothing import parse
from swag_lab.evaluation.networks import random
from swag_lab.experiments.job import StudyJob
from swag_lab.experiments.job_runner import JobRunner, common_weights, finished_run
from swag_lab.experiments.painted import paint
from swag_lab.experiments.samples import painted_samples

CONTENT, STYLE = painted_samples("contents")[0], painted_samples("styles")[0]
NETWORK = random("swag/resnet", "thin", widths=(4, 8, 8, 8), depths=(1, 1, 1, 1))


def job(**changes):
    settings = {"steps": 3, "scales": 1, "strength": 0.5}
    return replace(
        StudyJob("variant", NETWORK, CONTENT, STYLE, 0, 32, settings=settings), **changes
    )


def test_a_key_is_that_of_what_is_computed_and_not_of_its_name():
    first = job()
    assert first.key == job(variant="another name").key
    assert first.key == job(network=replace(NETWORK, name="x")).key
    others = [job(seed=1), job(size=40), job(settings={"steps": 4}), job(style=CONTENT),
              job(weighed_by=("paper", "none")), job(deviations=True), job(task="texture"),
              job(network=replace(NETWORK, slope=0.1))]  # fmt: skip
    assert len({first.key, *(other.key for other in others)}) == 1 + len(others)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def run(runs):
    return JobRunner(runs)(job())


def test_a_run_is_a_folder_with_all_that_belongs_to_it(run):
    assert {path.name for path in run.folder.iterdir()} == {
        "config.json", "trace.jsonl", "picture.png", "metrics.json",
    }  # fmt: skip
    trace = [json.loads(line) for line in (run.folder / "trace.jsonl").read_text().splitlines()]
    assert [line["step"] for line in trace] == [0, 1, 2]
    assert json.loads((run.folder / "config.json").read_text())["settings"]["steps"] == 3
    assert run.metrics["losses"]["style"] == trace[-1]["losses"]["style"]
    assert set(run.metrics["judges"]) >= {"p-vgg", "p-resnet"}


def test_what_is_done_is_not_done_again(runs, run):
    again = JobRunner(runs)(job(variant="other"))
    assert (again.folder, again.metrics) == (run.folder, run.metrics)
    assert finished_run(runs, job(seed=5)) is None


def test_a_run_that_was_cut_off_is_done_again_with_the_same_result(tmp_path, run):
    run_job = JobRunner(tmp_path)
    folder = tmp_path / job().folder
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "metrics.json").write_text('{"judges": ')  # half a file
    assert finished_run(tmp_path, job()) is None
    again = run_job(job())
    assert again.metrics["judges"] == run.metrics["judges"]
    assert again.picture.read_bytes() == run.picture.read_bytes()


@pytest.mark.parametrize("text", ['{"judges": ', "[]", "{}"])
def test_metrics_that_are_damaged_are_those_of_no_finished_run(tmp_path, text):
    (tmp_path / job().folder).mkdir()
    (tmp_path / job().folder / "metrics.json").write_text(text)
    assert finished_run(tmp_path, job()) is None


def test_what_cannot_be_done_is_a_result_with_its_reason(runs):
    failed = JobRunner(runs)(job(settings={"steps": 1, "scales": 2}, size=64))
    assert failed.failed and "steps" in failed.metrics["failed"]


@pytest.mark.parametrize("task", ["texture", "reconstruct"])
def test_tasks_without_a_strength_are_judged_too(runs, task):
    done = JobRunner(runs)(job(task=task, settings={"steps": 2, "scales": 1}))
    assert not done.failed and done.metrics["judges"]


@pytest.mark.parametrize("normalization", ["paper", "released-code"])
@pytest.mark.parametrize("smoothing", ["none", "softmax:temperature=auto"])
def test_common_weights_make_the_loss_of_the_paper_up_to_a_factor(normalization, smoothing):
    network = NETWORK.create(0)
    photo, style, other = (paint(name, 32) for name in ("house", "strokes", "balls"))
    weights = common_weights(network, photo, style, normalization, smoothing)
    gram, smooth = get("gram"), parse(smoothing)
    layers = dict.fromkeys(network.style_layers, 1.0)
    ours = LossTerm("ours", gram, weights, style, smooth, unit_image=photo)
    theirs = LossTerm("theirs", gram, layers, style, smooth, 1.0, normalization, photo)
    objective = Objective.of(network.extract, [ours, theirs], start=photo, style=style)
    with torch.no_grad():
        values = [objective(picture) for picture in (photo, other)]
    ratios = [float(value["ours"] / value["theirs"]) for value in values]
    assert ratios[0] == pytest.approx(ratios[1], rel=1e-3)
    assert max(weights.values()) == 1
