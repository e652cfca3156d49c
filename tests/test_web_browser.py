"""The page in a real browser: from two pictures that are dropped to one that is downloaded."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from picture_files import saved
from playwright.sync_api import Page, Route, expect
from web_browser import chromium, drop, opened, until
from web_client import picture, serving

from swag import config
from swag.image import read_metadata
from swag.web.app import studio_app
from swag.web.limits import WebLimits

pytestmark = pytest.mark.slow

LONG = {"size": "96", "steps": "20000", "scales": "1"}
SHORT = {"size": "64", "steps": "8", "scales": "1"}


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def address():
    with serving(studio_app(WebLimits(steps=20_000, megabytes=1))) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def page(browser, address):
    with opened(browser, address) as page:
        yield page
        page.evaluate("fetch('/api/session', {method: 'DELETE'})")


def choose(page: Page, values: dict[str, str]) -> None:
    page.evaluate("document.querySelector('#more').open = true")
    for name, value in values.items():
        page.fill(f"#setting-{name}", value)


def drop_two(page: Page) -> None:
    drop(page, "body", ("photo.png", picture(1)), ("painting.jpg", picture(2, kind="JPEG")))
    expect(page.locator("#paintings li")).to_have_count(1)
    expect(page.locator("#paint")).to_be_enabled()


def frames(page: Page) -> int:
    return int(page.get_attribute("#easel", "data-frames") or 0)


def paint(page: Page, settings: dict[str, str]) -> None:
    choose(page, settings)
    page.click("#paint")


def slide(page: Page, selector: str, value: float) -> None:
    page.locator(selector).evaluate(
        """(input, value) => {
            input.value = value;
            for (const kind of ["input", "change"]) input.dispatchEvent(new Event(kind));
        }""",
        value,
    )


def test_two_pictures_are_dropped_and_one_is_downloaded(page: Page, tmp_path: Path):
    drop_two(page)
    slide(page, "#setting-strength", 0.75)
    paint(page, LONG)
    until(lambda: frames(page) >= 3)
    expect(page.locator("#status")).to_contain_text("Painting: step")
    expect(page.locator("#announcer")).to_contain_text("step")
    page.click("#stop")
    expect(page.locator("#status")).to_contain_text("Stopped: step")
    for label, ending in (("PNG", "png"), ("JPEG", "jpg"), ("WebP", "webp")):
        with page.expect_download() as started:
            page.click(f"#downloads a:text('{label}')")
        path = tmp_path / f"out.{ending}"
        started.value.save_as(path)
        assert started.value.suggested_filename.endswith(f".{ending}")
        settings = json.loads(read_metadata(path)["swag"])
        assert (settings["strength"], settings["size"]) == (0.75, 96)
    slide(page, "#setting-strength", 0.25)
    drop(page, "body", ("out.webp", path.read_bytes()))
    expect(page.locator("#notice")).to_contain_text("its settings are back")
    expect(page.locator("#setting-strength")).to_have_value("0.75")
    expect(page.locator("#paintings li")).to_have_count(1)
    told = page.evaluate("""async () => {
        const { Controls } = await import("/static/controls.js");
        return Controls.prototype.set.call({ inputs: new Map([["backbone",
            document.querySelector("#setting-backbone")]]) }, { backbone: "torchvision/vgg19" });
    }""")
    assert told == ["backbone"]
    page.click("#notice button:text('Use the picture, too')")
    expect(page.locator("#paintings li")).to_have_count(2)


def test_go_on_adds_steps_to_the_picture(page: Page):
    drop_two(page)
    paint(page, SHORT)
    expect(page.locator("#status")).to_contain_text("Done: step 8 of 8", timeout=20_000)
    choose(page, {"steps": "5"})
    page.click("#go-on")
    expect(page.locator("#status")).to_contain_text("Done: step 5 of 5", timeout=20_000)
    expect(page.locator("#history li")).to_have_count(2)
    page.click("#history li:last-child button")
    expect(page.locator("#status")).to_contain_text("Done: step 8 of 8")
    expect(page.locator("#setting-steps")).to_have_value("8")


def test_a_double_click_begins_one_run(page: Page):
    drop_two(page)
    choose(page, SHORT)
    for button, runs in (("#paint", 1), ("#go-on", 2)):
        page.dblclick(button)
        expect(page.locator("#history li")).to_have_count(runs)
        expect(page.locator("#history li:first-child")).to_contain_text("done", timeout=20_000)
        page.wait_for_timeout(500)
        expect(page.locator("#history li")).to_have_count(runs)


def test_a_picture_is_shown_again_after_a_look_at_a_run_without_one(page: Page):
    drop_two(page)
    paint(page, SHORT)
    expect(page.locator("#status")).to_contain_text("Done: step 8 of 8", timeout=20_000)
    expect(page.locator("#after")).to_have_attribute("src", re.compile("frame"))
    paint(page, {"size": "128", "steps": "1", "scales": "3"})
    expect(page.locator("#status")).to_contain_text("This did not work", timeout=20_000)
    expect(page.locator("#after")).to_have_attribute("src", re.compile("pictures"))
    page.click("#history li:last-child button")
    expect(page.locator("#after")).to_have_attribute("src", re.compile("frame"))


def test_a_run_without_steps_says_why_it_failed(page: Page):
    clear = saved(np.zeros((48, 48, 4), np.uint8), "PNG")
    drop(page, "body", ("photo.png", picture(1)), ("painting.png", clear))
    expect(page.locator("#paint")).to_be_enabled()
    page.select_option("#setting-method", "instant")
    page.click("#paint")
    expect(page.locator("#status")).to_contain_text("This did not work", timeout=20_000)


def test_a_changed_strength_goes_on_from_the_picture_as_it_is(page: Page):
    drop_two(page)
    paint(page, LONG)
    until(lambda: frames(page) >= 1)
    expect(page.locator("#status")).to_contain_text("Painting: step")
    slide(page, "#setting-strength", 1)
    expect(page.locator("#history li")).to_have_count(2)
    expect(page.locator("#history li:first-child")).to_contain_text("strength 1")
    expect(page.locator("#history li:last-child")).to_contain_text("stopped")
    expect(page.locator("#history li:first-child")).to_contain_text("running")
    page.click("#stop")
    expect(page.locator("#history li:first-child")).to_contain_text("stopped")


def test_a_page_that_is_loaded_again_shows_the_run_it_had(page: Page):
    drop_two(page)
    paint(page, LONG)
    until(lambda: frames(page) >= 1)
    page.reload()
    until(lambda: frames(page) >= 2)
    expect(page.locator("#status")).to_contain_text("Painting: step")
    expect(page.locator("#photo img")).to_be_visible()
    expect(page.locator("#paintings li")).to_have_count(1)
    expect(page.locator("#setting-size")).to_have_value("96")
    page.click("#stop")
    expect(page.locator("#status")).to_contain_text("Stopped")


def test_a_server_that_is_gone_is_told_on_the_page(browser):
    own = browser.new_context()
    page = own.new_page()
    with serving(studio_app(WebLimits())) as port:
        page.goto(f"http://127.0.0.1:{port}")
        page.wait_for_selector("html[data-ready]")
    expect(page.locator("#notice span")).to_contain_text("does not answer")
    own.close()


def test_two_sessions_do_not_see_each_other(page: Page, browser, address: str):
    drop_two(page)
    paint(page, SHORT)
    expect(page.locator("#status")).to_contain_text("Done", timeout=20_000)
    with opened(browser, address) as other:
        other.wait_for_timeout(500)
        expect(other.locator("#history-section")).to_be_hidden()
        expect(other.locator("#paint")).to_be_disabled()
        run = page.get_attribute("#history li", "data-run")
        assert other.evaluate(f"fetch('/api/runs/{run}/frame').then((a) => a.status)") == 404


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("empty.png", b"", "empty"),
        ("page.png", b"<script>alert(1)</script>", "picture"),
        ("<img src=x onerror=alert(1)>.png", bytes(1_100_000), "more than 1 megabytes"),
        ("half.png", picture(1)[:300], "300 bytes"),
        ("photo.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "picture"),
    ],
)
def test_what_is_no_picture_is_refused_and_the_page_goes_on(page: Page, name, data, words):
    drop(page, "#photo", (name, data))
    expect(page.locator("#notice span")).to_contain_text(words)
    assert page.locator("#notice img").count() == 0
    expect(page.locator("#photo img")).to_be_hidden()
    drop_two(page)


def test_a_file_that_is_no_picture_stops_no_other(page: Page):
    files = [("photo.png", picture(1)), ("page.png", b"<html>"), ("painting.png", picture(2))]
    drop(page, "body", *files)
    expect(page.locator("#paintings li")).to_have_count(1)
    expect(page.locator("#notice span")).to_contain_text("picture")


def test_nothing_is_painted_while_a_picture_is_sent(page: Page):
    drop_two(page)
    held: list[Route] = []
    page.route("**/api/pictures", lambda route: held.append(route))
    drop(page, "#photo", ("other.png", picture(3)))
    expect(page.locator("#paint")).to_be_disabled()
    page.wait_for_timeout(200)
    held[0].continue_()
    expect(page.locator("#paint")).to_be_enabled()


def test_a_mask_that_is_no_picture_is_told_on_the_page(page: Page):
    drop_two(page)
    page.click("#brush")
    expect(page.locator("#brush-dialog")).to_be_visible()
    page.set_input_files("#mask-file", {"name": "a.png", "mimeType": "image/png", "buffer": b"no"})
    expect(page.locator("#notice span")).to_contain_text("picture")
    expect(page.locator("#brush-dialog")).to_be_hidden()
    expect(page.locator("#mask-file")).to_have_value("")


def test_a_value_that_a_slider_cannot_show_is_named(page: Page):
    left = page.evaluate("""async () => {
        const { Controls } = await import("/static/controls.js");
        const inputs = new Map(["strength", "style_scale"].map((name) =>
            [name, document.querySelector(`#setting-${name}`)]));
        return [0.15, 0.33].map((strength) =>
            Controls.prototype.set.call({ inputs }, { strength, style_scale: 0.7 }));
    }""")
    assert left == [[], ["strength"]]


def test_a_value_out_of_its_range_is_shown_and_not_sent(page: Page):
    drop_two(page)
    paint(page, {"size": "8"})
    assert page.evaluate("document.activeElement.id") == "setting-size"
    expect(page.locator("#history-section")).to_be_hidden()


def test_a_mask_is_brushed_and_two_paintings_are_blended(page: Page):
    drop(page, "body", ("photo.png", picture(1)))
    page.click("#gallery button:nth-child(2)")
    page.click("#gallery button:nth-child(4)")
    expect(page.locator("#paintings input")).to_have_count(2)
    slide(page, "#paintings li:last-child input", 0.5)
    page.click("#brush")
    canvas = page.locator("#brush-dialog canvas")
    expect(canvas).to_be_visible()  # after the photo is loaded
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + box["height"] * 0.5, steps=5)
    page.mouse.up()
    page.click("#brush-done")
    expect(page.locator("#mask-state")).to_be_visible()
    asked = []
    page.on(
        "request", lambda one: one.url.endswith("/api/runs") and asked.append(one.post_data_json)
    )
    paint(page, SHORT)
    expect(page.locator("#status")).to_contain_text("Done", timeout=20_000)
    assert asked[0]["mask"]
    assert [one["weight"] for one in asked[0]["styles"]] == [1, 0.5]
    page.click("#mask-state button")
    expect(page.locator("#mask-state")).to_be_hidden()


def test_the_camera_takes_the_photo(page: Page):
    page.click("#camera")
    until(lambda: page.evaluate("document.querySelector('video').videoWidth") > 0)
    page.click("#camera-take")
    expect(page.locator("#photo img")).to_be_visible()
    assert page.evaluate("document.querySelector('video').srcObject") is None


def test_a_method_sets_what_belongs_to_it_and_no_more(page: Page):
    choose(page, {"seed": "7"})
    page.select_option("#setting-method", "strotss")
    expect(page.locator("#setting-method-what")).to_contain_text("optimal transport")
    expect(page.locator("#setting-style_loss")).to_have_value("remd")
    page.select_option("#setting-method", "gatys")
    expect(page.locator("#setting-style_loss")).to_have_value("gram")
    expect(page.locator("#setting-content_loss")).to_have_value("content")
    expect(page.locator("#setting-seed")).to_have_value("7")
    page.select_option("#setting-preset", "quick")
    expect(page.locator("#setting-size")).to_have_value("256")


@pytest.mark.parametrize("preset", ["default", "quick", "quality"])
def test_a_preset_and_a_method_are_what_they_are_elsewhere(page: Page, preset: str):
    page.select_option("#setting-preset", preset)
    for method in ("w2", "gatys", "swag", "nnst", "mrf", "instant", "w2"):
        page.select_option("#setting-method", method)
        expected = config.settings(preset, method).model_dump()
        for name in ("start", "steps", "scales", "size", "smoothing", "optimizer"):
            expect(page.locator(f"#setting-{name}")).to_have_value(str(expected[name]))


def test_the_slider_uncovers_the_photo_by_keys(page: Page):
    drop_two(page)
    paint(page, SHORT)
    expect(page.locator("#status")).to_contain_text("Done", timeout=20_000)
    page.focus("#cut")
    for _ in range(30):
        page.keyboard.press("ArrowRight")
    shown = page.evaluate("getComputedStyle(document.querySelector('#before')).clipPath")
    assert shown == "inset(0px 70% 0px 0px)"
    page.focus("input[value=slider]")
    page.keyboard.press("ArrowRight")
    boxes = [page.locator(f"#{name}").bounding_box() for name in ("before", "after")]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]


NAMELESS = """() => [...document.querySelectorAll("input, select, button, a, progress")]
    .filter((node) => node.checkVisibility() && !(node.labels?.length || node.ariaLabel
        || node.textContent.trim() || node.title || node.querySelector("img[alt]:not([alt=''])")))
    .map((node) => node.outerHTML)"""


def test_every_control_has_a_name_and_is_reached_by_tab(page: Page):
    drop_two(page)
    page.evaluate("document.querySelector('#more').open = true")
    assert page.evaluate(NAMELESS) == []
    page.evaluate("document.activeElement.blur()")
    order = []
    for _ in range(30):
        page.keyboard.press("Tab")
        order.append(page.evaluate("document.activeElement.id"))
    met = [
        name
        for name in order
        if name in ("photo-file", "painting-file", "paint", "setting-strength")
    ]
    assert met == ["photo-file", "painting-file", "paint", "setting-strength"]


CONTRAST = """() => {
    const light = (color) => {
        const parts = color.match(/[0-9a-f]{2}/gi).map((two) => parseInt(two, 16) / 255)
            .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
    };
    const style = getComputedStyle(document.documentElement);
    const of = (name) => light(style.getPropertyValue(`--${name}`).trim());
    const pairs = [["ink", "card"], ["ink", "ground"], ["soft", "card"], ["soft", "ground"],
        ["ink", "wash"], ["on-accent", "accent"], ["warn", "warn-ground"]];
    return pairs.map(([a, b]) => [of(a), of(b)].sort((x, y) => y - x))
        .map(([high, low]) => (high + 0.05) / (low + 0.05));
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_their_ground(page: Page, scheme: str):
    page.emulate_media(color_scheme=scheme)
    assert min(page.evaluate(CONTRAST)) >= 4.5
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(244, 245, 248)", "dark": "rgb(18, 21, 28)"}[scheme]


@pytest.mark.parametrize("width", [320, 768])
def test_a_narrow_screen_needs_no_sideways_scrolling(page: Page, width: int):
    page.set_viewport_size({"width": width, "height": 700})
    drop_two(page)
    paint(page, SHORT)
    expect(page.locator("#status")).to_contain_text("Done", timeout=20_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
