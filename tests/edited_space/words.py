"""What is done to a text before the model sees it."""

import re
import unicodedata

from bs4 import BeautifulSoup

IN_FULL = {"n't": " not", "'re": " are", "imo": "in my opinion", "btw": "by the way"}


def plain(text: str) -> str:
    """The text without markup, with abbreviations in full and single spaces."""
    text = BeautifulSoup(text, "html.parser").get_text(" ")
    text = unicodedata.normalize("NFKC", text).replace("’", "'")
    for short, full in IN_FULL.items():
        text = re.sub(rf"(?<![A-Za-z]){short}\b", full, text, flags=re.IGNORECASE)
    return " ".join(text.split())
