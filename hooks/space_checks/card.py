"""The card of a Space: the front matter of README.md and the files it names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TypeGuard

from . import card_values as known
from .emoji import is_emoji
from .files import SpaceFiles
from .finding import Finding, error, warning
from .front_matter import Entry, FrontMatterError, Value, parse
from .tokens import redact

CARD = "README.md"
Card = Mapping[str, Entry]


@dataclass(frozen=True)
class Facts:
    """What other checks need to know from the card; None where it does not say."""

    sdk: str | None
    hardware: str | None
    python: tuple[int, int] | None


def check_card(files: SpaceFiles) -> list[Finding]:
    """Find a card that is missing, unreadable, or has values that the Hub refuses."""
    if CARD not in files.paths:
        fix = "write a README.md that begins with front matter, or add it if git ignores it"
        return [error(CARD, None, "there is no README.md", fix)]
    try:
        card = read_card(files)
    except FrontMatterError as problem:
        return [error(CARD, problem.line, problem.message, "correct the front matter")]
    return [
        *(finding for key, entry in card.items() for finding in _key_findings(key, entry)),
        *_missing_keys(card),
        *_version_findings(card),
        *_license_findings(card),
        *_file_findings(files, card),
    ]


def read_card(files: SpaceFiles) -> dict[str, Entry]:
    """The front matter of README.md, or a FrontMatterError."""
    data = files.read(CARD)
    if data is None:
        raise FrontMatterError(1, "this file cannot be read")
    try:
        return parse(data.decode("utf-8"))
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        raise FrontMatterError(line, "a byte that is not UTF-8") from None


def read_facts(files: SpaceFiles) -> Facts:
    """What the card says about the Space, as far as it can be read."""
    try:
        card = read_card(files)
    except FrontMatterError:
        return Facts(None, None, None)
    sdk, hardware = _text(card, "sdk"), _text(card, "suggested_hardware")
    return Facts(sdk, hardware, _python(card) if sdk == "gradio" else None)


def _text(card: Card, key: str) -> str | None:
    value = card[key].value if key in card else None
    return value if isinstance(value, str) else None


def _python(card: Card) -> tuple[int, int]:
    """The Python version of a Gradio Space, 3.10 unless the card says otherwise."""
    match = re.match(r"3\.([0-9]{1,2})(?:\.|$)", _text(card, "python_version") or "3.10")
    return (3, int(match[1]) if match else 10)


@dataclass(frozen=True)
class _Rule:
    """What a key may hold; `expected` completes "expected ..."."""

    holds: Callable[[Value], bool]
    expected: str


def _is_text(value: Value) -> TypeGuard[str]:
    return isinstance(value, str) and value.strip() != ""


def _is_texts(value: Value) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(_is_text(item) for item in value)


def _one_of(*values: str) -> _Rule:
    return _Rule(lambda value: value in values, "one of " + ", ".join(values))


def _matching(pattern: str, expected: str) -> _Rule:
    compiled = re.compile(pattern)
    return _Rule(
        lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None, expected
    )


def _between(low: int, high: int) -> _Rule:
    return _Rule(
        lambda value: type(value) is int and low <= value <= high, f"a number from {low} to {high}"
    )


def _is_short(value: Value) -> bool:
    return _is_text(value) and len(value) <= known.SHORT_DESCRIPTION_LIMIT


def _is_preload(value: Value) -> bool:
    pattern = re.compile(r"[\w.-]+(?:/[\w.-]+)?(?: [^ ]+){0,2}", re.ASCII)
    return _is_texts(value) and all(pattern.fullmatch(item) for item in value)


def _is_custom_headers(value: Value) -> bool:
    return isinstance(value, dict) and all(
        key in known.CUSTOM_HEADERS and _is_text(item) for key, item in value.items()
    )


def _is_license(value: Value) -> bool:
    names = value if isinstance(value, list) else [value]
    return bool(names) and all(isinstance(name, str) and name in known.LICENSES for name in names)


_TEXT = _Rule(_is_text, "a text, in quotes if it looks like something else")
_TEXTS = _Rule(_is_texts, "a list of texts")
_SWITCH = _Rule(lambda value: isinstance(value, bool), "true or false")
_RULES = {
    "title": _TEXT,
    "emoji": _Rule(lambda value: _is_text(value) and is_emoji(value), "exactly one emoji"),
    "colorFrom": _one_of(*known.COLORS),
    "colorTo": _one_of(*known.COLORS),
    "sdk": _one_of(*known.SDKS),
    "sdk_version": _matching(
        r"[0-9]+\.[0-9]+\.[0-9]+(?:[-+]?[A-Za-z][0-9A-Za-z.+-]*)?",
        'a full version in quotes, such as "6.31.0"',
    ),
    "python_version": _matching(
        r"3\.[0-9]{1,2}(?:\.[0-9]{1,2})?", 'a version in quotes, such as "3.12"'
    ),
    "app_file": _TEXT,
    "app_port": _between(1, 65535),
    "app_build_command": _TEXT,
    "base_path": _matching("/.*", "a path that begins with /"),
    "suggested_hardware": _one_of(*known.FLAVORS),
    "fullWidth": _SWITCH,
    "header": _one_of(*known.HEADERS),
    "pinned": _SWITCH,
    "thumbnail": _TEXT,
    "disable_embedding": _SWITCH,
    "short_description": _Rule(
        _is_short, f"a text of at most {known.SHORT_DESCRIPTION_LIMIT} characters"
    ),
    "models": _TEXTS,
    "datasets": _TEXTS,
    "tags": _TEXTS,
    "hf_oauth": _SWITCH,
    "hf_oauth_scopes": _TEXTS,
    "hf_oauth_expiration_minutes": _between(1, known.OAUTH_MINUTES_LIMIT),
    "hf_oauth_authorized_org": _Rule(
        lambda value: _is_text(value) or _is_texts(value), "an organization or a list of them"
    ),
    "startup_duration_timeout": _matching(
        r"[0-9]+(?:\.[0-9]+)? ?[a-z]+", "a duration such as 30m or 1h"
    ),
    "custom_headers": _Rule(
        _is_custom_headers, "nested keys out of " + ", ".join(known.CUSTOM_HEADERS)
    ),
    "preload_from_hub": _Rule(
        _is_preload, 'a list of "repository", "repository files" or "repository files revision"'
    ),
    "license": _Rule(_is_license, "a license id of the Hub, such as apache-2.0, mit or other"),
    "license_name": _TEXT,
    "license_link": _TEXT,
    "duplicated_from": _TEXT,
    "dev-mode-folder": _TEXT,
}


def _key_findings(key: str, entry: Entry) -> Iterator[Finding]:
    """What is wrong with one key by itself."""
    rule = _RULES.get(key)
    if key in known.IGNORED_KEYS:
        message = f"the Hub ignores the key {key}"
        yield warning(CARD, entry.line, message, known.IGNORED_KEYS[key])
    elif rule is None:
        fix = "check the spelling, or remove it"
        yield warning(CARD, entry.line, f"the Hub knows no key {_show(key)}", fix)
    elif entry.value is None:
        fix = "give it one or remove the line"
        yield warning(CARD, entry.line, f"{key} has no value", fix)
    elif not rule.holds(entry.value):
        message = f"{key} is {_show(entry.value)}"
        yield error(CARD, entry.line, message, f"expected {rule.expected}")


def _show(value: Value) -> str:
    """A value for a message: no credential, no endless text."""
    text = redact(repr(value))
    return text if len(text) <= 80 else f"{text[:77]}..."


def _missing_keys(card: Card) -> Iterator[Finding]:
    present = {key for key, entry in card.items() if entry.value is not None}
    if "sdk" not in present:
        fix = f"write sdk: with one of {', '.join(known.SDKS)}"
        yield error(CARD, None, "the front matter has no sdk", fix)
    if "title" not in present:
        yield warning(CARD, None, "the front matter has no title", "write title: with a name")
    if _text(card, "sdk") == "gradio" and "sdk_version" not in present:
        fix = "write sdk_version: with the version of Gradio the app was tested with"
        yield warning(CARD, None, "without sdk_version the next build may get a new Gradio", fix)


def _version_findings(card: Card) -> Iterator[Finding]:
    """Versions that a later edit would break, or that the hardware does not have."""
    for key in ("sdk_version", "python_version"):
        text = _text(card, key)
        if text is not None and not card[key].quoted:
            message = f"{key} is not in quotes, so a shorter version would be read as a number"
            yield warning(CARD, card[key].line, message, f'write {key}: "{text}"')
    on_zero_gpu = _text(card, "suggested_hardware") == known.ZERO_GPU
    if on_zero_gpu and "python_version" in card and _python(card) not in known.ZERO_GPU_PYTHONS:
        versions = " or ".join(f'"{major}.{minor}"' for major, minor in known.ZERO_GPU_PYTHONS)
        message = "ZeroGPU does not have this Python version"
        yield warning(CARD, card["python_version"].line, message, f"write {versions}")


def _license_findings(card: Card) -> Iterator[Finding]:
    if _text(card, "license") == "other" and "license_name" not in card:
        fix = "add license_name and license_link"
        yield warning(CARD, card["license"].line, "license other says too little alone", fix)


def _file_findings(files: SpaceFiles, card: Card) -> Iterator[Finding]:
    """The file that the platform starts must be among those that are published."""
    sdk = _text(card, "sdk")
    line = card["app_file"].line if "app_file" in card else None
    name = _text(card, "app_file") or {"gradio": "app.py", "static": "index.html"}.get(sdk or "")
    if sdk == "docker" and "Dockerfile" not in files.paths:
        yield error(CARD, None, "sdk docker needs a Dockerfile", "add a Dockerfile")
    built = sdk == "docker" or (sdk == "static" and "app_build_command" in card)
    if name and not built and str(PurePosixPath(name)) not in files.paths:
        message = f"app_file {_show(name)} is not among the files of the Space"
        yield error(CARD, line, message, "correct app_file, or add the file if git ignores it")
