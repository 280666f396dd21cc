"""A person with a browser shows pictures to a model and talks about them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser import check_on_phone, screenshot, toast, visit
from cases import SENTENCES, Case, case, pictures
from playwright.sync_api import Browser, Locator, Page, expect
from served import SpaceOf
from space_process import RunningSpace
from test_browser import WATCH_ANSWER, turn

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def served(
    space_of: SpaceOf, tiny_model: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RunningSpace, Case]]:
    name = "image-text-to-text"
    with space_of(name) as running:
        yield running, case(name, tiny_model(name), tmp_path_factory.mktemp("inputs"))


def box(page: Page) -> Locator:
    """Where a visitor types."""
    return page.get_by_test_id("textbox").first


def send(page: Page, message: str, *files: str) -> None:
    """Say something about pictures."""
    expect(box(page)).to_be_enabled()
    if files:
        page.locator("input[type=file]").first.set_input_files(list(files))
        expect(page.locator(".thumbnail-item img")).to_have_count(len(files))
    box(page).fill(message)
    box(page).press("Enter")


def test_a_picture_is_talked_about(
    browser: Browser, served: tuple[RunningSpace, Case], tmp_path: Path
) -> None:
    """The answer grows into what the model itself says, and the next one knows the picture."""
    space, one = served
    paths = pictures(3, tmp_path)
    with visit(browser, space) as page:
        screenshot(page, "image-text-to-text")
        turn(page, "Longest answer (tokens)", 128)
        page.evaluate(WATCH_ANSWER)
        send(page, SENTENCES[0], *paths[1:])
        message = {"text": SENTENCES[0], "files": [{"path": path} for path in paths[1:]]}
        expected = one.expected([message, "", 128]).strip()
        expect(page.get_by_test_id("bot")).to_have_text(expected)
        expect(page.get_by_test_id("user").locator("img")).to_have_count(2)
        screenshot(page, "image-text-to-text-answer")
        seen = page.evaluate("window.answers")
        turn(page, "Longest answer (tokens)", 32)
        send(page, SENTENCES[0])
        expect(page.get_by_test_id("bot")).to_have_count(2)
        expect(page.locator(".submit-button")).to_be_visible()
        again = page.get_by_test_id("bot").last.inner_text().strip()
    partial = {text for text in seen if text and text != expected}
    assert len(partial) >= 2, seen
    assert all(expected.startswith(text) for text in partial), partial
    alone = one.expected([{"text": SENTENCES[0], "files": []}, "", 32]).strip()
    assert again not in (alone, expected)


def test_an_example_shows_its_pictures_and_its_answer(
    browser: Browser, served: tuple[RunningSpace, Case]
) -> None:
    space, _ = served
    with visit(browser, space) as page:
        page.locator("button.example").first.click()
        expect(page.get_by_test_id("bot")).not_to_be_empty()
        expect(page.get_by_test_id("user").locator("img").first).to_be_visible()
        expect(page.locator(".submit-button")).to_be_visible()
        screenshot(page, "image-text-to-text-example")


def test_it_can_be_stopped_and_goes_on_after_errors(
    browser: Browser, served: tuple[RunningSpace, Case], tmp_path: Path
) -> None:
    """What was said stays; an error is explained and gives the message and its picture back."""
    space, _ = served
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n but no picture")
    with visit(browser, space) as page:
        turn(page, "Longest answer (tokens)", 1024)
        send(page, SENTENCES[3], pictures(1, tmp_path)[0])
        expect(page.get_by_test_id("bot")).not_to_be_empty()
        page.locator(".stop-button").click()
        expect(page.locator(".submit-button")).to_be_visible()
        words = page.get_by_test_id("bot").inner_text().split()
        assert 0 < len(words) < 1000, "the answer was not cut short"
        turn(page, "Longest answer (tokens)", 16)
        send(page, "What is this?", str(broken))
        expect(toast(page)).to_contain_text("cannot be read")
        screenshot(page, "image-text-to-text-error")
        expect(box(page)).to_have_value("What is this?")
        expect(page.locator(".thumbnail-item")).to_have_count(1)
        assert page.get_by_test_id("bot").inner_text().split() == words
        page.locator(".thumbnail-item").hover()
        page.get_by_label("Remove file").click()
        expect(page.locator(".thumbnail-item")).to_have_count(0)
        send(page, SENTENCES[4])
        expect(page.get_by_test_id("bot")).to_have_count(2)
        expect(page.get_by_test_id("bot").last).not_to_be_empty()


def test_fits_on_a_phone(browser: Browser, served: tuple[RunningSpace, Case]) -> None:
    """Nothing is cut off and nothing scrolls sideways at 390 pixels."""
    check_on_phone(browser, served[0], "image-text-to-text")
