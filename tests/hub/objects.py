"""Git objects as the Hub names them: blobs, LFS pointers, trees and commits, with real ids."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


def git_id(kind: str, data: bytes) -> str:
    """What git calls an object of this kind and content."""
    return hashlib.sha1(f"{kind} {len(data)}\0".encode() + data).hexdigest()


@dataclass(frozen=True)
class Lfs:
    """What the pointer of a large file points to."""

    oid: str
    size: int

    @property
    def pointer(self) -> bytes:
        return (
            f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.oid}\nsize {self.size}\n"
        ).encode()


@dataclass(frozen=True)
class Blob:
    """A file in a tree; `data` of a large file is its pointer, as in git."""

    data: bytes = field(repr=False)
    lfs: Lfs | None = None
    oid: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "oid", git_id("blob", self.data))

    @classmethod
    def large(cls, oid: str, size: int) -> Blob:
        lfs = Lfs(oid, size)
        return cls(lfs.pointer, lfs)

    @property
    def size(self) -> int:
        """Of the file, not of its pointer."""
        return self.lfs.size if self.lfs else len(self.data)


Tree = Mapping[str, Blob]


def folder_ids(tree: Tree) -> dict[str, str]:
    """The id of each folder's tree; "" is the root."""
    entries: dict[str, dict[str, tuple[bytes, str]]] = defaultdict(dict)
    entries[""] = {}
    for path, blob in tree.items():
        folder, _, name = path.rpartition("/")
        entries[folder][name] = (b"100644", blob.oid)
        while folder:
            folder = folder.rpartition("/")[0]
            entries[folder]  # a folder that holds nothing but folders
    ids = {}
    for folder in sorted(entries, key=lambda path: path.count("/") + bool(path), reverse=True):
        ids[folder] = _tree_id(entries[folder])
        if folder:
            parent, _, name = folder.rpartition("/")
            entries[parent][name] = (b"40000", ids[folder])
    return ids


def _tree_id(entries: Mapping[str, tuple[bytes, str]]) -> str:
    def key(name: str) -> bytes:
        return (name + "/" if entries[name][0] == b"40000" else name).encode()

    lines = [
        entries[name][0] + b" " + name.encode() + b"\0" + bytes.fromhex(entries[name][1])
        for name in sorted(entries, key=key)
    ]
    return git_id("tree", b"".join(lines))


@dataclass(frozen=True)
class Commit:
    """A commit and all that it holds: `tree` has every file by its path."""

    parent: str | None
    title: str
    description: str
    author: str
    date: datetime
    tree: Tree = field(repr=False)
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        who = (
            f"{self.author} <{self.author}@users.noreply.hf.co> {int(self.date.timestamp())} +0000"
        )
        lines = [f"tree {folder_ids(self.tree)['']}"]
        lines += [f"parent {self.parent}"] if self.parent else []
        lines += [f"author {who}", f"committer {who}", "", self.title]
        lines += ["", self.description] if self.description else []
        text = "\n".join(lines) + "\n"
        object.__setattr__(self, "sha", git_id("commit", text.encode()))
