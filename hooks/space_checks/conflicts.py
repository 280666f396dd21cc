"""Traces of an update that went halfway: conflict markers, rejected hunks, a mixed state."""

from __future__ import annotations

import re

from .files import UNDO, SpaceFiles
from .finding import Finding, error

_EDGE = re.compile(r"(?:<{7}|>{7}|\|{7})(?:\s|$)")
_MIDDLE = re.compile(r"={7}\s*$")
_LEFTOVERS = {
    ".rej": "holds a change that could not be applied",
    ".orig": "is the copy that a merge or patch left behind",
}


def check_conflicts(files: SpaceFiles) -> list[Finding]:
    """Find an interrupted upgrade, *.rej and *.orig files, and conflict markers in texts."""
    findings = _interrupted(files)
    for path in files.paths:
        findings += _leftover(path)
        text = files.text(path)
        if text is not None:
            findings += _markers(path, text)
    return findings


def _interrupted(files: SpaceFiles) -> list[Finding]:
    if not (files.root / UNDO / "note.json").is_file():
        return []
    message = "an upgrade was interrupted, so old and new files may be mixed"
    return [error(UNDO, None, message, "run `spaces-gen upgrade` here, which puts them back")]


def _leftover(path: str) -> list[Finding]:
    for suffix, meaning in _LEFTOVERS.items():
        if path.endswith(suffix):
            return [error(path, None, f"this file {meaning}", "take over what you need, delete it")]
    return []


def _markers(path: str, text: str) -> list[Finding]:
    """The middle marker counts only beside another one: alone it may underline a heading."""
    lines = list(enumerate(text.split("\n"), 1))
    edges = [number for number, line in lines if _EDGE.match(line)]
    if not edges:
        return []
    middles = [number for number, line in lines if _MIDDLE.match(line)]
    fix = "choose one side and delete the marker lines"
    return [
        error(path, number, "conflict marker of an unfinished merge", fix)
        for number in sorted(edges + middles)
    ]
