"""A person with a browser and a picture: segments, masks, boxes and depth are shown over it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from browser import check_on_phone, screenshot, toast, visit
from cases import case, pictures
from looking import check_looks, tab_through
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from served import visits
from space_process import RunningSpace

pytestmark = pytest.mark.browser

EXAMPLE = Path(__file__).parent.parent / "template" / "{% if 'images' in files %}.{% endif %}"
EXAMPLE = EXAMPLE / "examples" / "coffee.jpg"
LEGEND = ".legend-item"
MASK = "img.mask"


def upload(page: Page, picture: Path | str) -> None:
    """Choose a picture from the disk."""
    page.locator("input[type=file]").first.set_input_files(picture)


def covers(page: Page) -> None:
    """All drawings lie exactly over the picture."""
    picture = page.locator("img.base-image").bounding_box()
    for number in range(page.locator(MASK).count()):
        drawing = page.locator(MASK).nth(number).bounding_box()
        assert picture
        assert drawing
        assert all(abs(picture[side] - drawing[side]) <= 2 for side in picture)


@visits("image-segmentation")
def test_segments_are_shown_over_the_picture(
    model_type: str,
    browser: Browser,
    served: Callable[[str], RunningSpace],
    tiny_model: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    """A legend names them, as the model does; one that is pointed at is shown alone."""
    one = case(model_type, tiny_model(model_type), tmp_path)
    expected = one.expected([{"path": EXAMPLE}])
    with visit(browser, served(model_type)) as page:
        screenshot(page, model_type)
        upload(page, EXAMPLE)
        expect(page.locator(LEGEND)).to_have_count(len(expected))
        names = page.locator(LEGEND).all_inner_texts()
        assert sorted(names) == sorted(expected)
        sizes = [expected[name].sum() for name in names]
        assert sizes == sorted(sizes, reverse=True)
        expect(page.locator(MASK)).to_have_count(len(expected))
        covers(page)
        screenshot(page, "image-segmentation-answer")
        page.locator(LEGEND).first.hover()
        expect(page.locator(f"{MASK}.active")).to_have_count(1)


@visits("mask-generation")
def test_a_click_on_the_picture_gives_a_mask(
    model_type: str, browser: Browser, served: Callable[[str], RunningSpace]
) -> None:
    """Each click adds a point, in pixels of the picture, and asks anew."""
    with visit(browser, served(model_type)) as page:
        upload(page, EXAMPLE)
        picture = page.get_by_test_id("image").locator("img").first
        points = page.get_by_label("Points")
        for number, share in enumerate((0.25, 0.5), start=1):
            box = picture.bounding_box()
            assert box
            click = {"x": box["width"] * share, "y": box["height"] * share}
            picture.click(position=click)  # type: ignore[arg-type]
            expect(points).to_have_value(re.compile(rf"^(\d+, \d+(; )?){{{number}}}$"))
            expect(page.locator(LEGEND)).to_have_count(1)
            covers(page)
        clicked = [int(part) for part in re.findall(r"\d+", points.input_value())]
        assert clicked == pytest.approx([150, 100, 300, 200], abs=2)
        screenshot(page, "mask-generation-answer")
        check_looks(page)
        assert tab_through(page) == []
        page.get_by_role("button", name="Clear points").click()
        expect(points).to_have_value("")
        page.get_by_role("button", name="Segment").click()
        expect(toast(page)).to_contain_text("Please click on a thing in the picture first.")
        points.fill("700, 3")
        points.press("Enter")
        expect(page.get_by_text("600 pixels wide and 400 high")).to_be_visible()


@visits("zero-shot-object-detection")
def test_boxes_fit_a_photo_that_lies_on_its_side(
    model_type: str, browser: Browser, served: Callable[[str], RunningSpace], tmp_path: Path
) -> None:
    """As phones store them: the file says that it is to be turned."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    photo = tmp_path / "photo.jpg"
    with Image.open(EXAMPLE) as picture:
        picture.save(photo, exif=exif)
    with visit(browser, served(model_type)) as page:
        screenshot(page, model_type)
        upload(page, photo)
        page.get_by_label("What to look for").fill("a cup, a spoon")
        page.get_by_role("button", name="Find").click()
        expect(page.locator(MASK).first).to_be_visible()
        covers(page)
        url = page.locator(MASK).first.get_attribute("src")
        assert url
        drawing = Image.open(io.BytesIO(page.request.get(url).body()))
        assert drawing.size == (400, 600)
        screenshot(page, "zero-shot-object-detection-answer")


@visits("depth-estimation")
def test_depth_lies_beside_the_picture(
    model_type: str, browser: Browser, served: Callable[[str], RunningSpace]
) -> None:
    """In a slider, both in the same place."""
    with visit(browser, served(model_type)) as page:
        upload(page, EXAMPLE)
        both = page.get_by_test_id("imageslider-image")
        expect(both).to_have_count(2)
        assert both.first.bounding_box() == both.last.bounding_box()
        screenshot(page, "depth-estimation-answer")


@visits("zero-shot-image-classification")
def test_zero_shot_scores_are_shown(
    model_type: str, browser: Browser, served: Callable[[str], RunningSpace], tmp_path: Path
) -> None:
    """Of the labels that were typed."""
    with visit(browser, served(model_type)) as page:
        upload(page, pictures(1, tmp_path)[0])
        page.get_by_label("Labels").fill("cat, dog")
        page.get_by_label("Labels").press("Enter")
        expect(page.get_by_test_id("label-output-value")).to_have_text("cat")
        screenshot(page, "zero-shot-image-classification-answer")


@visits("image-feature-extraction")
def test_an_embedding_is_shown(
    model_type: str, browser: Browser, served: Callable[[str], RunningSpace], tmp_path: Path
) -> None:
    """As numbers."""
    with visit(browser, served(model_type)) as page:
        upload(page, pictures(1, tmp_path)[0])
        expect(page.locator(".json-node").first).to_be_visible()
        screenshot(page, "image-feature-extraction-answer")


@visits("image-segmentation", "mask-generation", "depth-estimation")
def test_fits_on_a_phone(
    browser: Browser, served: Callable[[str], RunningSpace], model_type: str
) -> None:
    """Nothing is cut off and nothing scrolls sideways at 390 pixels."""
    check_on_phone(browser, served(model_type), model_type)
