"""A person with a browser who has texts read and translated."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from browser import check_on_phone, screenshot, toast, visit
from cases import SENTENCES, case
from playwright.sync_api import Browser, Locator, Page, expect
from served import visits
from space_process import RunningSpace

pytestmark = pytest.mark.browser


def answer(page: Page) -> Locator:
    """The one text that cannot be edited."""
    return page.get_by_role("textbox", disabled=True)


@visits("question-answering")
def test_an_answer_is_told_and_marked_in_its_text(
    model_type: str,
    browser: Browser,
    served: Callable[[str], RunningSpace],
    tiny_model: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    """Whether it is typed or an example; and a text without one is told."""
    one = case(model_type, tiny_model(model_type), tmp_path)
    answered = next(inputs for inputs in one.inputs(20) if one.expected(inputs))
    expected = one.expected(answered)
    space = served(model_type)
    with visit(browser, space) as page:
        screenshot(page, model_type)
        page.get_by_label("Question", exact=True).fill(answered[0])
        page.get_by_label("Text", exact=True).fill(answered[1])
        page.get_by_role("button", name="Answer").click()
        expect(answer(page)).to_have_value(expected)
        expect(page.locator(".token.highlighted")).to_contain_text(expected)
        screenshot(page, "question-answering-answer")
        rows = json.loads((space.folder / "examples" / "examples.json").read_text("utf-8"))
        page.get_by_text(rows[1][0]).click()
        expect(page.get_by_label("Question", exact=True)).to_have_value(rows[1][0])
        expect(answer(page)).not_to_have_value(expected)
        page.get_by_label("Question", exact=True).fill("")
        page.get_by_role("button", name="Answer").click()
        expect(toast(page)).to_have_text("Please type a question and a text first.")
    check_on_phone(browser, space, model_type)


@visits("translation")
def test_a_language_is_chosen_or_typed(
    model_type: str,
    browser: Browser,
    served: Callable[[str], RunningSpace],
    tiny_model: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    """By keyboard; and one that the model does not know is told."""
    one = case(model_type, tiny_model(model_type), tmp_path)
    space = served(model_type)
    with visit(browser, space) as page:
        screenshot(page, model_type)
        page.get_by_label("Text", exact=True).fill(SENTENCES[0])
        for typed, code in (("Germ", "de"), ("xh", "xh")):
            target = page.get_by_label("To", exact=True)
            target.fill(typed)
            target.press("Enter")
            page.get_by_role("button", name="Translate").click()
            expect(answer(page)).to_have_value(one.expected([SENTENCES[0], "en", code]))
        screenshot(page, "translation-answer")
        page.get_by_label("To", exact=True).fill("Klingon")
        page.get_by_label("To", exact=True).press("Enter")
        page.get_by_role("button", name="Translate").click()
        expect(toast(page)).to_contain_text("no language “Klingon”")
        screenshot(page, "translation-error")
    check_on_phone(browser, space, model_type)
