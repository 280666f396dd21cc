"""Files as a merge sees them: bytes and a mode, in a folder or elsewhere."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from spaces_gen.errors import UserError

MOST_BYTES = 100_000_000  # of a file that is read whole


@dataclass(frozen=True)
class File:
    """One file; `odd` says why it is no regular one of the Space's own, and cannot be merged."""

    data: bytes
    executable: bool = False
    odd: str = ""


Tree = Mapping[str, File]


class Files(Protocol):
    """The owner's files, read one by one as they are needed."""

    def read(self, path: str) -> File | None:
        """The file at `path`; None where there is none."""


class Folder:
    """Files of a folder here."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def read(self, path: str) -> File | None:
        """The file at `path`; None where there is none.

        Raises:
            UserError: it cannot be read.
        """
        full = self.root / path
        for folder in full.relative_to(self.root).parents:
            if (self.root / folder).is_symlink():
                return File(b"", odd=f"lies behind the link {folder.as_posix()}")
        try:
            status = full.lstat()
            if stat.S_ISLNK(status.st_mode):
                return File(b"", odd="is a link here")
            if not stat.S_ISREG(status.st_mode):
                return File(b"", odd="is no file here")
            if status.st_size > MOST_BYTES:
                return File(b"", odd=f"is larger than {MOST_BYTES // 10**6} MB here")
            return File(full.read_bytes(), bool(status.st_mode & stat.S_IXUSR))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise UserError(
                f"{path} cannot be read ({os.strerror(error.errno or 0)}); nothing was changed"
            ) from error


def read_tree(folder: Path) -> dict[str, File]:
    """All files of a rendered folder, by their paths with forward slashes."""
    files = Folder(folder)
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        file = None if path.is_dir() else files.read(name)
        if file is not None:
            found[name] = file
    return found
