"""A strict reader for the subset of YAML that README front matter uses.

It reads `key: value` lines with plain and quoted one-line scalars, `- item` and `[a, b]` lists,
and one level of nested keys. What it reads has the value that a YAML parser gives it, for YAML
1.1 and 1.2 alike; everything else is refused with a line number, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

Scalar: TypeAlias = str | bool | int | float | None
Value: TypeAlias = Scalar | list[Scalar] | dict[str, Scalar]


class FrontMatterError(ValueError):
    """Front matter that is missing, broken, or beyond the subset."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"line {line}: {message}")
        self.line = line
        self.message = message


@dataclass(frozen=True)
class Entry:
    """The value of a key, the line of the key, and whether the value stands in quotes."""

    value: Value
    line: int
    quoted: bool


@dataclass(frozen=True)
class _Line:
    number: int
    indent: int
    text: str

    def refuse(self, message: str) -> FrontMatterError:
        return FrontMatterError(self.number, message)


def parse(readme: str) -> dict[str, Entry]:
    """Read the front matter at the top of a README, keys in their order."""
    lines = list(_content(readme))
    entries: dict[str, Entry] = {}
    position = 0
    while position < len(lines):
        line = lines[position]
        position += 1
        if line.indent:
            raise line.refuse("indented more than the keys; a value must be on one line")
        key, rest = _split_key(line)
        if key in entries:
            raise line.refuse(f"the key {key} is already on line {entries[key].line}")
        if rest:
            value, quoted = _one_line_value(rest, line)
            entries[key] = Entry(value, line.number, quoted)
        else:
            start = position
            while position < len(lines) and _belongs_to_key(lines[position]):
                position += 1
            entries[key] = Entry(_block(lines[start:position]), line.number, False)
    return entries


_FENCE = "---"
_UNPRINTABLE = re.compile(
    "[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)


def _content(readme: str) -> Iterator[_Line]:
    """The lines between the fences, without those that are empty or only a comment."""
    lines = readme.replace("\r\n", "\n").split("\n")
    if lines[0].rstrip(" ") != _FENCE:
        raise FrontMatterError(1, f"the file must begin with front matter, a line {_FENCE}")
    for number, text in enumerate(lines[1:], 2):
        stripped = text.strip(" ")
        if text.rstrip(" ") == _FENCE:
            return
        if text.startswith((_FENCE, "...")):
            raise FrontMatterError(number, f"a line that ends the front matter must be {_FENCE}")
        if "\t" in text:
            raise FrontMatterError(number, "a tab character")
        if _UNPRINTABLE.search(text):
            raise FrontMatterError(number, "a character that YAML does not allow as it stands")
        if stripped and not stripped.startswith("#"):
            yield _Line(number, len(text) - len(text.lstrip(" ")), stripped)
    raise FrontMatterError(len(lines), f"the front matter does not end with a line {_FENCE}")


def _belongs_to_key(line: _Line) -> bool:
    """Whether a line continues the key above: indented, or an item of an unindented list."""
    return line.indent > 0 or _is_item(line)


def _is_item(line: _Line) -> bool:
    return line.text == "-" or line.text.startswith("- ")


def _block(lines: list[_Line]) -> Value:
    """The list or the nested keys below a key; no lines are no value."""
    if not lines:
        return None
    for line in lines:
        if line.indent != lines[0].indent:
            raise line.refuse("indented differently from the line above")
        if _is_item(line) != _is_item(lines[0]):
            raise line.refuse("a list and something else below the same key")
    if _is_item(lines[0]):
        return [_scalar(_uncomment(line.text[1:].lstrip(" ")), line)[0] for line in lines]
    nested: dict[str, Scalar] = {}
    for line in lines:
        key, rest = _split_key(line)
        if key in nested:
            raise line.refuse(f"the key {key} appears twice")
        nested[key] = _scalar(rest, line)[0]
    return nested


_PLAIN_KEY = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]*) *:(?= |$)")


def _split_key(line: _Line) -> tuple[str, str]:
    """The key of a line and the text of its value, which may be empty."""
    if line.text[0] in "\"'":
        key, end = _read_quoted(line.text, 0, line)
        match = re.compile(r" *:(?= |$)").match(line.text, end)
    else:
        match = _PLAIN_KEY.match(line.text)
        key = match[1] if match else ""
    if match is None:
        raise line.refuse("expected key: value on one line")
    if line.text[0] not in "\"'" and not isinstance(_resolve(key, line), str):
        raise line.refuse("a key that YAML does not read as text; put it in quotes")
    return key, _uncomment(line.text[match.end() :].lstrip(" "))


def _uncomment(text: str) -> str:
    """Nothing where the text is only a comment; comments behind a value are dropped later."""
    return "" if text.startswith("#") else text


def _one_line_value(text: str, line: _Line) -> tuple[Value, bool]:
    if text.startswith("["):
        return _inline_list(text, line), False
    return _scalar(text, line)


