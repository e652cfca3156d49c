"""The study of networks given by their files, on narrow ones that are made here."""

import csv
from dataclasses import replace

import pytest
from given_networks import written

from swag.errors import OptimizationError, SettingsError
from swag_lab.evaluation.networks import parse_network, trained
from swag_lab.experiments import Plan, StudyRunner, job_runner, painted_samples
from swag_lab.experiments.fronts import judges_of
from swag_lab.experiments.job_runner import JobRunner
from swag_lab.experiments.studies import real

CODE = """
import torch
from torch import nn

class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, 4, 1, stride)
        self.conv2 = nn.Conv2d(4, outputs, 3, 1, 1)
        self.relu = nn.ReLU()
        self.downsample = None if inputs == outputs else nn.Conv2d(inputs, outputs, 1, stride)

    def forward(self, x):
        short = x if self.downsample is None else self.downsample(x)
        return self.relu(short + self.conv2(self.conv1(x)))

class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.relu = nn.Conv2d(3, 4, 3, 1, 1), nn.ReLU()
        inputs = 4
        for stage, blocks in enumerate((3, 4, 6, 3), 1):
            width = 4 + 4 * stage
            made = [Block(inputs, width, 2)] + [Block(width, width, 1) for _ in range(blocks - 1)]
            setattr(self, f"layer{stage}", nn.Sequential(*made))
            inputs = width

    def forward(self, x):
        x = self.relu(self.conv1(x))
        for stage in (1, 2, 3, 4):
            x = getattr(self, f"layer{stage}")(x)
        return x

class TinyVGG(nn.Module):
    def __init__(self):
        super().__init__()
        layers, inputs = [], 3
        for block in range(4):
            for _ in range(3):
                layers += [nn.Conv2d(inputs, 6, 3, 1, 1), nn.ReLU()]
                inputs = 6
            layers += [nn.MaxPool2d(2)]
        self.features = nn.Sequential(*layers)

    def forward(self, x):
        return self.features(x)
"""


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """A residual and a plain network, as they are named on the command line."""
    folder = tmp_path_factory.mktemp("networks")
    return [written(folder, CODE, name) for name in ("Tiny", "TinyVGG")]


@pytest.fixture(scope="module")
def plan(texts):
    return Plan(
        painted_samples("contents"), painted_samples("styles")[:2], size=64, steps=2,
        strengths=(0.2, 0.8), units=1, few=1, quick=True,
        given=tuple(map(parse_network, texts)), judges=(trained("resnet"), parse_network(texts[1])),
    )  # fmt: skip


def test_the_study_runs_and_compares_layers_networks_and_smoothings(plan, tmp_path):
    runner = StudyRunner("real", plan, tmp_path)
    runs = list(runner.run_jobs(runner.unfinished_jobs()))
    assert runner.unfinished_jobs() == [] and [r.metrics["failed"] for r in runs if r.failed] == []
    assert runner.report().is_file()
    rows = [
        row
        for file in sorted((tmp_path / "tables").glob("*.csv"))
        for row in csv.DictReader(file.read_text().splitlines())
    ]
    pairs = {(row["variant"], row["against"]) for row in rows}
    assert ("p-Tiny: ten layers: w2", "p-Tiny: authors' layers: w2") in pairs
    assert ("p-Tiny: authors' layers: w2", "p-TinyVGG: preset: w2") in pairs
    assert ("p-TinyVGG: preset: SWAG", "p-TinyVGG: preset: nothing") in pairs
    drawn = "r-Tiny: eight layers"
    assert (f"{drawn}: SWAG", f"{drawn}: nothing") in pairs
    shallow = "p-Tiny: five shallow layers"
    assert (f"{shallow}: SWAG", f"{shallow}: nothing") in pairs


