"""Visits a running Space in a real headless Chromium, on a laptop or a phone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from looking import check_looks
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect, sync_playwright
from space_process import RunningSpace

ROOT = Path(__file__).parent.parent
SCREENSHOTS = Path(os.environ.get("ARTIFACTS", ROOT / "artifacts")) / "screenshots"

LAPTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "is_mobile": True,
    "has_touch": True,
    "device_scale_factor": 2,
}
# They keep Chromium from calling its makers and let it run as root in a container.
SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ANSWER_MS = 15_000
EXAMPLES = ".gallery-item, button.example, .tr-body"  # the page loads them last


@contextmanager
def chromium() -> Iterator[Browser]:
    """The Chromium of this machine."""
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("Chromium is missing; `make test` installs it")
    expect.set_options(timeout=ANSWER_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=SWITCHES)
        yield browser
        browser.close()


@contextmanager
def visit(browser: Browser, space: RunningSpace, device: dict[str, Any] = LAPTOP) -> Iterator[Page]:
    """The Space's page, opened; nothing but the Space can be reached.

    At the end, errors in the page's console fail the test.
    """
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        source = message.location["url"]
        if message.type == "error" and (not source or source.startswith(space.url)):
            complaints.append(message.text)

    context = browser.new_context(**device)
    context.set_default_timeout(ANSWER_MS)
    context.route(lambda url: not url.startswith(space.url), lambda route: route.abort())
    page = context.new_page()
    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        page.goto(space.url)
        expect(page.locator(EXAMPLES).first).to_be_visible()
        yield page
    finally:
        context.close()
    assert complaints == []


def screenshot(page: Page, name: str) -> None:
    """Keep a picture of the page for a person to look at."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


def toast(page: Page) -> Locator:
    """The message about an error, once it has faded in."""
    expect(page.locator(".toast-body")).to_have_css("opacity", "1")
    return page.get_by_test_id("toast-text")


def check_on_phone(browser: Browser, space: RunningSpace, name: str) -> None:
    """On a phone, the page and its heading are not wider than the screen, and all else is well."""
    with visit(browser, space, PHONE) as page:
        screenshot(page, f"{name}-phone")
        for element in ("html", "h1", "h1 + p"):
            too_wide = page.locator(element).evaluate("one => one.scrollWidth - one.clientWidth")
            assert too_wide <= 0, f"{element} is cut off or scrolls sideways"
        check_looks(page)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium for the tests of a file."""
    with chromium() as running:
        yield running
