"""A person with a browser: what they see, click and type, and what goes wrong in plain words."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser import check_on_phone, screenshot, toast, visit
from cases import SENTENCES, case, pictures
from looking import check_looks, dark, tab_through
from playwright.sync_api import Browser, Locator, Page, expect
from scripted import until
from served import SpaceOf, started_once
from space_process import RunningSpace

pytestmark = pytest.mark.browser

TAG = '<img src=x onerror="window.pwned=1">'
HOSTILE = {
    "title": f"# **bold** </script>{TAG} \\ \\n 'q' {{{{ 7*7 }}}} ${{7*7}} _h_",
    "short_description": f"{TAG} {{{{ 7*7 }}}} \\n **d**",
}
SPACES = {
    "text-generation": {},
    "image-classification": HOSTILE,
}
# A person's own check, whose message quotes the visitor.
QUOTING_CHECK = '''

from serving.errors import InputError

own_check = prepare


def prepare(text: str) -> dict[str, list[int]]:
    """Refuse tags."""
    if "<" in text:
        raise InputError(f"No tags: {text}")
    return own_check(text)
'''
# What the last answer of a conversation looked like, each time the page changed.
WATCH_ANSWER = """() => {
    window.answers = [];
    new MutationObserver(() => {
        const answer = [...document.querySelectorAll('[data-testid=bot]')].at(-1);
        if (answer) window.answers.push(answer.innerText.trim());
    }).observe(document.body, {subtree: true, childList: true, characterData: true});
}"""


@pytest.fixture(scope="module")
def served(space_of: SpaceOf) -> Iterator[Callable[[str], RunningSpace]]:
    """Starts one of `SPACES` when it is first asked for; it runs until the file's end."""
    with started_once(lambda name: space_of(name, **SPACES[name])) as get:
        yield get


def kept_answer(space: RunningSpace, number: int) -> Path:
    """The file with the kept answer to an example, once it is there."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for path in space.folder.glob(f"examples_cache/*/{number}.json"):
            return path
        time.sleep(0.05)
    raise AssertionError(f"example {number} has no kept answer:\n{space.log[-4000:]}")


def classify(page: Page, text: str) -> None:
    """Type a text and press the button."""
    page.get_by_label("Text", exact=True).fill(text)
    page.get_by_role("button", name="Classify").click()


def message_box(page: Page) -> Locator:
    """Where a visitor of a chat types."""
    return page.locator("textarea[autofocus]")


def send(page: Page, message: str) -> None:
    """Say something in a chat."""
    expect(message_box(page)).to_be_enabled()
    message_box(page).fill(message)
    message_box(page).press("Enter")


def turn(page: Page, label: str, value: int) -> None:
    """Change a setting of a chat; settings may be folded away."""
    field = page.get_by_label(f"number input for {label}")
    expect(page.locator("button.label-wrap")).to_be_visible()
    if not field.is_visible():
        page.locator("button.label-wrap").click()
    slider = page.get_by_label(f"range slider for {label}")
    expect(slider).to_be_visible()

    def turned() -> bool:
        field.fill(str(value))  # the page forgets it while it is still being set up
        field.press("Tab")
        return slider.input_value() == str(value)

    until(turned, f"{label} is {value}")


def test_text_classification(
    browser: Browser,
    space_of: Callable[..., RunningSpace],
    tiny_model: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    """Examples show their kept answer, uncomputed; own text is answered; errors are explained."""
    model = tiny_model("text-classification")
    expected = case("text-classification", model, tmp_path).expected([SENTENCES[1]])
    best = max(expected, key=lambda label: expected[label])
    space = space_of("text-classification")
    examples = json.loads((space.folder / "examples" / "examples.json").read_text("utf-8"))
    with (space.folder / "model.py").open("a", encoding="utf-8") as code:
        code.write(QUOTING_CHECK)
    with space:
        for number in range(len(examples)):
            kept_answer(space, number)
        mine = {"dict": [[{"value": "kept for you"}, {"value": 0.75}]]}
        kept_answer(space, 1).write_text(json.dumps(mine), encoding="utf-8")
        with visit(browser, space) as page:
            assert page.locator("h1").inner_text() == page.title() == "Text classification"
            screenshot(page, "text-classification")
            page.get_by_text(examples[1][0]).click()
            answer = page.get_by_test_id("label-output-value")
            expect(answer).to_have_text("kept for you")
            expect(page.get_by_label("Text", exact=True)).to_have_value(examples[1][0])
            classify(page, SENTENCES[1])
            expect(answer).to_have_text(best)
            screenshot(page, "text-classification-answer")
            check_looks(page)
            assert tab_through(page) == []
            dark(page, True)
            check_looks(page)
        refuse(browser, space, "", "Please type a text first.")
        refuse(browser, space, TAG, f"No tags: {TAG}")
        check_on_phone(browser, space, "text-classification")
        space.stop()
        summary = space.summary()
        assert summary.batches == len(examples) + 1  # in advance, and the one that was typed
        assert (summary.requests, summary.counts["invalid"]) == (4, 2)


def refuse(browser: Browser, space: RunningSpace, text: str, complaint: str) -> None:
    """A text that gets `complaint`, which is shown as it is and never run."""
    with visit(browser, space) as page:
        classify(page, text)
        expect(toast(page)).to_have_text(complaint)
        screenshot(page, f"text-classification-error-{len(text)}")
        check_looks(page)
        expect(page.locator("img[src=x]")).to_have_count(0)
        assert page.evaluate("window.pwned") is None


def test_hostile_title_and_description_are_text(
    browser: Browser, served: Callable[[str], RunningSpace]
) -> None:
    """Whatever the card says is shown as it was typed, and never run."""
    space = served("image-classification")
    with urllib.request.urlopen(f"{space.url}/config") as answer:
        assert json.load(answer)["title"] == HOSTILE["title"]
    with visit(browser, space) as page:
        assert page.locator("h1").inner_text() == HOSTILE["title"]
        assert page.locator("h1 + p").inner_text() == HOSTILE["short_description"]
        assert page.title() == HOSTILE["title"]
        expect(page.locator("img[src=x]")).to_have_count(0)
        assert page.evaluate("window.pwned") is None


def test_chat_streams_the_models_answer(
    browser: Browser,
    served: Callable[[str], RunningSpace],
    tiny_model: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    """The answer grows before the visitor's eyes into what the model itself says."""
    one = case("text-generation", tiny_model("text-generation"), tmp_path)
    expected = one.expected([SENTENCES[0], "You are a helpful assistant.", 128, 0])
    with visit(browser, served("text-generation")) as page:
        screenshot(page, "text-generation")
        turn(page, "Longest answer (tokens)", 128)
        turn(page, "Temperature", 0)
        page.evaluate(WATCH_ANSWER)
        send(page, SENTENCES[0])
        answer = page.get_by_test_id("bot")
        expect(answer).to_have_text(expected.strip())
        expect(message_box(page)).to_be_enabled()
        screenshot(page, "text-generation-answer")
        check_looks(page)
        assert tab_through(page) == []
        seen = page.evaluate("window.answers")
    partial = {text for text in seen if text and text != expected.strip()}
    assert len(partial) >= 2, seen
    assert all(expected.strip().startswith(text) for text in partial), partial


