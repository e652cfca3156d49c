"""ArtFID: the oracle, what it does not depend on, what is refused, and the section of a report."""

import csv
from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torchvision.models import alexnet, inception_v3

from swag.errors import SettingsError, WeightsError
from swag.image import read
from swag_lab.evaluation import artfid, perceptual
from swag_lab.evaluation.artfid import art_fid, frechet_distance
from swag_lab.experiments import Plan, StudyRunner, painted_samples
from swag_lab.experiments.job import StudyRun
from swag_lab.experiments.job_runner import finished_run
from swag_lab.experiments.painted import CONTENTS, STYLES, paint
from swag_lab.experiments.studies import STUDIES, art
from swag_lab.experiments.studies.pairs import smoothed

pytest.importorskip("torchmetrics")

SIZE = 80
PLAN = Plan(
    painted_samples("contents")[:2], painted_samples("styles")[:2], size=SIZE, steps=2,
    strengths=(0.5,), units=2, few=2, quick=True,
)  # fmt: skip


@pytest.fixture(scope="module")
def trunk():
    """Inception-v3 with random weights, under which features of pictures differ."""
    torch.manual_seed(0)
    network = inception_v3(weights=None, init_weights=False, aux_logits=False)
    for part in network.modules():
        if isinstance(part, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(part.weight)
    return network.eval()


@pytest.fixture(scope="module")
def cache(trunk, tmp_path_factory):
    """torch's cache with random weights: of the art network with its heads, and of AlexNet."""
    home = tmp_path_factory.mktemp("torch")
    folder = home / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    heads = ("fc1.weight", "fc1.bias", "fc2.weight", "AuxLogits1.fc.bias", "AuxLogits2.fc.bias")
    state = {name: t for name, t in trunk.state_dict().items() if not name.startswith("fc.")}
    torch.save(state | {name: torch.zeros(3) for name in heads}, folder / perceptual.ART)
    state = alexnet(weights=None).state_dict()
    # LPIPS does not use the classifier: one number stands for all of each tensor in the file.
    unused = {name: torch.zeros(1).expand(t.shape) for name, t in state.items() if "class" in name}
    torch.save(state | unused, folder / perceptual.ALEXNET)
    return home


@pytest.fixture(autouse=True)
def home(cache, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(cache))


@pytest.fixture(scope="module")
def pictures():
    """Photos, paintings, and results that lie between them."""
    photos = [paint(name, SIZE) for name in CONTENTS][:2]
    photos.append(photos[0].flip(-1))
    paintings = [paint(name, SIZE) for name in list(STYLES)[:3]]
    results = [0.4 * a + 0.6 * b for a, b in zip(photos, paintings, strict=True)]
    return results, photos, paintings


def features(trunk, picture):
    """What the global average pool of torchvision's own network gives, by a hook."""
    seen = []
    hook = trunk.avgpool.register_forward_hook(lambda _, inputs, output: seen.append(output))
    with torch.no_grad():
        trunk(picture)
    hook.remove()
    return seen[0].flatten().double().numpy()


def distance(first, second):
    """The Frechet distance in NumPy, with a square root of the whole matrix of covariances."""
    first, second = np.stack(first), np.stack(second)
    root = np.real(sqrtm(np.cov(first.T) @ np.cov(second.T)))
    between = ((first.mean(0) - second.mean(0)) ** 2).sum()
    return between + np.trace(np.cov(first.T)) + np.trace(np.cov(second.T)) - 2 * np.trace(root)


def distance_of_few(first, second):
    """The same for few pictures: the trace of the root is a sum of singular values."""
    first, second = np.stack(first), np.stack(second)
    a, b = (x - x.mean(0) for x in (first, second))
    total, count = 0.0, len(first) - 1
    for i in range(first.shape[1]):
        total += (first[:, i].mean() - second[:, i].mean()) ** 2
        total += (a[:, i] ** 2).sum() / count + (b[:, i] ** 2).sum() / count
    return total - 2 * np.linalg.svd(a @ b.T, compute_uv=False).sum() / count


def test_the_fid_is_that_of_features_from_a_pass_of_our_own(trunk, pictures):
    results, photos, paintings = pictures
    expected = distance_of_few(*([features(trunk, p) for p in s] for s in (results, paintings)))
    measured = art_fid(results, photos, paintings)
    assert expected > 1e-3
    assert measured.fid == pytest.approx(expected, rel=1e-4)
    assert measured.pictures == 3


def test_the_lpips_is_the_mean_over_results_and_their_photos(pictures):
    results, photos, paintings = pictures
    each = [perceptual.distance("lpips", *pair) for pair in zip(results, photos, strict=True)]
    measured = art_fid(results, photos, paintings)
    assert min(each) > 0 and max(each) > min(each)
    assert measured.lpips == pytest.approx(fmean(each))
    assert measured.value == pytest.approx((1 + fmean(each)) * (1 + measured.fid))


def test_the_frechet_distance_is_that_of_whole_covariances():
    source = np.random.default_rng(0)
    first, second = source.normal(size=(30, 8)), 1.5 * source.normal(size=(40, 8)) + 0.3
    expected = distance(first, second)
    assert frechet_distance(torch.tensor(first), torch.tensor(second)) == pytest.approx(expected)
    few = first[:5], second[:5]
    assert distance_of_few(*few) == pytest.approx(distance(*few), rel=1e-4)
    measured = frechet_distance(*(torch.tensor(side) for side in few))
    assert measured == pytest.approx(distance_of_few(*few))


def test_the_order_of_pictures_does_not_matter(pictures):
    results, photos, paintings = pictures
    one = art_fid(results, photos, paintings)
    other = art_fid(results[::-1], photos[::-1], [paintings[i] for i in (1, 0, 2)])
    assert (other.fid, other.lpips) == (pytest.approx(one.fid), pytest.approx(one.lpips))
    # But which photo belongs to a result does.
    assert art_fid(results, photos[::-1], paintings).lpips != pytest.approx(one.lpips)


def test_it_is_one_for_photos_that_are_their_results_and_the_paintings(pictures):
    photos = pictures[1]
    measured = art_fid(photos, photos, photos)
    assert measured.value == pytest.approx(1, abs=1e-6) and measured.fid >= 0


def test_pictures_may_differ_in_size_and_numbers_outside_their_range_are_cut(pictures):
    results, photos, paintings = pictures
    larger = [*paintings[:2], paint(list(STYLES)[2], SIZE + 11)]
    assert art_fid(results, photos, larger).fid != art_fid(results, photos, paintings).fid
    beyond = [result * 3 - 1 for result in results]
    cut = [result.clamp(0, 1) for result in beyond]
    assert art_fid(beyond, photos, larger) == art_fid(cut, photos, larger)


@pytest.mark.parametrize(
    ("counts", "size", "said"),
    [((1, 1, 1), SIZE, "two results"), ((2, 2, 3), SIZE, "2, 2 and 3"), ((2, 2, 2), 74, "74 x 74")],
)
def test_sets_it_is_not_of_are_refused_in_a_line(counts, size, said):
    sets = [[paint("house", size)] * count for count in counts]
    with pytest.raises(SettingsError, match=said) as refusal:
        art_fid(*sets)
    assert "\n" not in str(refusal.value)
    assert min(art_fid(*[[paint("house", 75)] * 2] * 3).fid, 1) == 0


@pytest.mark.parametrize("fault", ["missing", "of another shape", "unexpected", "damaged"])
def test_a_file_of_another_network_is_refused_in_a_line(
    fault, cache, tmp_path, monkeypatch, pictures
):
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    source = cache / "hub" / "checkpoints"
    (folder / perceptual.ALEXNET).symlink_to(source / perceptual.ALEXNET)
    state = torch.load(source / perceptual.ART)
    weight = state.pop("Mixed_7c.branch1x1.conv.weight")
    if fault == "of another shape":
        state["Mixed_7c.branch1x1.conv.weight"] = weight[:1]
    elif fault == "unexpected":
        state |= {"Mixed_7c.branch1x1.conv.weight": weight, "Mixed_8a.weight": weight}
    torch.save(state, folder / perceptual.ART)
    if fault == "damaged":
        (folder / perceptual.ART).write_bytes(b"not a file of weights")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match=fault) as refusal:
        art_fid(*pictures)
    assert "\n" not in str(refusal.value) and perceptual.ART in str(refusal.value)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study of which the runs of one trained network are there."""
    runner = StudyRunner("networks", PLAN, tmp_path_factory.mktemp("study"))
    jobs = [job for job in runner.jobs() if job.network.name == "p-resnet"]
    assert len(list(runner.run_jobs(jobs))) == 4
    return runner


def runs_of(study):
    return [run for job in study.jobs() if (run := finished_run(study.runs, job)) is not None]


def test_a_report_has_the_numbers_of_each_variant_with_how_many_pictures(study):
    page = study.report().read_text(encoding="utf-8")
    assert "ArtFID" in page and "artfid is computed" in page
    (section,) = art.sections(PLAN, runs_of(study), [(smoothed("p-resnet"), "p-resnet")])
    file = study.out / "tables" / "networks-5.csv"
    rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    assert [row["variant"] for row in rows] == ["p-resnet + SWAG", "p-resnet"]
    for row, told in zip(rows, section.table, strict=True):
        assert row == {key: str(value) for key, value in told.items()}
        assert row["pictures"] == "2"
        product = (1 + float(row["LPIPS"])) * (1 + float(row["FID"]))
        assert float(row["ArtFID"]) == pytest.approx(product)
    smooth, plain = (float(row["ArtFID"]) for row in rows)
    change = f"{smooth - plain:+.3f}"
    assert (
        section.finding == f"No verdict: there is one pair ({change})." and section.finding in page
    )
    # Two pairs of the same pictures: the mean of both changes is that of one.
    again = [replace(run, job=replace(run.job, variant=f"{run.job.variant} again"))
             for run in runs_of(study)]  # fmt: skip
    pairs = [
        (smoothed("p-resnet"), "p-resnet"),
        (f"{smoothed('p-resnet')} again", "p-resnet again"),
    ]
    (both,) = art.sections(PLAN, [*runs_of(study), *again], pairs)
    way = "lower" if smooth < plain else "higher"
    assert f"{way} by {change}" in both.finding


def test_it_is_of_the_pictures_that_the_runs_have_left(study):
    (section,) = art.sections(PLAN, runs_of(study), [(smoothed("p-resnet"), "p-resnet")])
    plain = [run for run in runs_of(study) if run.job.variant == "p-resnet"]
    pictures = [read(run.picture).batch for run in plain]
    jobs = [run.job for run in plain]
    expected = art_fid(
        pictures, [j.content.at(SIZE) for j in jobs], [j.style.at(SIZE) for j in jobs]
    )
    assert section.table[1]["FID"] == pytest.approx(expected.fid)
    assert section.table[1]["LPIPS"] == pytest.approx(expected.lpips)


def test_methods_have_it_too(study):
    runs = [
        replace(run, job=replace(run.job, variant=run.job.variant.replace("p-resnet", "gatys")))
        for run in runs_of(study)
    ]
    section = STUDIES["methods"].sections(PLAN, runs)[-1]
    assert [row["variant"] for row in section.table] == ["gatys + SWAG", "gatys"]


@pytest.mark.parametrize("variant", ["p-resnet", smoothed("p-resnet")])
def test_both_sides_are_of_the_units_that_both_have(variant, study):
    runs = runs_of(study)
    third = replace(runs[0].job, variant=variant, seed=7)
    (section,) = art.sections(
        PLAN, [*runs, StudyRun(third, runs[0].metrics, runs[0].folder)],
        [(smoothed("p-resnet"), "p-resnet")],
    )  # fmt: skip
    assert [row["pictures"] for row in section.table] == [2, 2]
    (section,) = art.sections(PLAN, runs[::2], [(smoothed("p-resnet"), "p-resnet")])
    assert "No variant" in section.finding and not section.table


def test_other_strengths_do_not_count(study):
    runs, pairs = runs_of(study), [(smoothed("p-resnet"), "p-resnet")]
    stronger = replace(runs[0].job, settings={**runs[0].job.settings, "strength": 0.9})
    others = [StudyRun(stronger, runs[-1].metrics, runs[-1].folder)]
    assert art.sections(PLAN, [*runs, *others], pairs) == art.sections(PLAN, runs, pairs)


def test_what_is_refused_is_told_in_the_section(study, monkeypatch):
    monkeypatch.setattr(artfid, "SMALLEST", SIZE + 1)
    (section,) = art.sections(PLAN, runs_of(study), [(smoothed("p-resnet"), "p-resnet")])
    assert "80 x 80 pixels are too small" in section.finding and not section.table


@pytest.mark.parametrize("file", [perceptual.ART, perceptual.ALEXNET])
def test_without_a_file_there_is_a_line_and_no_section(file, cache, tmp_path, monkeypatch, study):
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    for other in {perceptual.ART, perceptual.ALEXNET} - {file}:
        (folder / other).symlink_to(cache / "hub" / "checkpoints" / other)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    page = study.report().read_text(encoding="utf-8")
    line = perceptual.missing_metric("artfid")
    assert f"put {file} of {perceptual.SOURCES[file]} into {folder}" in line
    assert "<h3>ArtFID</h3>" not in page and f"put {file} of" in page
    with pytest.raises(SettingsError, match=file):
        art_fid([], [], [])
