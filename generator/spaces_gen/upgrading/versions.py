"""The template in the version that a Space was made with, wherever that is to be had."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from packaging.version import InvalidVersion, Version

from spaces_gen import __version__
from spaces_gen.bundle import bundle_root, staged_template
from spaces_gen.errors import UserError
from spaces_gen.git import CLONE_SECONDS, run_git
from spaces_gen.render import provenance
from spaces_gen.upgrading.recorded import Recorded, normal, public_source, repository


@dataclass(frozen=True)
class Template:
    """A template in a plain folder.

    Attributes:
        source, version: what a Space that is rendered from it records.
        exact: False where it stands in for a version that is nowhere to be had.
    """

    folder: Path
    source: str
    version: str | None
    exact: bool = True

    @property
    def provenance(self) -> dict[str, str]:
        """For the answers file."""
        return {"_src_path": self.source, **({"_commit": self.version} if self.version else {})}


def own_version() -> str | None:
    """The version that comes with this package; None in development."""
    return provenance().get("_commit")


@contextmanager
def template_of(recorded: Recorded, say: Callable[[str], None]) -> Iterator[Template]:
    """The template that a Space was made with.

    Where it is nowhere to be had, the one of this package stands in: what differs between the two
    then counts as the owner's edit and stays as it is.

    Raises:
        UserError: it cannot be had, and is newer than this package.
    """
    with ExitStack() as stack:
        try:
            template = stack.enter_context(template_at(recorded.source, recorded.version))
        except Missing as missing:
            if is_newer(recorded.version, __version__):
                raise UserError(
                    f"this Space was made with {recorded.version}, newer than this spaces-gen "
                    f"({__version__}), and {missing}; run pip install --upgrade spaces-gen"
                ) from missing
            say(f"{missing}; the template of this spaces-gen ({__version__}) stands in for it")
            folder = stack.enter_context(staged_template())
            template = Template(folder, recorded.source, recorded.version, exact=False)
        yield template


class Missing(UserError):
    """A version of the template that is nowhere to be had."""


@contextmanager
def template_at(source: str, version: str | None) -> Iterator[Template]:
    """One version of a template: from this package, from its checkout, or from its repository.

    Raises:
        Missing: it is in none of them.
    """
    ours = normal(source) == public_source()
    if version is None or (version == own_version() and ours):
        with staged_template() as folder:
            yield Template(folder, source, version)
        return
    with tempfile.TemporaryDirectory(prefix="spaces-gen-") as temporary:
        folder = Path(temporary) / "template"
        here = bundle_root()
        own = ours and (here / ".git").exists()
        if not own or check_out(str(here), version, folder) is not None:
            reason = check_out(repository(source), version, folder)
            if reason is not None:
                raise Missing(f"{version} of the template cannot be had ({reason})")
        yield Template(folder, source, version)


def check_out(repository: str, version: str, folder: Path) -> str | None:
    """Put a version of a repository into `folder`; returns why it failed."""
    shutil.rmtree(folder, ignore_errors=True)  # of a try before
    folder.mkdir()
    for arguments in (
        ["clone", "--quiet", "--no-checkout", "--", repository, "."],
        ["checkout", "--quiet", "--detach", version, "--"],
    ):
        reason = failure(folder, *arguments)
        if reason is not None:
            return reason
    shutil.rmtree(folder / ".git")  # Copier would take the newest tag, not what lies there
    return None


def latest(source: str) -> str:
    """The newest released version: of the repository, or of this package where it is newer.

    Raises:
        UserError: there is none.
    """
    tags = released(source)
    if not tags:
        raise UserError(f"{source} names no released version, or cannot be reached; try again")
    return tags[0]


def released(source: str) -> list[str]:
    """All released versions of a template, the newest first; that of this package is one."""
    with tempfile.TemporaryDirectory(prefix="spaces-gen-") as folder:
        try:
            done = run_git(
                "ls-remote", "--tags", "--refs", "--", repository(source), cwd=Path(folder)
            )
            lines = done.stdout.decode("utf-8", "replace").splitlines()
        except (OSError, subprocess.TimeoutExpired):
            lines = []
    tags = {line.split("refs/tags/", 1)[1] for line in lines if "refs/tags/" in line}
    own = own_version()
    if own and normal(source) == public_source():
        tags.add(own)
    known = {tag: version for tag in tags if (version := parsed(tag)) and not version.is_prerelease}
    return sorted(known, key=lambda tag: known[tag], reverse=True)


def parsed(version: str | None) -> Version | None:
    """A version that can be compared; None for a commit."""
    try:
        return Version(version or "")
    except InvalidVersion:
        return None


def is_newer(version: str | None, than: str | None) -> bool:
    """Whether a version comes after another; False where they cannot be compared."""
    one, other = parsed(version), parsed(than)
    return one is not None and other is not None and one > other


def failure(cwd: Path, *arguments: str) -> str | None:
    """Run git; returns what it complains of, None where it does not."""
    try:
        done = run_git(*arguments, cwd=cwd, seconds=CLONE_SECONDS)
    except OSError:
        return "git is not installed"
    except subprocess.TimeoutExpired:
        return "its repository does not answer"
    if done.returncode == 0:
        return None
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1].removeprefix("fatal: ").removeprefix("error: ") if lines else "git failed"
