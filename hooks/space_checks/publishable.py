"""Files that should never be published, and files that nobody could look into."""

from __future__ import annotations

from pathlib import PurePosixPath

from .files import SpaceFiles
from .finding import Finding, error, warning

_EXAMPLES = (".example", ".sample", ".template", ".dist")
_CREDENTIAL_FILES = frozenset({".netrc", ".git-credentials", ".pypirc"})


def check_publishable(files: SpaceFiles) -> list[Finding]:
    """Find environment and credential files, links out of the folder and unreadable files."""
    findings = []
    if files.unread is not None:
        message = "git is not installed, so it is not known what this file keeps back"
        findings.append(warning(files.unread, None, message, "install git"))
    for path in files.paths:
        if is_private(path):
            findings.append(
                error(
                    path,
                    None,
                    "this file holds settings of your machine and must not be published",
                    "add it to .gitignore and set secrets and variables on the Space",
                )
            )
        elif (files.root / path).is_symlink():
            findings += _link(files, path)
        elif files.read(path, 1) is None:
            fix = "make it readable for you, or delete it"
            findings.append(warning(path, None, "unreadable, so nothing in it was checked", fix))
    return findings


def stay_here(files: SpaceFiles) -> dict[str, str]:
    """The listed files that must not leave this machine, each with the reason."""
    private = {path: "private settings" for path in files.paths if is_private(path)}
    links = {
        path: "a link that leads out or to something private"
        for path in files.paths
        if (files.root / path).is_symlink() and _link(files, path)
    }
    return {**private, **links}


def is_private(path: str) -> bool:
    """Whether a file's name says that it is private; .env.example and the like are not."""
    name = PurePosixPath(path).name
    if name in _CREDENTIAL_FILES:
        return True
    return name.startswith(".env") and not name.endswith(_EXAMPLES)


def _link(files: SpaceFiles, path: str) -> list[Finding]:
    """A link must lead to something within the folder that may be published itself."""
    try:
        target = (files.root / path).resolve(strict=True)
    except (OSError, RuntimeError):
        return [error(path, None, "this link leads nowhere", "delete it or restore its target")]
    if not target.is_relative_to(files.root):
        fix = "replace the link by a copy of what is needed"
        return [error(path, None, "this link leads out of the folder", fix)]
    inner = target.relative_to(files.root)
    if is_private(inner.as_posix()) or ".git" in inner.parts:
        return [error(path, None, "this link leads to a private file", "delete the link")]
    return []
