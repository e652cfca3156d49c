"""Every study, small: it runs, goes on where it stopped, and reports what was measured."""

import csv
import html.parser
import json
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from swag import distributed
from swag.config import PRESETS
from swag.errors import SettingsError
from swag_lab.experiments import (
    Plan,
    Sample,
    Section,
    StudyRunner,
    painted_samples,
    studies_named,
    study_names,
)
from swag_lab.experiments.report import Chapter, as_csv, page, write_report
from swag_lab.experiments.studies import STUDIES, paper_exact
from swag_lab.experiments.studies import shape as shape_study
from swag_lab.experiments.studies.pairs import P_RESNET
from swag_lab.experiments.study import Study
from swag_lab.experiments.study_runner import PAPER

PLAN = Plan(
    painted_samples("contents"), painted_samples("styles")[:2], size=48, steps=3,
    strengths=(0.05, 0.95), units=1, few=1, quick=True,
)  # fmt: skip


class Page(html.parser.HTMLParser):
    """What a page holds: the text of cells by table, links, and what it would fetch."""

    def __init__(self, text: str):
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.names: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.names += [values["id"]] if "id" in values else []
        if tag == "table":
            self.tables[values["id"]] = []
        elif tag == "tr":
            list(self.tables.values())[-1].append([])
        elif tag == "td":
            list(self.tables.values())[-1][-1].append(values["data-value"])
        elif tag == "a":
            self.links.append(values["href"])
        elif "src" in values:
            self.fetched.append(values["src"])


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    return StudyRunner("all", PLAN, tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def report(everything):
    """The page of all studies, of which the first half was done in another call, by processes."""
    todo = everything.unfinished_jobs()
    for _ in everything.run_jobs(
        todo[: len(todo) // 2], partial(distributed.as_completed, workers=2)
    ):
        pass
    assert len(everything.unfinished_jobs()) == len(todo) - len(todo) // 2
    for _ in everything.run_jobs(
        everything.unfinished_jobs(), partial(distributed.as_completed, workers=1)
    ):
        pass
    return everything.report()


def test_presets_to_the_letter_are_the_presets_on_another_network():
    paper, script = (paper_exact.preset_settings(name, P_RESNET) for name in paper_exact.LETTERS)
    assert paper["smoothing"] == "softmax" and paper["style_weight"] == 1e17
    assert script["smoothing"] == "scale:alpha=0.001@stage3,stage4"
    for name, found in (("paper", paper), ("released-code", script)):
        left = {"backbone", "edits", "balance", "steps", "size", "precision", "smoothing", "start"}
        left |= {"style_layers", "content_layers"}
        values = PRESETS[name].values
        assert {**values, **found, "smoothing": 0} == {**values, "smoothing": 0}
        assert values.keys() - found.keys() | {"smoothing"} == left
    jobs = paper_exact.jobs(replace(PLAN, units=6))
    assert [job.settings["steps"] for job in jobs] == [4 * PLAN.steps] * 6


@pytest.mark.slow
def test_every_study_runs_and_has_nothing_left_to_do(everything, report):
    assert everything.unfinished_jobs() == []
    configs, metrics = (
        [json.loads((run / name).read_text()) for run in sorted(everything.runs.iterdir())]
        for name in ("config.json", "metrics.json")
    )
    # What is run to the letter has no line search, and so may leave the finite numbers.
    held = [m for c, m in zip(configs, metrics, strict=True)
            if c["settings"].get("optimizer") != "torch-lbfgs"]  # fmt: skip
    assert len(held) == len(metrics) - 2
    assert [m["failed"] for m in held if "failed" in m] == []
    assert {config["kind"] for config in configs} == {
        "picture", "statistics", "suppression", "outliers", "temperature", "judges",
    }  # fmt: skip


@pytest.mark.slow
def test_the_page_opens_from_disk_and_its_links_lead_somewhere(everything, report):
    text = report.read_text(encoding="utf-8")
    found = Page(text)
    assert not re.search(r"https?://", text)
    assert found.fetched and all(source.startswith("data:image/png") for source in found.fetched)
    for link in found.links:
        target = link[1:] in found.names if link[0] == "#" else (report.parent / link).is_file()
        assert target, link
    assert {study for study in STUDIES} <= set(found.names)


@pytest.mark.slow
def test_the_numbers_of_the_page_are_those_of_the_csv_files_and_of_the_runs(everything, report):
    found = Page(report.read_text(encoding="utf-8"))
    files = sorted((report.parent / "tables").glob("*.csv"))
    assert len(files) == len(found.tables)
    for file in files:
        rows = list(csv.reader(file.read_text(encoding="utf-8").splitlines()))
        assert [row for row in found.tables[f"table-{file.stem}"] if row] == rows[1:]
    (cells,) = [r for r in found.tables["table-statistics-2"] if r[:2] == ["p-resnet", "stem"]]
    jobs = [job for job in everything.jobs()
            if job.kind == "statistics" and job.network.name == "p-resnet"]  # fmt: skip
    measured = [
        json.loads((everything.runs / job.folder / "metrics.json").read_text())["rows"][0]["max F"]
        for job in jobs
    ]
    assert float(cells[2]) == pytest.approx(sum(measured) / len(measured))


@pytest.mark.slow
def test_shape_and_weights_are_told_apart(report):
    text = (report.parent / "tables" / "beyond-1.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    pairs = {(row["variant"], row["against"]) for row in rows}
    assert ("p-resnet: one weight, only shape", "p-resnet: one weight, nothing") in pairs
    # One unit shows nothing, whatever it measures.
    assert all("one pair" in row["sure"] or "in common" in row["sure"] for row in rows)
    assert any(row["gap"] for row in rows)


def test_a_half_done_study_reports_what_is_there(tmp_path):
    runner = StudyRunner("statistics", PLAN, tmp_path)
    list(runner.run_jobs(runner.unfinished_jobs()[:1]))
    text = runner.report().read_text(encoding="utf-8")
    assert f"Runs: 1 of {len(runner.jobs())}" in text


def test_a_study_without_runs_still_makes_a_page(tmp_path):
    for name in STUDIES:
        assert StudyRunner(name, PLAN, tmp_path).report().is_file()


def test_large_networks_come_last(tmp_path):
    jobs = StudyRunner("all", PLAN, tmp_path).jobs()
    large = [job.network.large for job in jobs]
    assert large == sorted(large) and any(large)
    assert len({job.key for job in jobs}) == len(jobs)


def test_units_bring_every_pair_before_any_comes_again():
    plan = Plan(painted_samples("contents"), painted_samples("styles"))
    pairs = [plan.unit(i)[:2] for i in range(6)]
    assert len(set(pairs)) == 6
    assert len({plan.unit(i) for i in range(12)}) == 12
    four = replace(plan, styles=(*plan.styles, Sample("another", "another")))
    assert len({four.unit(i)[:2] for i in range(8)}) == 8
    assert len({four.unit(i) for i in range(16)}) == 16 == four.different_units


def test_the_name_paper_runs_the_first_seven_studies():
    paper = [study.name for study in studies_named(PAPER)]
    assert "beyond" not in paper and set(paper) < set(study_names())
    titles = [study.title[0] for study in studies_named(PAPER) if study.title[0].isdigit()]
    assert titles == list("1234567")


def test_an_unknown_study_names_the_nearest():
    with pytest.raises(SettingsError, match="did you mean ablation"):
        studies_named("ablatoin")


def test_variants_of_shape_and_weights_differ_only_in_what_their_names_say():
    jobs = {job.variant: job for job in shape_study.jobs(PLAN)}
    plain, smooth, weights, shape = (
        jobs[f"p-resnet: one weight, {what}"]
        for what in ("nothing", "SWAG", "only weights", "only shape")
    )
    assert plain.weighed_by == shape.weighed_by != weights.weighed_by == smooth.weighed_by
    assert "smoothing" not in plain.settings and "smoothing" not in weights.settings
    assert shape.settings["smoothing"] == smooth.settings["smoothing"]


def test_a_table_is_written_with_all_digits_and_without_markup(tmp_path):
    study = Study("s", "A <study>", "Why?", lambda plan: [], lambda plan, runs: [])
    table = [{"name": "<b>", "value": 1 / 3}, {"name": "two, three", "value": None, "more": 1}]
    chapter = Chapter(study, [Section("T", "e", "f", "c", table, b"png")], 1, 0, 2)
    text = page("x", [chapter], {"fact": "a < b"})
    assert "<b>" not in text and "A &lt;study&gt;" in text and "a &lt; b" in text
    assert repr(1 / 3) in text and ">0.333<" in text
    rows = list(csv.DictReader(as_csv(table).splitlines()))
    assert rows[0]["value"] == repr(1 / 3) and rows[1]["name"] == "two, three"
    written = write_report(tmp_path, "x", [chapter], {})
    assert written == tmp_path / "x.html"
    assert {path.name for path in Path(tmp_path).rglob("*") if path.is_file()} == {
        "x.html", "x.md", "s-1.csv", "s-1.png",
    }  # fmt: skip
