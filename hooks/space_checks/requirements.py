"""requirements.txt parses and agrees with what the platform installs beside it.

The platform adds its own pins of gradio, spaces and the Hub client to the same pip call, so any
pin that disagrees with them, or with what they need, ends the build.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from .card import Facts, read_facts
from .card_values import ZERO_GPU
from .files import SpaceFiles
from .finding import Finding, error, warning

REQUIREMENTS = "requirements.txt"
PLATFORM_PACKAGES = frozenset({"gradio", "spaces", "huggingface-hub"})
# Packages that Gradio or its extras hold within narrow bounds, which move with its version.
CLASHING_PACKAGES = frozenset(
    {
        "anyio",
        "fastapi",
        "gradio-client",
        "hf-gradio",
        "httpx",
        "mcp",
        "pydantic",
        "pydantic-core",
        "starlette",
        "tomlkit",
        "typing-extensions",
        "uvicorn",
        "websockets",
    }
)


def check_requirements(files: SpaceFiles) -> list[Finding]:
    """Find lines that pip cannot read or that end the build, in included files too."""
    facts = read_facts(files)
    findings: list[Finding] = []
    waiting, seen = [REQUIREMENTS], set()
    while waiting:
        path = waiting.pop()
        text = files.text(path) if path in files.paths and path not in seen else None
        seen.add(path)
        for line in _logical_lines(path, text or ""):
            findings += _line_findings(line, files, facts)
            if line.included:
                waiting.append(line.included)
    return findings


_OPTION = re.compile(r"(--[a-z][a-z-]*|-[a-z])[\s=]*(.*)")
_SHORT = {
    "-r": "--requirement",
    "-c": "--constraint",
    "-e": "--editable",
    "-f": "--find-links",
    "-i": "--index-url",
}
_OPTIONS = frozenset(
    {
        *_SHORT.values(),
        "--extra-index-url",
        "--no-binary",
        "--no-index",
        "--only-binary",
        "--pre",
        "--prefer-binary",
        "--require-hashes",
        "--trusted-host",
        "--use-feature",
    }
)


@dataclass(frozen=True)
class _Line:
    """One line of a requirements file, continuations joined and comments dropped."""

    path: str
    number: int
    text: str

    @property
    def option(self) -> tuple[str, str] | None:
        """The long name and the value of an option line."""
        match = _OPTION.fullmatch(self.text)
        return (_SHORT.get(match[1], match[1]), match[2].strip("\"' ")) if match else None

    @property
    def included(self) -> str | None:
        """The file that this line includes, relative to the Space."""
        if self.option is None or self.option[0] not in ("--requirement", "--constraint"):
            return None
        name = self.option[1]
        return None if "://" in name else str(PurePosixPath(self.path).parent / name)


def _logical_lines(path: str, text: str) -> Iterator[_Line]:
    pending, start = "", 1
    for number, raw in enumerate([*text.splitlines(), ""], 1):
        start = start if pending else number
        if raw.endswith("\\"):
            pending += raw[:-1]
            continue
        stripped = re.sub(r"(^|\s)#.*", "", pending + raw).strip()
        pending = ""
        if stripped:
            yield _Line(path, start, stripped)


def _line_findings(line: _Line, files: SpaceFiles, facts: Facts) -> list[Finding]:
    if line.option is not None:
        return list(_option_findings(line, *line.option, files, facts))
    if re.match(r"(?:(?:git|hg|svn|bzr)\+|https?:|file:|\.{0,2}/)", line.text):
        return []
    if re.match(r"[\w./-]+\.(?:whl|zip|tar\.gz)$", line.text):
        return []
    return list(_requirement_findings(line, facts))


def _option_findings(
    line: _Line, name: str, value: str, files: SpaceFiles, facts: Facts
) -> Iterator[Finding]:
    if name not in _OPTIONS:
        message = f"pip reads no option {name} in a requirements file"
        yield error(line.path, line.number, message, "remove it")
    elif line.included and line.included not in files.paths:
        message = f"the included file {line.included} is not among the files of the Space"
        yield error(line.path, line.number, message, "add the file or remove the line")
    elif name == "--require-hashes" and facts.sdk in ("gradio", None):
        yield _hash_finding(line)
    elif "index-url" in name and facts.hardware == ZERO_GPU and re.search(r"/whl/cpu/?$", value):
        message = "an index of CPU builds: ZeroGPU refuses torch for CPU"
        yield error(line.path, line.number, message, "remove the line")


def _hash_finding(line: _Line) -> Finding:
    message = "with hashes pip refuses the packages that the platform adds without one"
    return error(line.path, line.number, message, "list direct dependencies without hashes")


_HASH = re.compile(r"\s--hash[= ]\S+")
_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?![A-Za-z0-9._-])\s*"
    r"(?:\[\s*(?:[A-Za-z0-9._-]+\s*(?:,\s*[A-Za-z0-9._-]+\s*)*)?\])?\s*"
    r"(?:@\s*(?P<url>\S+)(?:\s+;\s*\S.*)?|(?P<versions>[^;@]*)(?:;\s*\S.*)?)"
)
_NUMBER = r"\s*v?[0-9][A-Za-z0-9.!_-]*(?:\+[A-Za-z0-9._-]+)?"
_VERSION = re.compile(rf"[=!]={_NUMBER}(?:\.\*)?|(?:~=|<=|>=|<|>){_NUMBER}|===\s*\S+")


def _requirement_findings(line: _Line, facts: Facts) -> Iterator[Finding]:
    hashed = _HASH.search(line.text) is not None
    match = _REQUIREMENT.fullmatch(_HASH.sub("", line.text).strip())
    versions = _versions(match["versions"] or "") if match else None
    if match is None or versions is None:
        fix = "write name, or name with versions such as name>=1.2,<2"
        yield error(line.path, line.number, "pip cannot read this line", fix)
        return
    name = re.sub(r"[-_.]+", "-", match["name"]).lower()
    if facts.sdk in ("gradio", None):
        if hashed:
            yield _hash_finding(line)
        yield from _platform_findings(line, name, versions)
    if facts.hardware == ZERO_GPU and name.startswith("torch") and "+cpu" in str(versions):
        message = f"{name} is pinned to a CPU build, which ZeroGPU refuses"
        yield error(line.path, line.number, message, f"write {name} without +cpu")


def _versions(text: str) -> list[str] | None:
    """The version clauses of a requirement; None if there is one that pip cannot read."""
    inner = text.strip()
    if inner.startswith("(") and inner.endswith(")"):
        inner = inner[1:-1].strip()
    clauses = [clause.strip() for clause in inner.removesuffix(",").split(",")] if inner else []
    return clauses if all(_VERSION.fullmatch(clause) for clause in clauses) else None


def _platform_findings(line: _Line, name: str, versions: list[str]) -> Iterator[Finding]:
    exact = any(clause.startswith("==") and "*" not in clause for clause in versions)
    if name in PLATFORM_PACKAGES:
        fix = "remove it; the version of gradio is sdk_version in README.md"
        yield error(line.path, line.number, f"the platform adds {name} itself", fix)
    elif exact and name in CLASHING_PACKAGES:
        message = f"an exact version of {name} may disagree with what gradio needs"
        fix = f"write a lower bound, or leave {name} to gradio"
        yield warning(line.path, line.number, message, fix)
