"""What is remembered of the last publish, in a file of the Space that is never published."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from spaces_gen.check import space_checks
from spaces_gen.git import run_git

SCRYPT = {"n": 2**14, "r": 8, "p": 1}  # parameters of RFC 7914, section 2, for interactive use


@dataclass(frozen=True)
class Sent:
    """A secret that was sent: when, by the Hub's clock, and a slow hash to tell it from others."""

    updated: str
    salt: str
    digest: str

    def is_of(self, value: str) -> bool:
        """Whether it was this value."""
        return hmac.compare_digest(fingerprint(value, self.salt), self.digest)


@dataclass(frozen=True)
class Record:
    """The last publish.

    Attributes:
        commit: what the Space was at then.
        files: git's name of the content by path, at that commit.
    """

    endpoint: str
    repo_id: str
    commit: str
    files: Mapping[str, str]
    secrets: Mapping[str, Sent] = field(default_factory=dict)


def read_record(folder: Path) -> Record | None:
    """The record in a Space's folder; None where there is none that can be read, or trusted."""
    if is_tracked(folder):
        return None
    try:
        data = json.loads(path_in(folder).read_text(encoding="utf-8"))
        sent = {key: Sent(**one) for key, one in data.pop("secrets", {}).items()}
        return Record(**data, secrets=sent)
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def write_record(folder: Path, record: Record) -> None:
    """Replace the record, whole or not at all."""
    path = path_in(folder)
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(asdict(record), indent=1) + "\n", encoding="utf-8")
    os.replace(part, path)


def is_tracked(folder: Path) -> bool:
    """Whether the record came with a git repository, so that anybody may have written it.

    It names the Space that is published to, and which files there may be overwritten.
    """
    # of any case, since some file systems do not tell them apart
    return bool(git(folder, "ls-files", "--", f":(icase){path_in(folder).name}"))


def path_in(folder: Path) -> Path:
    """Of the record in a Space's folder."""
    return folder / str(space_checks().RECORD)


def sent(value: str, updated: str) -> Sent:
    """What to remember of a secret."""
    salt = secrets.token_hex(16)
    return Sent(updated, salt, fingerprint(value, salt))


def fingerprint(value: str, salt: str) -> str:
    """A hash that takes long to try values with."""
    return hashlib.scrypt(value.encode(), salt=bytes.fromhex(salt), **SCRYPT).hex()


def cloned(folder: Path, endpoint: str, repo_id: str) -> Record | None:
    """The state of the Space that a git clone of it is based on; None where it is no clone.

    What was only fetched is not in the files yet, and would be overwritten if it counted.
    """
    address = re.compile(rf"{re.escape(endpoint)}/spaces/{re.escape(repo_id)}(\.git)?/?")
    for line in git(folder, "remote", "--verbose").splitlines():
        name, url, *_ = line.split()
        plain = re.sub(r"^(https?://)[^/@]*@", r"\1", url)
        commit = git(folder, "merge-base", "HEAD", f"refs/remotes/{name}/main")
        if address.fullmatch(plain) and commit:
            listed = git(folder, "ls-tree", "-r", "-z", "--full-tree", commit).split("\0")
            entries = [entry.split("\t", 1) for entry in listed if entry]
            files = {path: about.split()[2] for about, path in entries}
            return Record(endpoint, repo_id, commit, files)
    return None


def git(folder: Path, *arguments: str) -> str:
    """What git says; nothing where it fails, or is not installed."""
    try:
        # the file system monitor is a command that the folder names
        done = run_git("-c", "core.fsmonitor=false", *arguments, cwd=folder)
    except (OSError, subprocess.SubprocessError):
        return ""
    return "" if done.returncode else os.fsdecode(done.stdout).strip("\n")
