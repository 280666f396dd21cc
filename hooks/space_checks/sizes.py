"""Files too large for a Space, with the Git LFS rules of .gitattributes taken into account."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath

from .files import SpaceFiles
from .finding import Finding, error, warning

FILE_LIMIT = 10 * 1024 * 1024
TOTAL_LIMIT = 1024 * 1024 * 1024
_MIB = 1024 * 1024


def check_sizes(files: SpaceFiles) -> list[Finding]:
    """Find files that git may not carry outside LFS, and a folder too large for a Space."""
    rules = list(_lfs_rules(files))
    sizes = {path: files.size(path) or 0 for path in files.paths}
    findings = [
        error(
            path,
            None,
            f"{size / _MIB:.1f} MiB, and files over {FILE_LIMIT // _MIB} MiB must be in Git LFS",
            f'run git lfs track "{path}", or load it from a model or dataset repository',
        )
        for path, size in sizes.items()
        if size > FILE_LIMIT and not _in_lfs(path, rules)
    ]
    total = sum(sizes.values())
    if total > TOTAL_LIMIT:
        findings.append(
            warning(
                ".",
                None,
                f"the files are {total / _MIB:.0f} MiB together, over {TOTAL_LIMIT // _MIB} MiB",
                "keep weights and data in a model or dataset repository and download them",
            )
        )
    return findings


@dataclass(frozen=True)
class _Rule:
    """One line of a .gitattributes file that says whether matching paths are in LFS."""

    folder: str
    pattern: re.Pattern[str]
    lfs: bool

    def covers(self, path: str) -> bool:
        """Whether the rule speaks about `path`."""
        inside = path.startswith(self.folder)
        return inside and self.pattern.fullmatch(path[len(self.folder) :]) is not None


def _in_lfs(path: str, rules: list[_Rule]) -> bool:
    """The last rule that covers a path wins."""
    return next((rule.lfs for rule in reversed(rules) if rule.covers(path)), False)


def _lfs_rules(files: SpaceFiles) -> Iterator[_Rule]:
    """The rules of every .gitattributes file, those of deeper folders last."""
    found = [path for path in files.paths if PurePosixPath(path).name == ".gitattributes"]
    for path in sorted(found, key=lambda item: item.count("/")):
        folder = path[: -len(".gitattributes")]
        for line in (files.text(path) or "").splitlines():
            pattern, filters = _split_rule(line)
            if pattern and filters:
                yield _Rule(folder, _glob(pattern), filters[-1] == "filter=lfs")


def _split_rule(line: str) -> tuple[str, list[str]]:
    """The pattern of a line and what it says about the filter."""
    try:
        words = shlex.split(line) if line.startswith('"') else line.split()
    except ValueError:
        words = []
    if not words or words[0].startswith(("#", "!", "[attr]")):
        return "", []
    named = [word for word in words[1:] if re.match(r"[-!]?filter(?:=|$)", word)]
    return words[0], named


@cache
def _glob(pattern: str) -> re.Pattern[str]:
    """A gitattributes pattern as an expression: without a slash it means a name anywhere."""
    prefix = "" if "/" in pattern else "(?:.*/)?"
    body = "".join(_glob_part(part) for part in _GLOB_PARTS.findall(pattern.lstrip("/")))
    try:
        return re.compile(prefix + body, re.DOTALL)
    except re.error:
        return re.compile(r"(?!)")


_GLOB_PARTS = re.compile(r"\*\*/|/\*\*$|\*+|\?|\[[!^]?\]?(?:\[:\w+:\]|[^\]])*\]|\\.|.", re.DOTALL)
_GLOB_WORDS = {"**/": "(?:.*/)?", "/**": "/.+", "?": "[^/]"}


def _glob_part(part: str) -> str:
    if part in _GLOB_WORDS:
        return _GLOB_WORDS[part]
    if part.startswith("*"):
        return "[^/]*"
    if part.startswith("[") and len(part) > 1:
        inside = part[1:-1].replace("[:space:]", r"\s")
        return f"[^{inside[1:]}]" if inside[0] in "!^" else f"[{inside}]"
    return re.escape(part[-1])
