"""A real browser for tests: Chromium, wherever it is installed."""

import base64
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--no-sandbox",  # containers have no user namespaces
    "--disable-dev-shm-usage",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser; without one tests are skipped, and fail where the variable CI is set."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say("no Chromium is installed; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, address: str, **context: object) -> Iterator[Page]:
    """A page of a session of its own; it must ask nobody else, and complain of nothing."""
    own = browser.new_context(**context)
    page = own.new_page()
    wrong: list[str] = []
    page.on(
        "request", lambda asked: asked.url.startswith((address, "blob:")) or wrong.append(asked.url)
    )
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: said.type == "error" and wrong.append(said.text))
    page.goto(address)
    page.wait_for_selector("html[data-ready]")
    yield page
    own.close()
    # What the server refuses is told by the page, and by the browser's console as well.
    assert [one for one in wrong if "status of 4" not in one] == []


def drop(page: Page, selector: str, *files: tuple[str, bytes]) -> None:
    """Drop files on a part of the page, as from a file manager."""
    page.evaluate(
        """([selector, files]) => {
            const dataTransfer = new DataTransfer();
            for (const [name, text] of files) {
                const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
                dataTransfer.items.add(new File([bytes], name));
            }
            const event = new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true });
            document.querySelector(selector).dispatchEvent(event);
        }""",
        [selector, [[name, base64.b64encode(data).decode()] for name, data in files]],
    )


def until(true: Callable[[], object], seconds: float = 30) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)
