"""The files of a Space folder that would be published, and a safe way to read them.

Reading never leaves the folder through a link, never blocks on anything but a regular file and
never takes in more than READ_LIMIT bytes at once.
"""

from __future__ import annotations

import os
import stat
import subprocess
import tempfile
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

READ_LIMIT = 10 * 1024 * 1024
OVERLAP = 4096  # longer than what is looked for
UNDO = ".spaces-gen-undo"  # where `spaces-gen upgrade` prepares a change
SKIPPED_FOLDERS = frozenset(
    {
        ".git",
        ".venv",
        "venv",
        "__pycache__",
        ".gradio",
        ".cache",
        "node_modules",
        ".ruff_cache",
        ".mypy_cache",
        ".pytest_cache",
        ".ipynb_checkpoints",
        ".tox",
        ".nox",
        ".idea",
        ".vscode",
        UNDO,
    }
)
# Of editors and file managers, and what `spaces-gen publish` notes for itself.
SKIPPED_FILES = ("*.pyc", "*.swp", "*.swo", "*~", ".DS_Store", "Thumbs.db", "desktop.ini")
RECORD = ".spaces-gen.json"
_HEAD = 8192
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class SpaceFiles:
    """A folder and what lies in it, as sorted paths with forward slashes, relative to `root`.

    `unread` names a .gitignore that could not be obeyed, as there is no git.
    """

    root: Path
    paths: tuple[str, ...]
    unread: str | None = None

    def real(self, path: str) -> Path | None:
        """The regular file behind `path`; None for anything else and for what lies outside."""
        try:
            target = (self.root / path).resolve()
            if target.is_relative_to(self.root) and stat.S_ISREG(target.stat().st_mode):
                return target
        except (OSError, RuntimeError, ValueError):
            pass
        return None

    def size(self, path: str) -> int | None:
        """The size in bytes of the file behind `path`."""
        target = self.real(path)
        try:
            return target.stat().st_size if target else None
        except OSError:
            return None

    def read(self, path: str, limit: int = READ_LIMIT) -> bytes | None:
        """The first bytes of a file; None if there is no such file or it cannot be read."""
        target = self.real(path)
        if target is None:
            return None
        try:
            with target.open("rb") as stream:
                return stream.read(limit)
        except OSError:
            return None

    def windows(self, path: str) -> Iterator[tuple[int, bytes]]:
        """All of a file in overlapping parts, each with the number of lines before it."""
        target = self.real(path)
        try:
            stream = target.open("rb") if target else None
        except OSError:
            stream = None
        if stream is None:
            return
        with stream:
            lines, overlap = 0, b""
            while part := stream.read(READ_LIMIT):
                window = overlap + part
                yield lines, window
                overlap = window[-OVERLAP:]
                lines += window.count(b"\n") - overlap.count(b"\n")

    def text(self, path: str) -> str | None:
        """The text of a file, bytes that are no UTF-8 replaced; None for a binary file."""
        head = self.read(path, _HEAD) or b""
        encoding = "utf-16" if head.startswith(_UTF16_MARKS) else "utf-8-sig"
        if b"\0" in head and encoding != "utf-16":
            return None
        data = self.read(path)
        return None if data is None else data.decode(encoding, "replace")


def list_files(root: Path) -> SpaceFiles:
    """List a Space folder the way git sees it, or by walking it where git has nothing to say.

    A folder that is ignored by a repository further up has an empty git view; like one without a
    repository it is listed as if it were one of its own, so that its .gitignore counts.
    """
    root = root.resolve()
    names = _existing(root, _ask_git(root)) or _existing(root, _ask_git_of_its_own(root))
    unread = None
    if not names:
        names = _existing(root, _walk(root))
        unread = next((name for name in sorted(names) if _is_gitignore(name)), None)
    environments = {str(PurePosixPath(name).parent) for name in names if _is_venv_marker(name)}
    kept = (name for name in names if not _is_skipped(name, environments))
    return SpaceFiles(root, tuple(sorted(kept)), unread)


def without(files: SpaceFiles, paths: Container[str]) -> SpaceFiles:
    """The files but for those at `paths`."""
    kept = tuple(path for path in files.paths if path not in paths)
    return SpaceFiles(files.root, kept, files.unread)


def _existing(root: Path, names: Iterable[str]) -> set[str]:
    """Those that are there: git also lists tracked files that were deleted, and submodules."""
    return {name for name in names if _is_file(root / name)}


def _ask_git(root: Path) -> list[str]:
    """The tracked files and the untracked ones that are not ignored; empty without a repository."""
    return _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")


def _ask_git_of_its_own(root: Path) -> list[str]:
    """What is not ignored, as an empty repository around the folder sees it."""
    with tempfile.TemporaryDirectory(prefix="space-check-") as repository:
        _git(root, "init", "--quiet", "--bare", repository)
        where = [f"--git-dir={repository}", f"--work-tree={root}"]
        return _git(root, *where, "ls-files", "-z", "--others", "--exclude-standard")


def _git(root: Path, *arguments: str) -> list[str]:
    """What git lists; nothing where it fails or is not installed.

    Variables such as GIT_DIR and GIT_INDEX_FILE are dropped, because a hook inherits those of the
    commit it runs in. The file system monitor is off, because it is a command the folder names.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        result = subprocess.run(
            ["git", "-c", "core.fsmonitor=false", *arguments],
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [os.fsdecode(name) for name in result.stdout.split(b"\0") if name]


def _walk(root: Path) -> Iterator[str]:
    """Every file, and every link whatever it leads to; links are not followed."""
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        links = [name for name in folders if (here / name).is_symlink()]
        folders[:] = [name for name in folders if name not in SKIPPED_FOLDERS]
        for name in [*names, *links]:
            yield (here / name).relative_to(root).as_posix()


def _is_venv_marker(name: str) -> bool:
    path = PurePosixPath(name)
    return path.name == "pyvenv.cfg" and len(path.parts) > 1


def _is_gitignore(name: str) -> bool:
    return PurePosixPath(name).name == ".gitignore"


def _is_skipped(name: str, environments: set[str]) -> bool:
    """Whether a path is or lies in a cache, a dependency folder or a virtual environment."""
    path = PurePosixPath(name)
    return (
        name == RECORD
        or not SKIPPED_FOLDERS.isdisjoint(path.parts)
        or any(path.match(pattern) for pattern in SKIPPED_FILES)
        or any(str(parent) in environments for parent in path.parents)
    )


def _is_file(path: Path) -> bool:
    """A regular file or a link, not a folder, a socket or nothing."""
    try:
        mode = path.lstat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(mode) or stat.S_ISLNK(mode)
