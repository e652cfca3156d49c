"""Pictures that are made worse, and what a judge makes of them."""

import pytest
import torch

from swag_lab.evaluation.degradations import DEGRADATIONS, DEGREES, degraded
from swag_lab.evaluation.evaluator import Evaluator, grain
from swag_lab.evaluation.networks import trained
from swag_lab.experiments.job import StudyRun
from swag_lab.experiments.measures import judging
from swag_lab.experiments.painted import paint
from swag_lab.experiments.samples import painted_samples
from swag_lab.experiments.studies import judges
from swag_lab.experiments.study import Plan

SIZE = 64


@pytest.fixture(scope="module")
def photo():
    return paint("house", SIZE)


def distance(picture, kind, degree):
    return float((degraded(picture, kind, degree) - picture).square().mean())


@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_each_degree_is_farther_from_the_picture_and_degree_0_is_the_picture(photo, kind):
    assert torch.equal(degraded(photo, kind, 0.0), photo)
    found = [distance(photo, kind, degree) for degree in DEGREES]
    assert found[0] > 0 and found == sorted(found)
    worst = degraded(photo, kind, 1.0)
    assert worst.shape == photo.shape and 0 <= worst.min() and worst.max() <= 1
    assert torch.equal(worst, degraded(photo, kind, 1.0))


def test_swapped_tiles_are_the_same_pixels_elsewhere(photo):
    picture = photo[..., :60, :60]  # sides that tiles divide
    swapped = degraded(picture, "tiles swapped", 1.0)
    assert not torch.equal(swapped, picture)
    assert torch.equal(*(p.flatten().sort().values for p in (swapped, picture)))


def test_grain_sees_a_grid_and_no_checks(photo):
    gray = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0)) * 0.2 + 0.4
    assert grain(degraded(gray, "grid", 1.0)) > 1.5 * grain(gray)
    assert grain(degraded(gray, "checks", 1.0)) < grain(gray)


def test_rising_is_1_if_every_step_is_larger():
    assert judges.rising([0.1, 0.2, 0.5]) == pytest.approx(1)
    assert judges.rising([3, 2, 1]) == pytest.approx(-1)
    assert judges.rising([1, 3, 2, 4]) == pytest.approx(0.8)


def test_the_study_counts_who_ranks_rightly(tmp_path):
    contents, styles = (painted_samples(kind)[:1] for kind in ("contents", "styles"))
    plan = Plan(contents, styles, size=SIZE, steps=2, judges=(trained("vgg"),))
    (job,) = judges.jobs(plan)
    assert job.judging == plan.judges
    photo, style = job.content.at(SIZE), job.style.at(SIZE)
    rows = judging(job, Evaluator.of(photo, style, job.judging))
    right, rising = judges.sections(plan, [StudyRun(job, {"rows": rows}, tmp_path)])
    assert {(row["judge"], row["measure"]) for row in right.table} > {
        ("p-vgg", "sliced"), ("p-vgg", "content"), ("-", "grain"),
    }  # fmt: skip
    (content,) = [row for row in rising.table if row["measure"] == "content"]
    assert all(content[kind] > 0.5 for kind in DEGRADATIONS)
    (grid,) = [row["grid"] for row in right.table if row["measure"] == "grain"]
    assert grid == "4 of 4"