def test_layers_smoothings_and_weights_reach_the_runs(plan, texts):
    jobs = {job.variant: job for job in real.jobs(replace(plan, quick=False))}
    authors = jobs["p-Tiny: authors' layers: one weight, SWAG at T = 1"]
    assert authors.network.style_layers == ("relu", "layer1", "layer2", "layer3", "layer4")
    assert authors.network.content_layers == ("layer3",)
    assert authors.settings["smoothing"] == "softmax:temperature=1"
    assert jobs["p-Tiny: authors' layers: one weight, SWAG"].weighed_by == (
        "paper",
        "softmax:temperature=auto",
    )
    deep = jobs["p-Tiny: eight layers: SWAG, deep layers"].settings["smoothing"]
    assert deep == "softmax:temperature=auto@layer3.0,layer3.2,layer3.5"
    script = jobs["p-Tiny: eight layers: one weight, script"]
    assert script.weighed_by == (
        "released-code",
        "scale:alpha=0.001@layer3.0,layer3.2,layer3.5",
    )
    assert "smoothing" not in script.settings
    plain = jobs["p-TinyVGG: preset: SWAG, deep layers"].settings["smoothing"]
    assert plain.partition("@")[2] == ",".join(parse_network(texts[1]).create(0).style_layers[-2:])
    assert jobs["p-Tiny: eight layers: SWAG at 8 sd"].deviations
    assert jobs["r-Tiny: eight layers: SWAG"].network.weights == "random"


def test_nothing_is_judged_by_what_was_optimized(plan, tmp_path):
    jobs = {job.variant: job for job in real.jobs(plan)}
    runner = StudyRunner("real", plan, tmp_path)
    tiny, vgg = runner.run_jobs(
        [jobs["p-Tiny: authors' layers: w2"], jobs["p-TinyVGG: preset: w2"]]
    )
    assert set(tiny.metrics["judges"]) == {"p-resnet", "p-TinyVGG"}
    assert judges_of([tiny]) == ["p-resnet", "p-TinyVGG"]
    assert judges_of([tiny], [vgg]) == ["p-resnet"]


def test_a_bundled_network_needs_no_file_and_is_asked_only_about_trained_weights(plan):
    pupil = parse_network("pupil=swag/vgg16-distilled")
    jobs = real.jobs(replace(plan, given=(pupil,)))
    assert pupil == replace(trained("vgg16-distilled"), name="p-pupil")
    assert {job.network.weights for job in jobs} == {"pretrained"}
    assert {job.network.style_layers for job in jobs} == {()}


def test_layers_count_alike_in_studies_whatever_the_preset_says(plan, tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(
        job_runner, "iterate", lambda *_, **settings: told.append(settings) or stop()
    )

    def stop():
        raise OptimizationError("enough")

    pupil = parse_network("pupil=swag/vgg16-distilled")
    job = next(j for j in real.jobs(replace(plan, given=(pupil,))) if j.variant.endswith("w2"))
    assert JobRunner(tmp_path)(job).metrics == {"failed": "enough"}
    assert told[0]["style_layers"] == ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"]
    assert told[0]["content_layers"] == list(pupil.create(0).content_layers)
    assert set(pupil.create(0).style_layer_weights.values()) == {1.0, 2.0, 0.3}


def test_answers_come_in_the_order_of_the_questions(plan):
    """What is done of an interrupted study can be compared between networks."""
    names = [job.variant for job in real.jobs(plan)]
    last_of_core = max(i for i, name in enumerate(names) if name.endswith("preset: SWAG"))
    assert last_of_core < min(i for i, name in enumerate(names) if name.endswith("w2"))


@pytest.mark.parametrize(
    "text", ["resnet50", "a=b", "a=,b", "=a,b", "a=torchvision/vgg16,missing.pt"]
)
def test_what_names_no_network_is_refused(text):
    with pytest.raises(SettingsError, match="give"):
        parse_network(text)


def test_without_networks_there_is_nothing_to_do(plan, tmp_path):
    runner = StudyRunner("real", replace(plan, given=()), tmp_path)
    assert runner.unfinished_jobs() == [] and runner.studies[0].sections(runner.plan, []) == []
