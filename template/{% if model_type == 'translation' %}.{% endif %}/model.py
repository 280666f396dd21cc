"""The model: texts in, translations out. Put your own code here.

Each sentence is translated on its own, as these models were trained to do: of several at
once they tend to leave some out.
"""

import re
import textwrap
from typing import Any, NamedTuple

import torch

from serving.errors import InputError
from serving.runtime import runtime
from texts import checked
from writer import CHARACTERS, Writer, check_length

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept
MAX_SENTENCE = 200  # tokens
MAX_NEW_TOKENS = 300  # of the translation of one sentence
# What stands between sentences: ends of lines, and spaces behind a full stop if that
# follows a word of some length, which is hardly an abbreviation.
BETWEEN = re.compile(r"(\s*\n\s*|(?<=\w{4}[.!?…])\s+|(?<=[。！？])\s*)")

writer: Writer
languages: dict[str, "Language"]  # by code; none where the model is of one pair


class Language(NamedTuple):
    """How a model of many languages is told which one it is.

    Attributes:
        before, after: tokens around a text that it reads.
        token: with which a text that it writes begins.
    """

    before: list[int]
    after: list[int]
    token: int


class Item(NamedTuple):
    """One request.

    Attributes:
        parts: sentences, and what stands between them, in turn.
        places: which parts are to be translated.
        tokens: of each of these.
        first: the token that each translation begins with; None where the model knows it.
    """

    parts: list[str]
    places: list[int]
    tokens: list[list[int]]
    first: int | None


def load() -> None:
    """Load the weights, once, before the first request."""
    global writer, languages
    writer = Writer("translation", MAX_NEW_TOKENS)
    languages = read_languages(writer.tokenizer)


def read_languages(tokenizer: Any) -> dict[str, Language]:
    """The languages between which the model can be told to translate."""
    if not hasattr(tokenizer, "set_src_lang_special_tokens"):
        return {}
    tokens = getattr(tokenizer, "lang_code_to_id", None) or {
        code: tokenizer.convert_tokens_to_ids(code)
        for code in tokenizer.extra_special_tokens
    }
    found = {}
    for code, token in tokens.items():
        tokenizer.set_src_lang_special_tokens(code)
        before, after = [*tokenizer.prefix_tokens], [*tokenizer.suffix_tokens]
        found[code] = Language(before, after, token)
    return found


def prepare(text: str, source: str | None, target: str | None) -> Item:
    """Check one request and tokenize it, while the model is busy with others."""
    most = runtime.tier.max_input
    checked(text, CHARACTERS * most)
    parts = BETWEEN.split(text)
    places = [place for place in range(0, len(parts), 2) if parts[place].strip()]
    if languages:
        tokens = [tokens_of(parts[place], language(source)) for place in places]
        first = language(target).token
    else:
        prefix = writer.prefix(f"translation_{source}_to_{target}")
        tokens = [writer.tokens(parts[place], prefix) for place in places]
        first = None
    for sentence in tokens:
        check_length(len(sentence), min(MAX_SENTENCE, writer.most), "sentence")
    check_length(sum(map(len, tokens)), most)
    return Item(parts, places, tokens, first)


def tokens_of(text: str, language: Language) -> list[int]:
    """The tokens of a text, marked as of a language.

    The tokenizer is not switched to that language: others use it at the same time.
    """
    tokens = writer.tokenizer(text, add_special_tokens=False, verbose=False)
    return [*language.before, *tokens["input_ids"], *language.after]


def language(code: str | None) -> Language:
    """A language by its code.

    Raises:
        InputError: the model does not know it.
    """
    found = languages.get((code or "").strip())
    if found is None:
        known = textwrap.shorten(", ".join(languages), 500, placeholder=" ...")
        raise InputError(f"The model has no language “{code or ''}”. It has: {known}")
    return found


def cost(item: Item) -> int:
    """Tokens of one text; texts of similar length share a batch."""
    return size(item)


def size(item: Item) -> int:
    """Tokens of one text: more take longer."""
    return sum(map(len, item.tokens))


@torch.inference_mode()
def predict(batch: list[Item]) -> list[str]:
    """Translate a batch of texts: all their sentences go through the model together."""
    tokens = [sentence for item in batch for sentence in item.tokens]
    first = [
        item.first for item in batch for _ in item.tokens if item.first is not None
    ]
    written = iter(writer.write(tokens, first))
    return [joined(item, [next(written) for _ in item.places]) for item in batch]


def joined(item: Item, sentences: list[str]) -> str:
    """The translated sentences with what stood between them."""
    parts = [*item.parts]
    for place, sentence in zip(item.places, sentences):
        parts[place] = sentence
    for place in range(1, len(parts), 2):
        parts[place] = parts[place] or " "  # there are scripts that need none
    return "".join(parts).strip()
