"""A person with a browser asks about pictures and pages, shows a video, enlarges a picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from browser import check_on_phone, screenshot, toast, visit
from cases import case, pictures
from playwright.sync_api import Browser, Locator, Page, expect
from served import visits
from space_process import RunningSpace

pytestmark = pytest.mark.browser

SPACES = (
    "document-question-answering",
    "image-super-resolution",
    "visual-question-answering",
    "video-classification",
)


def block(page: Page, label: str) -> Locator:
    """The component with this label, whose picture has no name of its own."""
    return page.locator(".block:not(.hidden)").filter(has=page.get_by_text(label, exact=True)).last


@visits("document-question-answering")
def test_the_answer_is_marked_on_the_page(
    model_type: str, browser: Browser, served: Callable[[str], RunningSpace]
) -> None:
    """An example is answered, and so is another question; without one, a sentence says so."""
    with visit(browser, served(model_type)) as page:
        screenshot(page, model_type)
        page.get_by_text("When is it due?").click()
        answer = page.get_by_test_id("label-output-value")
        expect(answer).not_to_be_empty()
        marked = block(page, "Where it stands").locator("img")
        expect(marked).to_be_visible()
        screenshot(page, f"{model_type}-answer")
        shown = marked.get_attribute("src")
        page.get_by_label("Question", exact=True).fill("Who sent it to whom?")
        page.get_by_label("Question", exact=True).press("Enter")
        expect(marked).not_to_have_attribute("src", str(shown))
        page.get_by_label("Question", exact=True).fill("")
        page.get_by_role("button", name="Ask").click()
        expect(toast(page)).to_have_text("Please type a question first.")
    check_on_phone(browser, served(model_type), model_type)


@visits("image-super-resolution")
def test_a_picture_is_enlarged(
    model_type: str, browser: Browser, served: Callable[[str], RunningSpace], tmp_path: Path
) -> None:
    """Both pictures are shown, one over the other; the new one has twice as many rows."""
    (picture,) = pictures(1, tmp_path)
    with visit(browser, served(model_type)) as page:
        screenshot(page, model_type)
        page.locator("input[type=file]").first.set_input_files(picture)
        shown = block(page, "Before and after").locator("img")
        expect(shown).to_have_count(2)
        expect(shown.nth(1)).to_be_visible()
        heights = shown.evaluate_all("all => all.map(one => one.naturalHeight)")
        assert sorted(heights) == [24, 48]
        screenshot(page, f"{model_type}-answer")
    check_on_phone(browser, served(model_type), model_type)


@visits("visual-question-answering")
def test_a_question_about_a_picture(
    model_type: str,
    browser: Browser,
    served: Callable[[str], RunningSpace],
    tiny_model: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    """It is sent with the Enter key and answered as the model itself would."""
    one = case(model_type, tiny_model(model_type), tmp_path)
    (inputs,) = one.inputs(1)
    expected = one.expected(inputs)
    with visit(browser, served(model_type)) as page:
        page.locator("input[type=file]").first.set_input_files(inputs[0]["path"])
        page.get_by_label("Question", exact=True).fill(inputs[1])
        page.get_by_label("Question", exact=True).press("Enter")
        answer = page.get_by_test_id("label-output-value")
        expect(answer).to_have_text(max(expected, key=lambda label: expected[label]))
        screenshot(page, f"{model_type}-answer")
    check_on_phone(browser, served(model_type), model_type)


@visits("video-classification")
def test_a_video_is_shown_and_classified(
    model_type: str,
    browser: Browser,
    served: Callable[[str], RunningSpace],
    tiny_model: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    """An example plays, and a video from the disk is answered as the model itself would."""
    one = case(model_type, tiny_model(model_type), tmp_path)
    (inputs,) = one.inputs(1)
    expected = one.expected(inputs)
    with visit(browser, served(model_type)) as page:
        screenshot(page, model_type)
        page.locator("input[type=file]").first.set_input_files(inputs[0]["path"])
        answer = page.get_by_test_id("label-output-value")
        expect(answer).to_have_text(max(expected, key=lambda label: expected[label]))
        expect(page.locator("video").first).to_be_visible()
        screenshot(page, f"{model_type}-answer")
    check_on_phone(browser, served(model_type), model_type)
