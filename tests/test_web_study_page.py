"""The page of a study: in a browser from the code to the results, and what a server gives away."""

import csv
import io
import json
import re
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Page, expect
from web_browser import chromium, opened, until
from web_client import Client, serving

from swag.image import Picture, read, read_metadata, write
from swag.web.pairs import find_results
from swag.web.study import DAMAGED, AnswerStore, Trial
from swag.web.study_app import DISPLAY_SIZE, damaged, picture_on_display, study_app
from swag.web.study_results import results_csv, results_of

METHODS = ("=good", "fair", "poor")
KEY = "the-key"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for place, method in enumerate(METHODS):
        (tmp_path / method).mkdir()
        for unit in range(3):
            generator = torch.Generator().manual_seed(10 * place + unit)
            pixels = torch.rand(3, 8, 10, generator=generator).repeat_interleave(6, 1)
            path = tmp_path / method / f"{unit}.png"
            write(path, pixels.repeat_interleave(6, 2), metadata={"swag": method})
    return tmp_path


@pytest.fixture
def store(folder: Path) -> AnswerStore:
    return AnswerStore(folder / "answers.sqlite", find_results(folder), trials=6, catch_every=3)


@pytest.fixture
def port(folder: Path, store: AnswerStore):
    with serving(study_app(find_results(folder), store, KEY)) as port:
        yield port


@pytest.fixture
def page(port: int):
    with chromium() as browser, opened(browser, f"http://127.0.0.1:{port}") as page:
        yield page


LOADED = """
[...document.querySelectorAll('.pair img')].every((image) => image.complete && image.naturalWidth)
"""
"""An image has a size before all of it is there, and answers do not count until then."""


@pytest.mark.slow
def test_a_study_from_the_first_pair_to_the_last(page: Page, store: AnswerStore):
    page.click("#door .primary")
    expect(page.locator("#status")).to_have_text("0 of 8 answered")
    code = page.inner_text("#yours code")
    until(lambda: page.evaluate(LOADED))
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#status")).to_have_text("1 of 8 answered")
    until(lambda: page.evaluate(LOADED))
    page.dblclick("[data-choice=right]")
    until(lambda: not page.inner_text("#status").startswith("1 "))
    page.reload()
    expect(page.locator("#yours code")).to_have_text(code)
    while not page.is_visible("#end"):
        answer(page, store, code)
    assert store.progress(code).trial is None
    assert len(store._answers()) == 8
    with page.expect_navigation():
        page.click("#yours button")
    page.wait_for_selector("html[data-ready]")
    page.fill("#code", code.upper())
    page.click("#door .primary")
    expect(page.locator("#end")).to_be_visible()


@pytest.mark.slow
def test_a_code_stays_while_the_server_cannot_answer(page: Page):
    page.click("#door .primary")
    expect(page.locator("#yours code")).not_to_be_empty()
    code = page.inner_text("#yours code")
    page.route("**/api/enter", lambda route: route.fulfill(status=429, json={"error": "busy"}))
    page.reload()
    expect(page.locator("#notice span")).to_have_text("busy")
    page.unroute("**/api/enter")
    page.reload()
    expect(page.locator("#yours code")).to_have_text(code)


