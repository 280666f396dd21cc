"""The questions of copier.yml, and its complaints about answers in one line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from spaces_gen.bundle import bundle_root
from spaces_gen.errors import UserError
from spaces_gen.tables.reading import read_yaml

MOST_DIGITS = 18
MESSAGE_HALF = 1500  # characters; all licences take 1,000


@cache
def questions() -> dict[str, dict[str, Any]]:
    """Every question that is always asked, by its key, in order."""
    spec = read_yaml(bundle_root() / "copier.yml")
    return {
        key: question
        for key, question in spec.items()
        if not key.startswith("_") and "when" not in question
    }


def parse_data(pairs: list[str]) -> dict[str, str]:
    """Turn KEY=VALUE pairs into answers.

    Raises:
        UserError: a pair has no "=", or its key is no question.
    """
    answers = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator:
            raise UserError(f"--data {pair}: write it as KEY=VALUE")
        if key not in questions():
            raise UserError(f"--data {key}: no such question; there are {', '.join(questions())}")
        answers[key] = value
    return answers


def check_choice(question: str, answers: Mapping[str, Any], allowed: list[str]) -> None:
    """Refuse an answer that is in no table, before anything is rendered."""
    if question in answers and answers[question] not in allowed:
        raise UserError(
            f"{question}: {answers[question]!r} is not allowed; choose one of {', '.join(allowed)}"
        )


def check_kinds(answers: Mapping[str, Any]) -> None:
    """Refuse an answer of another kind than is asked for, which Copier would not name.

    Raises:
        UserError: with the question.
    """
    for key, value in answers.items():
        kind = questions().get(key, {}).get("type")
        if kind == "int" and not is_whole(value):
            raise UserError(f"{key}: {brief(repr(value))} is no whole number")
        if kind == "str" and not isinstance(value, str | int | float):
            raise UserError(f"{key}: {brief(repr(value))} is no text")
    if not isinstance(answers.get("measured", {}), Mapping):
        raise UserError("measured: the values are damaged; take the answer out, or measure again")


def is_whole(value: object) -> bool:
    """Whether it is a whole number, or the digits of one, of a size that anything has."""
    digits = str(value).strip() if isinstance(value, str | int) else ""
    return len(digits) <= MOST_DIGITS and digits.lstrip("-").isdecimal()


def brief(text: str, half: int = MESSAGE_HALF) -> str:
    """A text without the middle, where it is longer than two halves of so many characters."""
    return text if len(text) <= 2 * half else f"{text[:half]}…{text[-half:]}"


def explain(error: Exception) -> UserError:
    """Copier's complaint about an answer as one line: question, value, what is allowed."""
    text = brief(str(error))
    if found := re.match(r"Validation error for question '(\w+)': (.*)", text, re.DOTALL):
        return UserError(" ".join(found[2].split()))
    if found := re.match(r"Invalid choice for '(\w+)': (.*) is not in \[(.*)\]", text, re.DOTALL):
        allowed = found[3].replace("'", "")
        return UserError(f"{found[1]}: {found[2]} is not allowed; choose one of {allowed}")
    plain = re.sub(r"^Invalid choice for '(\w+)': (?=\1: )", "", " ".join(text.split()))
    return UserError(plain)
