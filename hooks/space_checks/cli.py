"""The command line: one line per finding, exit status 1 if one of them is an error."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .finding import Finding
from .run import check
from .tokens import redact


def main(argv: Sequence[str] | None = None) -> int:
    """Check one folder, by default the current one."""
    parser = argparse.ArgumentParser(
        prog="space_check", description="Check a Space folder before it is published."
    )
    parser.add_argument("folder", nargs="?", default=".", type=Path, help="the Space folder")
    folder = parser.parse_args(argv).folder
    if not folder.is_dir():
        parser.error(f"{folder} is not a folder")
    findings = check(folder)
    for finding in findings:
        print(_printable(render(finding)))
    return 1 if any(finding.level == "error" for finding in findings) else 0


def render(finding: Finding) -> str:
    """A finding the way compilers write it, so that editors can jump to the place."""
    place = finding.path if finding.line is None else f"{finding.path}:{finding.line}"
    return redact(f"{place}: {finding.level}: {finding.message} ({finding.fix})")


def _printable(text: str) -> str:
    """One line that every terminal can show: file names may hold line breaks and worse."""
    visible = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
    encoding = sys.stdout.encoding or "utf-8"
    return visible.encode(encoding, "backslashreplace").decode(encoding)
