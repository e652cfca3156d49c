"""Comparisons: what a plan says, which pictures and judgements are made once, and the tables."""

import math
from pathlib import Path

import pytest
import torch

import swag
from swag.errors import SettingsError
from swag_lab.evaluation.compare import ComparisonPlan, PicturePair, compare, pairs_of
from swag_lab.evaluation.comparison_table import Score, comparison_tables
from swag_lab.evaluation.equal_content import ratio
from swag_lab.evaluation.networks import Network

PLAN = """
strengths = [0.3, 0.7]
[settings]
size = 64
steps = 2
scales = 1
[candidates."first one"]
backbone = "swag/vgg"
edits = ["reflect"]
[candidates.second]
backbone = "swag/noresnet"
style_layers = ["stem", "stage1"]
balance = 2.0
[judges.drawn]
backbone = "swag/resvgg"
weights = "random"
"""
JUDGES = {"one": "swag/one pretrained", "two": "swag/two pretrained"}


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    return path


@pytest.fixture
def pair(tmp_path: Path) -> PicturePair:
    source = torch.Generator().manual_seed(0)
    for name in ("photo", "painting"):
        swag.image.write(tmp_path / f"{name}.png", torch.rand(3, 64, 80, generator=source))
    return PicturePair(tmp_path / "photo.png", tmp_path / "painting.png")


def test_a_plan_gives_networks_and_settings_of_their_own_and_of_all(plan: Path):
    comparison = ComparisonPlan.of(plan)
    first, second = comparison.candidates
    assert first.network == Network("first one", "swag/vgg", edits=("reflect",))
    assert first.settings == {"size": 64, "steps": 2, "scales": 1}
    assert second.network.style_layers == ("stem", "stage1")
    assert second.settings == {**first.settings, "balance": 2.0}
    assert comparison.judges[0] == Network("drawn", "swag/resvgg", weights="random")
    assert "p-resnet" in [judge.name for judge in comparison.judges]
    assert comparison.size == 64


def test_weights_are_found_beside_the_plan(plan: Path):
    plan.with_name("w.safetensors").write_bytes(b"")
    plan.write_text('[candidates.a]\nbackbone = "torchvision/vgg16"\nweights = "w.safetensors"\n')
    (candidate,) = ComparisonPlan.of(plan).candidates
    assert candidate.network.weights == str(plan.with_name("w.safetensors"))


@pytest.mark.parametrize(
    "text",
    [
        "size = 64",
        "[candidates.a]\n[judge.b]",
        "candidates = 3",
        "[candidates.a]\nsize = 64",
        *(
            f'{line}\n[candidates.a]\nbackbone = "swag/vgg"'
            for line in ("strengths = 0.5", "strengths = []", "strengths = [2]", "settings = 1")
        ),
        '[candidates.a]\nbackbone = "swag/vgg"\nedits = "reflect"',
        '[candidates.a]\nbackbone = "swag/vgg"\n[judges]\nb = 3',
        '[candidates.a]\nbackbone = "swag/vgg"\n[judges.b]\nbackbone = "swag/vgg"\nsize = 64',
    ],
)
def test_a_plan_that_is_none_is_refused_by_name(plan: Path, text: str):
    plan.write_text(text)
    with pytest.raises(SettingsError, match=r"plan.toml: expected candidates"):
        ComparisonPlan.of(plan)


@pytest.mark.parametrize("line", ['backbone = "swag/vgg"', "strength = 0.5"])
def test_settings_of_all_that_would_be_ignored_are_refused(plan: Path, line: str):
    plan.write_text(PLAN.replace("[settings]", f"[settings]\n{line}"))
    with pytest.raises(SettingsError, match=f"{line.partition(' ')[0]} cannot be among"):
        ComparisonPlan.of(plan)


def test_other_pictures_and_judges_have_files_of_their_own(plan: Path, pair: PicturePair):
    comparison = ComparisonPlan.of(plan)
    before = pair.key, comparison.judging
    swag.image.write(pair.content, torch.zeros(3, 64, 80), overwrite=True)
    plan.write_text(PLAN.replace("[judges.drawn]", "[judges.other]"))
    after = PicturePair(pair.content, pair.style).key, ComparisonPlan.of(plan).judging
    assert before[0] != after[0] and before[1] != after[1]
    assert after[0].startswith("photo--painting-")


def test_the_first_pairs_hold_every_picture():
    contents, styles = ([Path(f"{kind}{n}.png") for n in range(3)] for kind in "cs")
    pairs = pairs_of(contents, styles)
    assert len({pair.name for pair in pairs}) == 9
    assert {pair.content for pair in pairs[:3]} == set(contents)
    assert {pair.style for pair in pairs[:3]} == set(styles)


@pytest.mark.slow
def test_pictures_and_judgements_are_made_once(plan, pair, tmp_path: Path, monkeypatch):
    comparison = ComparisonPlan.of(plan)
    scores = list(compare(comparison, [pair], tmp_path / "out"))
    assert [(s.network.name, s.strength) for s in scores] == [
        ("first one", 0.3),
        ("first one", 0.7),
        ("second", 0.3),
        ("second", 0.7),
    ]
    assert set(scores[0].measurements["judges"]) == {judge.name for judge in comparison.judges}
    monkeypatch.setattr(swag, "stylize", None)
    again = list(compare(comparison, [pair], tmp_path / "out"))
    assert [score.measurements for score in again] == [score.measurements for score in scores]
    assert len(list((tmp_path / "out").glob("second-*/*.png"))) == 2


def test_other_settings_have_another_folder(plan: Path):
    before = ComparisonPlan.of(plan).candidates
    plan.write_text(PLAN.replace("steps = 2", "steps = 3"))
    after = ComparisonPlan.of(plan).candidates
    assert {a.folder for a in after}.isdisjoint({b.folder for b in before})


def score(name: str, backbone: str, pair: str, strength: float, content: float, style: float):
    errors = {"content": content, "sliced": style}
    # The second judge is the network "swag/two" and is sure of everything.
    found = {"judges": {"one": errors, "two": {"content": 0.0, "sliced": 0.0}}, "grain": 1 + style}
    return Score(Network(name, backbone), pair, strength, found)


def test_the_table_compares_at_equal_content_error_without_those_who_took_part():
    scores = []
    for pair, height in (("p", 0.0), ("q", 0.2)):
        for strength, content in ((0.3, 0.2), (0.7, 0.6)):
            style = 0.4 - content / 2 + height
            scores.append(score("a", "swag/a", pair, strength, content, style))
            scores.append(score("b", "swag/two", pair, strength, content, style / 2))
    lines = comparison_tables(scores, JUDGES).splitlines()
    assert lines[0] == "2 pairs; judges of the levels: one."
    assert "| a | 0.3 | 0.400 | 0.200 | 1.40 |" in lines
    assert "| b | 0.7 | 0.100 | 0.600 | 1.10 |" in lines  # 0.05 of pair p, 0.15 of pair q
    (line,) = [line for line in lines if line.startswith("| b | a |")]
    # Style errors over content 0.2 to 0.6: 0.2 and 0.4 on average, half of it for b.
    assert "| 0.500 [0.500, 0.500] | -0.150 [-0.200, -0.100] | 2 of 2 |" in line


def test_a_ratio_of_fronts_is_that_of_their_means_where_both_are():
    low, high = [(0.0, 0.4), (0.4, 0.2)], [(0.2, 0.6), (0.6, 0.2)]
    assert ratio(low, high) == pytest.approx(0.25 / 0.5, rel=1e-6)
    assert math.isnan(ratio(low, [(0.5, 0.1), (0.6, 0.1)]))
