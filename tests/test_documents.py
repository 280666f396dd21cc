"""What the Spaces that read pictures and pages do beside their default models' way."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import tiny_documents
from inside import inside, printed
from test_batch_equals_single import INPUTS, compared
from tiny_parts import isolated_torch

# A page of a thousand words takes several windows; the pipeline of transformers reads it too.
LONG_PAGE = """
import json, random
import model
from documents import Page, Word
from PIL import Image
from transformers import pipeline

chance = random.Random(5)
texts = "cat rain song book red blue the a very good bread river stone 12 7.50".split()
words = []
for place in range(1000):
    line, (left, top) = (1, 1, place // 10), (place % 10 / 10, place // 10 / 100)
    words.append(Word(chance.choice(texts), line, left, top, left + 0.08, top + 0.008))
page = Page()
page.words, page.shown = words, Image.new("RGB", (600, 800), "white")
model.load()
reader = pipeline(
    "document-question-answering", model=model.model, tokenizer=model.tokenizer, dtype="float32"
)
boxes = [(word.text, [int(1000 * side) for side in word[2:]]) for word in words]
found = []
for question in ("What is red?", "How much is the bread?", "Where is the cat?"):
    item = model.Item(page, model.windows(question.split(), words))
    ((answers, marked),) = model.predict([item])
    (theirs,) = reader(
        page.shown, question, word_boxes=boxes, max_seq_len=512, doc_stride=model.STRIDE
    )
    ours = next(iter(answers.items()))
    found.append([len(item.windows), len(answers), ours, [theirs["answer"], theirs["score"]]])
print(json.dumps(found))
"""

# Two questions about one page.
SAME_PAGE = """
import json
import documents, model

model.load()
reads = []
read = documents.read_words
documents.read_words = lambda page: reads.append(page) or read(page)
page, same = (model.prepare("examples/letter.png", text).page for text in ("Who?", "When is it?"))
print(json.dumps([len(reads), page is same, " ".join(word.text for word in page.words)]))
"""


def in_space(space: Path, model: Path, code: str) -> Any:
    """What `code` prints as JSON, run where model.py lies."""
    variables = {"MODEL_ID": str(model), "DTYPE": "float32"}
    return inside(space, variables, partial(printed, code))


def test_the_answer_on_a_long_page(
    rendered: Callable[..., Path], tiny_model: Callable[[str], Path]
) -> None:
    """All windows are read, and the best answer is the one that the pipeline gives."""
    name = "document-question-answering"
    found = in_space(rendered(model_type=name), tiny_model(name), LONG_PAGE)
    for windows, answers, ours, theirs in found:
        assert windows > 2
        assert answers == 3
        assert ours[0] == theirs[0]
        assert ours[1] == pytest.approx(theirs[1], abs=1e-5)


def test_a_page_is_read_once(
    rendered: Callable[..., Path], tiny_model: Callable[[str], Path]
) -> None:
    name = "document-question-answering"
    reads, same, text = in_space(rendered(model_type=name), tiny_model(name), SAME_PAGE)
    assert (reads, same) == (1, True)
    assert "Dear Mr. Lindqvist," in text


@pytest.mark.parametrize(
    ("model_type", "build"),
    [
        ("visual-question-answering", tiny_documents.blip_answers),
        ("image-to-text", tiny_documents.trocr),
    ],
    ids=["BLIP answers", "TrOCR reads"],
)
def test_other_kinds_of_models_write_alone_what_they_write_together(
    model_type: str,
    build: Callable[[Path], None],
    rendered: Callable[..., Path],
    tmp_path: Path,
) -> None:
    model = tmp_path / "model"
    with isolated_torch():
        build(model)
    found = compared(rendered(model_type=model_type), model_type, model, tmp_path, INPUTS)
    assert found["largest_batch"] > 1
    assert found["difference"] == 0
    assert found["spread"] > 0