def _scalar(text: str, line: _Line) -> tuple[Scalar, bool]:
    """A whole scalar and whether it is quoted; a comment may follow."""
    if not text:
        return None, False
    if text[0] in "\"'":
        value, end = _read_quoted(text, 0, line)
        _expect_end(text[end:], line)
        return value, True
    plain = text.partition(" #")[0].rstrip(" ")
    if ": " in plain or plain.endswith(":"):
        raise line.refuse("a colon in a value without quotes")
    _check_start(plain, line)
    return _resolve(plain, line), False


def _expect_end(rest: str, line: _Line) -> None:
    stripped = rest.lstrip(" ")
    if stripped and not (stripped.startswith("#") and rest.startswith(" ")):
        raise line.refuse("something follows the value; put the whole value in quotes")


def _inline_list(text: str, line: _Line) -> list[Scalar]:
    """The items of `[a, "b"]`, a comma after the last one allowed."""
    items: list[Scalar] = []
    position = _skip_spaces(text, 1)
    while text[position : position + 1] != "]":
        item, position = _inline_item(text, position, line)
        items.append(item)
        position = _skip_spaces(text, position)
        if text[position : position + 1] == ",":
            position = _skip_spaces(text, position + 1)
        elif text[position : position + 1] != "]":
            raise line.refuse("an inline list that does not end on its line")
    _expect_end(text[position + 1 :], line)
    return items


_INLINE_END = re.compile(r"[,\]]|$")


def _inline_item(text: str, start: int, line: _Line) -> tuple[Scalar, int]:
    if text[start : start + 1] in ('"', "'"):
        return _read_quoted(text, start, line)
    match = _INLINE_END.search(text, start)
    end = match.start() if match else len(text)
    plain = text[start:end].rstrip(" ")
    if not plain:
        raise line.refuse("an inline list with an empty item, or without an end on its line")
    if re.search(r":(?: |$)| #|[\[{}]", plain) or plain[0] in "-?:":
        raise line.refuse("an item that needs quotes in an inline list")
    _check_start(plain, line)
    return _resolve(plain, line), end


def _skip_spaces(text: str, position: int) -> int:
    while text[position : position + 1] == " ":
        position += 1
    return position


_ESCAPES = {
    **dict(zip("0abtnvfre", "\0\a\b\t\n\v\f\r\x1b", strict=True)),
    **dict(zip(' "/\\N_LP', ' "/\\\x85\xa0\u2028\u2029', strict=True)),
}
_DIGITS = {"x": 2, "u": 4, "U": 8}


def _read_quoted(text: str, start: int, line: _Line) -> tuple[str, int]:
    """The quoted string that begins at `start`, and the position behind it."""
    quote = text[start]
    read: list[str] = []
    position = start + 1
    while position < len(text):
        char = text[position]
        following = text[position + 1 : position + 2]
        if char == quote == following == "'":
            read.append(quote)
            position += 2
        elif char == quote:
            return "".join(read), position + 1
        elif char == "\\" and quote == '"':
            unescaped, position = _unescape(text, position + 1, line)
            read.append(unescaped)
        else:
            read.append(char)
            position += 1
    raise line.refuse("a quoted string that does not end on its line")


def _unescape(text: str, position: int, line: _Line) -> tuple[str, int]:
    """The character that an escape stands for, and the position behind the escape."""
    letter = text[position : position + 1]
    if letter in _ESCAPES:
        return _ESCAPES[letter], position + 1
    end = position + 1 + _DIGITS.get(letter, 0)
    digits = text[position + 1 : end]
    if letter not in _DIGITS or not re.fullmatch(f"[0-9A-Fa-f]{{{_DIGITS[letter]}}}", digits):
        raise line.refuse("an escape that YAML does not know; double a backslash that is meant")
    code = int(digits, 16)
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise line.refuse("an escape that is no character")
    return chr(code), end


_INDICATORS = frozenset("[]{},#&*!|>'\"%@`")


def _check_start(plain: str, line: _Line) -> None:
    """Refuse what YAML does not read as a plain scalar."""
    if plain[0] in _INDICATORS or plain[:2] in ("- ", "? ", "-", "?", ":"):
        raise line.refuse("a value that needs quotes, or YAML that cards do not need")


_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~"), None),
}
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,14})\.[0-9]{1,15}")
# What one YAML version or the other reads as a number, a date, a boolean or a merge.
_AMBIGUOUS = re.compile(
    r"yes|no|on|off|=|<<|[-+]?0[box][0-9a-f_]*|[-+]?\.(?:inf|nan)"
    r"|[-+]?(?:[0-9][0-9_]*(?::[0-9]+)*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:e[-+]?[0-9]+)?"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[t ].*)?",
    re.IGNORECASE,
)


def _resolve(plain: str, line: _Line) -> Scalar:
    """The value of a scalar without quotes."""
    if plain in _WORDS:
        return _WORDS[plain]
    if _INTEGER.fullmatch(plain):
        return int(plain)
    if _DECIMAL.fullmatch(plain):
        return float(plain)
    if _AMBIGUOUS.fullmatch(plain):
        raise line.refuse("a value that YAML may not read as text; put it in quotes")
    return plain
