"""Credentials of a known form in the files of a Space.

A finding names the file, the line and the kind, never the credential. `redact` keeps the same
promise for everything else that is printed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .files import SpaceFiles
from .finding import Finding, error

_ARMOUR = r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
_OF_ANY_CASE = "AWS secret access key"
_AWS_ASSIGNMENT = r"(?i:secret_?access_?key)[\"'\])]*\s*[:=]\s*[\"']?"
_KINDS = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        ("Hugging Face token", r"hf_[A-Za-z0-9]{30,}"),
        ("Hugging Face OAuth token", r"hf_(?:oauth|jwt)_[A-Za-z0-9._-]{30,}"),
        ("GitHub token", r"gh[pousr]_[A-Za-z0-9]{36,}"),
        ("GitHub fine-grained token", r"github_pat_[A-Za-z0-9_]{60,}"),
        ("AWS access key id", r"A(?:KIA|SIA)[A-Z0-9]{16}(?![A-Za-z0-9])"),
        (
            _OF_ANY_CASE,
            rf"{_AWS_ASSIGNMENT}(?P<token>[A-Za-z0-9/+]{{40}})(?![\w/+=])",
        ),
        ("OpenAI key", r"sk-(?:(?:proj|svcacct|admin)-[A-Za-z0-9_-]{20,}|[A-Za-z0-9]{32,})"),
        ("Anthropic key", r"sk-ant-[A-Za-z0-9_-]{20,}"),
        ("Slack token", r"xox[a-z]-[A-Za-z0-9-]{20,}"),
        ("Google API key", r"AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])"),
        # A header that is only mentioned has no key behind it, so some of the key must follow.
        (
            "private key",
            rf"{_ARMOUR}(?:[ \t\r]*\n[ \t]*[A-Za-z0-9+/]|(?s:.{{0,200}}?)[A-Za-z0-9+/]{{32}})",
        ),
    )
)
_PLACEHOLDER = re.compile(
    r"x{4}|\.\.\.|1234567|abcdefg|example|placeholder|redacted|dummy|changeme|(?:your|insert)[-_]",
    re.IGNORECASE,
)
_FEWEST_CHARACTERS = 8


def check_tokens(files: SpaceFiles) -> list[Finding]:
    """Find credentials in all files, of whatever kind and size."""
    return [
        error(
            path,
            line,
            f"{kind} in the file",
            "remove it, revoke it, and read it from a Space secret instead",
        )
        for path in files.paths
        for line, kind in _in_file(files, path)
    ]


def _in_file(files: SpaceFiles, path: str) -> list[tuple[int, str]]:
    """Each credential once, by line and kind."""
    found = set(find_tokens(files.text(path) or ""))
    for lines, window in files.windows(path):
        found |= {(lines + line, kind) for line, kind in find_tokens(window.decode("latin-1"))}
    return sorted(found)


def find_tokens(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the kind of each credential, placeholders left out."""
    lower = text.encode("ascii", "replace").lower()
    for kind, pattern in _KINDS:
        # to ignore case takes the expression thirty times as long as any other
        if kind == _OF_ANY_CASE and b"access" not in lower:
            continue
        for match in pattern.finditer(text):
            start, end = match.span("token" if "token" in pattern.groupindex else 0)
            before = text[start - 1 : start]
            within_word = before.isalnum() or before == "_"
            if not within_word and not _is_placeholder(text[start:end]):
                yield text.count("\n", 0, start) + 1, kind


def redact(text: str) -> str:
    """The text with everything of the form of a credential blotted out."""
    for _, pattern in _KINDS:
        text = pattern.sub("[redacted]", text)
    return text


def _is_placeholder(token: str) -> bool:
    """Whether somebody typed it: a real token is random and repeats few characters."""
    return len(set(token)) < _FEWEST_CHARACTERS or _PLACEHOLDER.search(token) is not None