@pytest.mark.slow
def test_the_page_of_results_has_table_figure_and_csv(page: Page, store, tmp_path: Path):
    code = store.enter()
    while (trial := store.progress(code).trial) is not None:
        store.answer(code, trial.id, "right" if trial.left_method == DAMAGED else "left")
    page.goto(f"{page.url}results?key={KEY}")
    expect(page.locator("tbody tr")).to_have_count(3)
    expect(page.locator("#summary")).to_have_text(
        "6 answers of attentive participants; 2 of 2 catch trials were answered right."
    )
    until(lambda: page.evaluate("document.querySelector('.figure').naturalWidth > 0"))
    with page.expect_download() as started:
        page.click("#csv")
    started.value.save_as(tmp_path / "results.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "results.csv").read_text())))
    assert {row["method"] for row in rows} == {"'=good", "fair", "poor"}


def answer(page: Page, store: AnswerStore, code: str) -> None:
    """Prefer the whole picture where one is damaged, and the left one else."""
    until(lambda: page.evaluate(LOADED))
    before, trial = page.inner_text("#status"), store.progress(code).trial
    if trial is not None:
        page.click(f"[data-choice={'right' if trial.left_method == DAMAGED else 'left'}]")
        until(lambda: page.is_visible("#end") or page.inner_text("#status") != before)


def test_pictures_of_a_trial_say_nothing_of_what_made_them(port: int, store, tmp_path: Path):
    client = Client(port)
    state = client.json("POST", "/api/enter", {})
    assert set(state) == {"code", "done", "total", "trial"}
    for side in ("left", "right"):
        status, data = client.ask("GET", f"/api/trials/{state['trial']}/{side}")
        assert status == 200
        (tmp_path / "shown.png").write_bytes(data)
        assert read_metadata(tmp_path / "shown.png") == {}
        assert re.search(b"good|fair|poor|swag", data) is None
    assert client.ask("GET", f"/api/trials/{state['trial']}/middle")[0] == 404
    assert client.ask("GET", "/api/trials/x/left")[0] == 404


def test_a_damaged_picture_has_the_same_pixels_elsewhere(folder: Path):
    whole = read(folder / "fair" / "0.png", size=64)
    broken = damaged(whole, seed="x")
    assert isinstance(broken, Picture) and broken.size == whole.size
    assert not torch.equal(broken.pixels, whole.pixels)
    assert torch.equal(broken.pixels, damaged(whole, seed="x").pixels)
    assert (broken.pixels - whole.pixels).abs().mean() > 0.1


def test_a_catch_trial_shows_one_picture_whole_and_once_damaged(folder: Path):
    results = find_results(folder)
    trial = Trial("x", 0, "0", DAMAGED, "fair")
    shown = {
        name: read(picture_on_display(results, trial, name)).pixels for name in (DAMAGED, "fair")
    }
    whole = read(folder / "fair" / "0.png", size=DISPLAY_SIZE).pixels
    assert torch.allclose(shown["fair"], whole, atol=0.003)
    assert (shown[DAMAGED] - whole).abs().mean() > 0.1
    assert torch.allclose(shown[DAMAGED].mean(), whole.mean(), atol=0.003)


def test_only_the_key_opens_the_results(port: int):
    client = Client(port)
    for path in ("/results", "/api/results", "/api/results.csv", "/api/results.svg"):
        assert client.ask("GET", path)[0] == 403
        assert client.ask("GET", f"{path}?key=guess")[0] == 403
        assert client.ask("GET", f"{path}?key={KEY}")[0] == 200


@pytest.mark.parametrize(
    "wish",
    [
        {"code": "x", "trial": "x", "choice": "left"},
        {"code": "x", "trial": "x", "choice": "both"},
        {"code": 3},
        [1],
    ],
)
def test_answers_that_are_none_are_refused_in_one_line(port: int, wish):
    status, said = Client(port).ask("POST", "/api/answer", wish)
    assert status == 400 and "\n" not in json.loads(said)["error"]


def test_the_rows_of_the_results_hold_what_the_ranking_says(port: int, store: AnswerStore):
    client = Client(port)
    state = client.json("POST", "/api/enter", {})
    while state["trial"]:
        trial = store.trial(state["trial"])
        order = [*METHODS, DAMAGED]
        left = order.index(trial.left_method) < order.index(trial.right_method)
        wish = {"code": state["code"], "trial": trial.id, "choice": "left" if left else "right"}
        state = client.json("POST", "/api/answer", wish)
    found = results_of(store)
    assert [row["method"] for row in found["rows"]] == list(METHODS)
    assert (found["answers"], found["catches"], found["caught"]) == (6, 2, 2)
    best = found["rows"][0]
    assert best["share"] == 1 and best["share_low"] < 1 and best["strength_low"] < best["strength"]
    assert results_csv(found["rows"]).count("\n") == 4
    assert results_csv([]) == "method\n"
