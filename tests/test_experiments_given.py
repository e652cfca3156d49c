"""Studies 3, 4, 5 and 7 on networks given by their files; their blocks, of any ResNet or plain."""

from dataclasses import replace

import pytest
import torch
from given_networks import written
from torch import nn

from swag.backbones import create
from swag_lab.evaluation.networks import parse_network, trained
from swag_lab.experiments import Plan, StudyRunner, painted_samples
from swag_lab.experiments.measures import suppression
from swag_lab.experiments.studies import STUDIES
from swag_lab.experiments.studies.given import AUTHORS, layer_sets

CODE = """
from torch import nn

class Bottleneck(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(width, 4, 1), nn.Conv2d(4, width, 3, 1, 1)
        self.relu, self.downsample = nn.ReLU(), None

    def forward(self, x):
        return self.relu(x + self.conv2(self.conv1(x)))

class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.relu = nn.Conv2d(3, 8, 3, 1, 1), nn.ReLU()
        for stage, blocks in enumerate((3, 4, 6, 3), 1):
            setattr(self, f"layer{stage}", nn.Sequential(*(Bottleneck(8) for _ in range(blocks))))

    def forward(self, x):
        x = self.relu(self.conv1(x))
        for stage in (1, 2, 3, 4):
            x = getattr(self, f"layer{stage}")(x)
        return x
"""
STUDIES_OF_GIVEN = ("statistics", "suppression", "outliers", "methods")


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    text = written(tmp_path_factory.mktemp("networks"), CODE, "Tiny")
    return Plan(
        painted_samples("contents"), painted_samples("styles")[:2], size=48, steps=2,
        strengths=(0.2, 0.8), units=1, few=1, quick=True,
        given=(parse_network(text),), judges=(trained("resnet"),),
    )  # fmt: skip


@pytest.mark.parametrize("name", STUDIES_OF_GIVEN)
def test_a_study_is_about_the_networks_that_are_given(plan, name, tmp_path):
    jobs = STUDIES[name].jobs(plan)
    tiny = plan.given[0]
    assert {job.network.backbone for job in jobs} == {tiny.backbone}
    measured = {job.network.name for job in jobs if job.kind != "picture"}
    assert measured == (set() if name == "methods" else {"p-Tiny", "r-Tiny"})
    for job in jobs:
        authors = job.kind != "picture"
        layers = layer_sets(tiny)[AUTHORS if authors else "eight layers"]
        assert (job.network.style_layers, job.network.content_layers) == layers
        assert authors or job.settings["scales"] == 2
    runner = StudyRunner(name, plan, tmp_path)
    runs = list(runner.run_jobs(runner.unfinished_jobs()))
    assert [run.metrics["failed"] for run in runs if run.failed] == []
    text = runner.report().read_text(encoding="utf-8")
    assert "Tiny" in text and "p-resnet:" not in text


def test_methods_name_their_networks_only_if_some_are_given(plan):
    ours = {job.variant for job in STUDIES["methods"].jobs(plan)}
    assert {"p-Tiny: gatys", "p-Tiny: gatys + SWAG", "p-Tiny: texture"} <= ours
    usual = {job.variant for job in STUDIES["methods"].jobs(replace(plan, given=()))}
    assert {"gatys", "gatys + SWAG", "texture"} <= usual


def test_the_branch_of_a_block_without_batch_norm_is_its_last_convolution(plan):
    network = replace(plan.given[0], edits=("no-fold",)).create(0)
    with torch.no_grad():
        for block in network.module.layer2:
            block.conv2.weight.zero_()
            block.conv2.bias.fill_(-1e-4)
    rows = suppression(network, torch.rand(1, 3, 32, 32))
    assert [row["block"] for row in rows[:4]] == [*(f"layer1.{k}" for k in range(3)), "layer2.0"]
    assert [row["lowered"] for row in rows[3:7]] == [1.0] * 4
    # The same branch everywhere keeps the order.
    assert [row["still largest"] for row in rows[3:7]] == [1.0] * 4


def test_without_blocks_each_convolution_and_its_relu_count_as_one():
    torch.manual_seed(0)
    plain = nn.Sequential(
        nn.Conv2d(3, 8, 3, 1, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, 1, 1), nn.ReLU(inplace=True),
        nn.MaxPool2d(2), nn.Conv2d(8, 8, 3, 1, 1), nn.ReLU(),
    )  # fmt: skip
    nn.init.dirac_(plain[2].weight)
    nn.init.zeros_(plain[2].bias)
    with torch.no_grad():
        plain[5].weight.copy_(-plain[2].weight)
        plain[5].bias.fill_(1.0)
    network = create(plain, style_layers=["1", "3", "6"], content_layers=["3"])
    identity, reverse = suppression(network, torch.rand(1, 3, 40, 40))
    assert identity["kept"] == pytest.approx(1.0) and identity["still largest"] == 1.0
    assert identity["lowered"] is None
    # 1 - x turns the largest into the smallest.
    assert reverse["still largest"] == 0.0 and reverse["kept"] < 1
