"""A Space's folder as it would be published: its files and what its answers say."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from spaces_gen.answers import read_answers
from spaces_gen.check import space_checks
from spaces_gen.errors import UserError

IN_MEMORY_BYTES = 10 * 2**20
CHUNK_BYTES = 2**20


@dataclass(frozen=True)
class LocalFile:
    """A file that is published.

    Attributes:
        path: of the file here, behind a link if it is one.
        content: as it was when it was checked; None for a large file.
    """

    path: Path
    size: int
    content: bytes | None

    @cached_property
    def blob_id(self) -> str:
        """Name of the content in git, as the Hub tells it of regular files."""
        return self._digest(hashlib.sha1(f"blob {self.size}\0".encode(), usedforsecurity=False))

    @cached_property
    def sha256(self) -> str:
        """Name of the content in LFS."""
        return self._digest(hashlib.sha256())

    def _digest(self, digest: Any) -> str:
        if self.content is not None:
            digest.update(self.content)
        else:
            with self.path.open("rb") as file:
                while part := file.read(CHUNK_BYTES):
                    digest.update(part)
        return str(digest.hexdigest())


@dataclass(frozen=True)
class LocalSpace:
    """What is published, and what stays.

    Attributes:
        files: by path in the Space.
        left_out: the reason by path.
        hardware: by the answers, else by the card; None where neither says.
        sdk: by the card.
    """

    root: Path
    files: Mapping[str, LocalFile]
    left_out: Mapping[str, str]
    hardware: str | None
    sdk: str


def read_local(folder: Path) -> LocalSpace:
    """Read and check a Space's folder.

    Raises:
        UserError: it is no Space, or a check finds an error in what would be published.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}")
    checks = space_checks()
    listed = checks.list_files(folder)
    if listed.unread is not None:
        raise UserError(
            f"not published: git is not installed, so it is not known what {listed.unread} keeps "
            "back; install git"
        )
    left_out = checks.stay_here(listed)
    published = checks.without(listed, left_out)
    errors = [one for one in checks.check_files(published) if one.level == "error"]
    if errors:
        more = f" (and {len(errors) - 1} more: spaces-gen check {folder})" if errors[1:] else ""
        raise UserError(f"not published: {checks.render(errors[0])}{more}")
    files = {path: read_file(published, path) for path in published.paths}
    facts = checks.read_facts(published)
    said = read_answers(folder).get("hardware")
    hardware = said if isinstance(said, str) and said else facts.hardware
    return LocalSpace(listed.root, files, left_out, hardware, facts.sdk)


def read_file(files: Any, path: str) -> LocalFile:
    """One of the listed files.

    Raises:
        UserError: it cannot be read.
    """
    real, size = files.real(path), files.size(path)
    content = None
    if real is not None and size is not None and size <= IN_MEMORY_BYTES:
        content = files.read(path)
        size = None if content is None else len(content)
    if real is None or size is None:
        raise UserError(f"{path} cannot be read; make it readable, or delete it")
    return LocalFile(real, size, content)
