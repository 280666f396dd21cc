"""Reads the words of documents, and marks them."""

import os
import threading
from functools import lru_cache
from typing import NamedTuple

import pytesseract
from PIL import Image, ImageChops

from images import open_image
from serving.errors import InputError

# several pages are read at once, each by one thread
os.environ["OMP_THREAD_LIMIT"] = "1"

KEPT_PAGES = 16  # those that were asked about last
KEPT_SECONDS = 3_600  # then all are forgotten
LANGUAGE = "eng"  # others need their package in packages.txt, such as tesseract-ocr-deu
LONGEST_SIDE = 3_508  # pixels of A4 at 300 dots per inch, which Tesseract reads best
MAX_SECONDS = 60  # to read one page
SHOWN_SIDE = 1_200  # pixels of the longer side of a marked page
MARKER = (255, 230, 90)  # red, green, blue


class Word(NamedTuple):
    """A word, its line, and where it stands: shares of the page's width and height."""

    text: str
    line: tuple[int, int, int]
    left: float
    top: float
    right: float
    bottom: float


class Page:
    """A page, whose words are read once, however many questions are asked about it.

    Attributes:
        shown: as large as a screen shows it.
        words: in reading order.
    """

    shown: Image.Image
    words: list[Word]

    def __init__(self) -> None:
        self._reading = threading.Lock()
        self._is_read = False

    def read(self, path: str | None, max_pixels: int) -> None:
        """Read the picture at `path`, unless that was done.

        Raises:
            InputError: it has no words, or cannot be read.
        """
        with self._reading:
            if not self._is_read:
                image = open_image(path, max_pixels)
                self.words = read_words(image)
                image.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
                self.shown = image
                self._is_read = True
                forget = threading.Timer(KEPT_SECONDS, known_page.cache_clear)
                forget.daemon = True
                forget.start()

    def marked(self, words: list[Word]) -> Image.Image:
        """A copy of the page with `words` marked line by line."""
        shown = self.shown.copy()
        lines: dict[tuple[int, int, int], list[Word]] = {}
        for word in words:
            lines.setdefault(word.line, []).append(word)
        for line in lines.values():
            box = (
                int(min(word.left for word in line) * shown.width) - 2,
                int(min(word.top for word in line) * shown.height) - 2,
                int(max(word.right for word in line) * shown.width) + 3,
                int(max(word.bottom for word in line) * shown.height) + 3,
            )
            part = shown.crop(box)
            marker = Image.new("RGB", part.size, MARKER)
            shown.paste(ImageChops.multiply(part, marker), box)
        return shown


def read_page(path: str | None, max_pixels: int) -> Page:
    """The page at `path`; Gradio keeps equal uploads at equal paths.

    Raises:
        InputError: there is none, it has no words, or it cannot be read.
    """
    page = known_page(path)
    page.read(path, max_pixels)
    return page


@lru_cache(KEPT_PAGES)
def known_page(path: str | None) -> Page:
    """The same page each time; its words may not be read yet."""
    return Page()


def read_words(page: Image.Image) -> list[Word]:
    """The words of a page in reading order.

    Raises:
        InputError: there are none, or it takes too long.
    """
    small = page.copy()
    small.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    try:
        found = pytesseract.image_to_data(
            small,
            lang=LANGUAGE,
            output_type=pytesseract.Output.DICT,
            timeout=MAX_SECONDS,
        )
    except RuntimeError as error:
        if "timeout" not in str(error):
            raise
        raise InputError(
            "This page takes too long to read. Try a part of it."
        ) from error
    columns = ("text", "block_num", "par_num", "line_num", "left", "top")
    rows = zip(*(found[name] for name in (*columns, "width", "height")))
    words = [
        Word(
            text,
            (block, paragraph, line),
            left / small.width,
            top / small.height,
            (left + width) / small.width,
            (top + height) / small.height,
        )
        for text, block, paragraph, line, left, top, width, height in rows
        if text.strip()
    ]
    if not words:
        raise InputError("No words were found. Try a sharper picture of the page.")
    return words
