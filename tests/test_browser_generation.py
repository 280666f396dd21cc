"""A person with a browser: pictures that are redrawn, videos, tables, a function of one's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from browser import check_on_phone, screenshot, toast, visit
from playwright.sync_api import Browser, Page, expect
from served import SpaceOf, started_once
from space_process import RunningSpace

pytestmark = pytest.mark.browser

OWN_MODEL = ("tabular-classification", "tabular-regression", "custom")  # they bring it along
SPACES = ("image-to-image", "text-to-video", *OWN_MODEL)


@pytest.fixture(scope="module")
def served(space_of: SpaceOf) -> Iterator[Callable[[str], RunningSpace]]:
    """Starts a Space when it is first asked for; it runs until the file's end."""
    # the examples ask more of a model than this machine can give, but for the small own ones
    own = {"MODEL_ID": ""}
    drawing = {"DTYPE": "float32", "CACHE_EXAMPLES": "off"}
    with started_once(lambda name: space_of(name, own if name in OWN_MODEL else drawing)) as get:
        yield get


def choose(page: Page, label: str, value: int) -> None:
    """Set a slider by its number."""
    field = page.get_by_label(f"number input for {label}")
    field.fill(str(value))
    field.press("Tab")


def test_a_picture_is_redrawn(browser: Browser, served: Callable[[str], RunningSpace]) -> None:
    """A click on an example draws; what the model cannot do is told."""
    space = served("image-to-image")
    with visit(browser, space) as page:
        screenshot(page, "image-to-image")
        page.get_by_text("A tiger, oil painting").click()
        expect(page.get_by_label("Description of the new picture")).to_have_value(
            "A tiger, oil painting"
        )
        drawn = page.get_by_role("link", name="Download")
        expect(drawn).to_be_visible()
        screenshot(page, "image-to-image-answer")
        page.get_by_role("button", name="Options").click()
        page.get_by_label("What to avoid").fill("rain")
        page.get_by_role("button", name="Redraw").click()
        expect(toast(page)).to_have_text(
            "This model takes no negative prompt: please leave it empty."
        )
        screenshot(page, "image-to-image-error")


def test_a_video_is_made_and_plays(browser: Browser, served: Callable[[str], RunningSpace]) -> None:
    with visit(browser, served("text-to-video")) as page:
        screenshot(page, "text-to-video")
        page.get_by_label("Description").fill("Snow falls on a village")
        page.get_by_role("button", name="Options").click()
        values = {"Steps": 2, "Frames": 9, "Width": 160, "Height": 128}
        for label, value in values.items():
            choose(page, label, value)
        page.get_by_role("button", name="Make the video").click()
        video = page.locator("video")
        expect(video).to_be_visible()
        page.wait_for_function("() => document.querySelector('video').readyState >= 2")
        size = video.evaluate("one => [one.videoWidth, one.videoHeight, one.duration]")
        assert size == [160, 128, pytest.approx(9 / 16, abs=0.1)]
        screenshot(page, "text-to-video-answer")


def test_a_table_is_classified(browser: Browser, served: Callable[[str], RunningSpace]) -> None:
    """The rows that stand there at first, then an example."""
    with visit(browser, served("tabular-classification")) as page:
        screenshot(page, "tabular-classification")
        page.get_by_role("button", name="Classify").click()
        answer = page.locator(".table-wrap").last
        expect(answer.get_by_text("setosa").first).to_be_visible()
        screenshot(page, "tabular-classification-answer")


def test_a_table_gets_its_numbers(browser: Browser, served: Callable[[str], RunningSpace]) -> None:
    with visit(browser, served("tabular-regression")) as page:
        screenshot(page, "tabular-regression")
        page.get_by_role("button", name="Estimate").click()
        expect(page.locator(".table-wrap").last.get_by_text("estimate").first).to_be_visible()
        screenshot(page, "tabular-regression-answer")


def test_a_function_answers(browser: Browser, served: Callable[[str], RunningSpace]) -> None:
    with visit(browser, served("custom")) as page:
        page.get_by_label("Text", exact=True).fill("One two. Three?")
        page.get_by_role("button", name="Run").click()
        expect(page.get_by_label("Result")).to_have_value(
            "3 words in 2 sentences\n15 characters\nabout 1 minute to read"
        )
        screenshot(page, "custom-answer")


@pytest.mark.parametrize("name", SPACES)
def test_fits_on_a_phone(
    browser: Browser, served: Callable[[str], RunningSpace], name: str
) -> None:
    """Nothing is cut off and nothing scrolls sideways at 390 pixels."""
    check_on_phone(browser, served(name), name)