def test_chat_can_be_stopped(browser: Browser, served: Callable[[str], RunningSpace]) -> None:
    """The stop button ends the answer where it is, and the visitor may go on."""
    with visit(browser, served("text-generation")) as page:
        turn(page, "Longest answer (tokens)", 512)
        turn(page, "Temperature", 0)
        send(page, SENTENCES[3])
        expect(page.get_by_test_id("bot")).not_to_be_empty()
        page.locator(".stop-button").click()
        expect(page.locator(".submit-button")).to_be_visible()
        screenshot(page, "text-generation-stopped")
        words = page.get_by_test_id("bot").inner_text().split()
        assert 0 < len(words) < 500, "the answer was not cut short"
        turn(page, "Longest answer (tokens)", 16)
        send(page, SENTENCES[4])
        expect(page.get_by_test_id("bot")).to_have_count(2)
        expect(page.get_by_test_id("bot").last).not_to_be_empty()
        expect(page.locator(".submit-button")).to_be_visible()
        assert page.get_by_test_id("bot").first.inner_text().split() == words


def test_chat_goes_on_after_an_error(
    browser: Browser, served: Callable[[str], RunningSpace]
) -> None:
    """An empty message is explained, and the next one is answered."""
    with visit(browser, served("text-generation")) as page:
        send(page, " ")
        expect(toast(page)).to_have_text("Please type a message first.")
        screenshot(page, "text-generation-error")
        send(page, SENTENCES[0])
        expect(page.get_by_test_id("bot")).not_to_be_empty()
        expect(page.locator(".submit-button")).to_be_visible()
        expect(page.get_by_test_id("user")).to_have_text(SENTENCES[0])


def test_chat_opens_with_its_settings_folded_away(
    browser: Browser, served: Callable[[str], RunningSpace]
) -> None:
    """A visitor sees what this is and can type, with no settings in between."""
    with visit(browser, served("text-generation")) as page:
        expect(page.locator("button.label-wrap")).to_be_visible()
        for label in ("Longest answer (tokens)", "Temperature"):
            expect(page.get_by_label(f"number input for {label}")).to_be_hidden()
        for element in (page.locator("h1"), message_box(page)):
            expect(element).to_be_in_viewport(ratio=1)


def test_image_classification(
    browser: Browser,
    served: Callable[[str], RunningSpace],
    tiny_model: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    """A picture that is chosen from the disk is answered, as the model itself would."""
    one = case("image-classification", tiny_model("image-classification"), tmp_path)
    picture = pictures(1, tmp_path)[0]
    expected = one.expected([{"path": picture}])
    with visit(browser, served("image-classification")) as page:
        screenshot(page, "image-classification")
        page.locator("input[type=file]").first.set_input_files(picture)
        best = max(expected, key=lambda label: expected[label])
        expect(page.get_by_test_id("label-output-value")).to_have_text(best)
        screenshot(page, "image-classification-answer")


def test_broken_picture_is_explained(
    browser: Browser, served: Callable[[str], RunningSpace], tmp_path: Path
) -> None:
    """A file that is no picture gets a sentence, and nothing of the server's disk."""
    space = served("image-classification")
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n but no picture")
    with visit(browser, space) as page:
        page.locator("input[type=file]").first.set_input_files(broken)
        expect(toast(page)).to_contain_text("cannot be read")
        screenshot(page, "image-classification-error")
        text = page.locator("body").inner_text()
        assert "/tmp" not in text
        assert str(space.folder.parent) not in text


@pytest.mark.parametrize("name", SPACES)
def test_fits_on_a_phone(
    browser: Browser, served: Callable[[str], RunningSpace], name: str
) -> None:
    """Nothing is cut off and nothing scrolls sideways at 390 pixels."""
    check_on_phone(browser, served(name), name)
