"""Inputs for a Space under load: like its examples, and no two alike, so that no cache helps."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from spaces_gen.errors import UserError
from spaces_gen.load.endpoint import Endpoint

SHORTEST, LONGEST = 4, 120  # words
# of ln(words): texts as visitors type them, 13 words in the middle and 17 on average
MIDDLE, SPREAD = 2.6, 0.8
OWN_TEXT = (
    "a model answers many visitors at once when their requests are computed together and each "
    "of them gets the answer to what was asked even if somebody else sends something broken"
)


@dataclass(frozen=True)
class Upload:
    """A file to send."""

    name: str
    content: bytes


def inputs(
    endpoint: Endpoint, fetch: Callable[[str], bytes], given: dict[str, Any], seed: int = 7
) -> Iterator[dict[str, Any]]:
    """Endless arguments for calls, by their names.

    Args:
        fetch: the content of a file that an example names, by its address.
        given: fixed values of some arguments.

    Raises:
        UserError: nobody knows what to send.
    """
    chance = random.Random(seed)
    rows = [
        {**{one.name: one.default for one in endpoint.asked}, **named(endpoint, row), **given}
        for row in endpoint.examples
    ]
    if not rows:
        rows = [{**{one.name: one.default for one in endpoint.asked}, **given}]
    lacking = [name for name, value in rows[0].items() if value is None]
    if lacking:
        raise UserError(
            f"the page shows no examples for {', '.join(lacking)}; give one with --data "
            f"{lacking[0]}=VALUE"
        )
    width = len(endpoint.examples[0]) if endpoint.examples else len(endpoint.asked)
    shown = {one.name for one in endpoint.asked[:width]}
    fixed = {name for name in rows[0] if name in given or name not in shown}
    words = words_in(rows, fixed)
    files: dict[str, Upload] = {}
    for number in itertools.count():
        row = chance.choice(rows)
        longest = None if any(map(is_file, row.values())) else LONGEST
        yield {
            name: value
            if name in fixed
            else varied(value, number, chance, words, longest, lambda one: load(one, fetch, files))
            for name, value in row.items()
        }


def named(endpoint: Endpoint, row: tuple[Any, ...]) -> dict[str, Any]:
    """The values of an example by the names of the arguments.

    Of a table it has the rows alone; the column names are those that the page shows at first.
    """
    return {
        one.name: {**one.default, "data": value}
        if isinstance(value, list) and is_table(one.default)
        else value
        for one, value in zip(endpoint.asked, row)
    }


def is_table(value: Any) -> bool:
    """Whether it is what gr.Dataframe sends."""
    return isinstance(value, dict) and isinstance(value.get("data"), list)


def words_in(rows: list[dict[str, Any]], fixed: set[str]) -> list[str]:
    """Words for texts: those of the examples, or some of our own where they are few."""
    found = [
        word
        for row in rows
        for name, value in row.items()
        if isinstance(value, str) and name not in fixed
        for word in value.split()
        if any(map(str.isalnum, word))
    ]
    own = OWN_TEXT.split()
    return found if len(set(found)) >= len(own) else [*found, *own]


def varied(
    value: Any,
    number: int,
    chance: random.Random,
    words: list[str],
    longest: int | None,
    file: Callable[[dict[str, Any]], Upload],
) -> Any:
    """A value like an example's: a text of other words, a file with another last byte.

    The numbers of a table differ by less than anybody would notice. Marks in a text without a
    letter, such as the gap ___, stay.

    Args:
        longest: words of a text, whose length is drawn; None for that of the example, as of a
            question about a picture.
    """
    if is_message(value):
        files = [varied(one, number, chance, words, longest, file) for one in value["files"]]
        text = varied(value["text"], number, chance, words, longest, file)
        return {"text": text, "files": files}
    if is_table(value):
        return {**value, "data": [[nudged(cell, number) for cell in row] for row in value["data"]]}
    if is_file(value):
        found = file(value)
        # readers of pictures and sounds stop at the end that the file itself names
        return Upload(found.name, found.content + number.to_bytes(8, "little"))
    if isinstance(value, str) and " " in value and "," not in value:
        own = value.split()
        length = len(own)
        if longest is not None:
            length = min(longest, max(SHORTEST, round(chance.lognormvariate(MIDDLE, SPREAD))))
        marks = [word for word in own if not any(map(str.isalnum, word))]
        chosen = chance.choices(words, k=max(0, length - 1 - len(marks)))
        for mark in marks:
            chosen.insert(chance.randint(0, len(chosen)), mark)
        return " ".join([*chosen, str(number)])
    return value


def is_file(value: Any) -> bool:
    """Whether it is a file that an example names."""
    return isinstance(value, dict) and bool(value.get("path"))


def is_message(value: Any) -> bool:
    """Whether a value is a text with files, as a chat takes them."""
    return isinstance(value, dict) and value.keys() == {"text", "files"}


def nudged(cell: Any, number: int) -> Any:
    """A number that is another one each time."""
    return cell * (1 + number * 1e-9) if type(cell) in (int, float) else cell


def load(value: dict[str, Any], fetch: Callable[[str], bytes], files: dict[str, Upload]) -> Upload:
    """The file of an example, fetched once."""
    path = str(value["path"])
    if path not in files:
        name = value.get("orig_name") or PurePosixPath(path).name
        files[path] = Upload(str(name), fetch(str(value.get("url") or path)))
    return files[path]
