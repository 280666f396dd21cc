"""A person with a browser who records, listens, and reads what was said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from browser import check_on_phone, screenshot, toast, visit
from cases import case
from playwright.sync_api import Browser, expect
from served import visits
from space_process import RunningSpace

pytestmark = pytest.mark.browser


@visits("automatic-speech-recognition")
def test_speech_recognition_with_its_options(
    model_type: str,
    browser: Browser,
    served: Callable[[str], RunningSpace],
    tiny_model: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    """A recording is uploaded, the options are opened and count; what is wrong is said."""
    one = case(model_type, tiny_model(model_type), tmp_path)
    plain, timed, _ = one.inputs(3)
    with visit(browser, served(model_type)) as page:
        screenshot(page, model_type)
        text = page.locator("label", has_text="Text").locator("textarea")
        page.locator("input[type=file]").first.set_input_files(plain[0]["path"])
        expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
        page.get_by_role("button", name="Transcribe").click()
        expect(text).to_have_value(one.expected(plain))
        page.locator("button.label-wrap").click()
        expect(page.get_by_label("Language")).to_have_value("Detected")
        screenshot(page, f"{model_type}-options")
        page.get_by_label("With times").check()
        page.get_by_role("button", name="Transcribe").click()
        expect(text).to_have_value(one.expected([plain[0], *timed[1:]]))
        language = page.get_by_label("Language")
        language.fill("Klingon")
        language.press("Enter")
        screenshot(page, f"{model_type}-answer")
        page.get_by_role("button", name="Transcribe").click()
        expect(toast(page)).to_contain_text("does not know this language")
    check_on_phone(browser, served(model_type), model_type)


@visits("text-to-speech")
def test_text_to_speech(
    model_type: str, browser: Browser, served: Callable[[str], RunningSpace]
) -> None:
    """A text is typed and can be played; an example is there at once."""
    with visit(browser, served(model_type)) as page:
        screenshot(page, model_type)
        page.get_by_label("Text", exact=True).fill("good morning")
        page.get_by_role("button", name="Speak").click()
        player = page.get_by_role("button", name="Play", exact=True)
        expect(player).to_be_visible()
        expect(page.locator("#duration")).not_to_have_text("0:00")
        screenshot(page, f"{model_type}-answer")
        player.click()
        page.get_by_text("The ferry leaves at seven").click()
        expect(player).to_be_visible()
    check_on_phone(browser, served(model_type), model_type)


@visits("audio-classification", "zero-shot-audio-classification")
def test_classification_of_sounds(
    browser: Browser, served: Callable[[str], RunningSpace], model_type: str
) -> None:
    """An example is played and classified."""
    with visit(browser, served(model_type)) as page:
        screenshot(page, model_type)
        page.locator(".gallery-item, button.example, .tr-body").first.click()
        expect(page.get_by_test_id("label-output-value")).not_to_be_empty()
        screenshot(page, f"{model_type}-answer")
    check_on_phone(browser, served(model_type), model_type)
