"""Repos: commits, branches, tags and pull requests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from hub.answers import Refused
from hub.objects import Blob, Commit, Lfs, Tree

MAIN = "refs/heads/main"
TYPES = {"models": "model", "datasets": "dataset", "spaces": "space"}


def now() -> datetime:
    return datetime.now(timezone.utc)


def stamp(when: datetime) -> str:
    """A time as the Hub writes it; the client reads no other form."""
    return f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond // 1000:03d}Z"


@dataclass
class PullRequest:
    """A pull request; a discussion is one without changes."""

    num: int
    title: str
    description: str
    author: str
    base: str
    status: str = "open"
    is_pull_request: bool = True
    merge_commit: str | None = None
    created: datetime = field(default_factory=now)

    @property
    def ref(self) -> str:
        return f"refs/pr/{self.num}"


class Repo:
    """A repo of any kind, from its first commit on.

    A test may set, at any time:
        about: what the Hub says of a model beside what its card says, by the names of its API:
            safetensors, config, transformersInfo, gguf, tags, pipeline_tag, library_name.
        gated: False, "auto" or "manual"; everybody sees the page, and only `granted` the files.
        granted: users who may read the files of a gated model, beside its owners.

    Args:
        kind: as paths have it: models, datasets or spaces.
        creator: who made it; a contributor of an organization may change only such ones.
    """

    def __init__(
        self, kind: str, repo_id: str, visibility: str, creator: str, files: Tree, title: str
    ) -> None:
        self.kind = kind
        self.id = repo_id
        self.visibility = visibility
        self.creator = creator
        self.created = now()
        self.about: dict[str, Any] = {}
        self.gated: bool | str = False
        self.granted: set[str] = set()
        self.lfs: dict[str, bytes] = {}
        self.refs: dict[str, str] = {}
        self.pull_requests: list[PullRequest] = []
        self._commits: dict[str, Commit] = {}
        self._add(Commit(None, title, "", creator, now(), dict(files)), MAIN)

    @property
    def type(self) -> str:
        return TYPES[self.kind]

    @property
    def private(self) -> bool:
        """Whether strangers cannot read it; of a protected Space they see only the app."""
        return self.visibility != "public"

    @property
    def sha(self) -> str:
        return self.refs[MAIN]

    @property
    def commits(self) -> list[Commit]:
        """Those of main, newest last."""
        return self.history(self._commits[self.sha])

    def history(self, commit: Commit) -> list[Commit]:
        """A commit with all before it, newest last."""
        line = [commit]
        while line[-1].parent:
            line.append(self._commits[line[-1].parent])
        return line[::-1]

    def find(self, revision: str) -> Commit | None:
        """A commit by branch, tag, ref, id or at least 7 characters of its id."""
        for ref in (f"refs/heads/{revision}", f"refs/tags/{revision}", revision):
            if ref in self.refs:
                return self._commits[self.refs[ref]]
        if not re.fullmatch("[0-9a-f]{7,40}", revision):
            return None
        found = [commit for sha, commit in self._commits.items() if sha.startswith(revision)]
        return found[0] if len(found) == 1 else None

    def at(self, revision: str) -> Commit:
        """As `find`; what is not there is refused."""
        commit = self.find(revision)
        if commit is None:
            raise Refused(404, f"Invalid rev id: {revision}", code="RevisionNotFound")
        return commit

    def ref(self, revision: str) -> str:
        """The branch or pull request that a commit on `revision` moves."""
        for ref in (f"refs/heads/{revision}", revision):
            if ref in self.refs and not ref.startswith("refs/tags/"):
                return ref
        raise Refused(404, f"Invalid rev id: {revision}", code="RevisionNotFound")

    def files(self, revision: str = "main") -> dict[str, bytes]:
        """Every file with its content, large ones too."""
        return {path: self.content(blob) for path, blob in self.at(revision).tree.items()}

    def content(self, blob: Blob) -> bytes:
        return self.lfs[blob.lfs.oid] if blob.lfs else blob.data

    def large(self, content: bytes, oid: str) -> Blob:
        """Keep the content of a large file."""
        self.lfs[oid] = content
        return Blob.large(oid, len(content))

    def has(self, lfs: Lfs) -> bool:
        return lfs.oid in self.lfs

    def commit(
        self, tree: Tree, *, ref: str, parent: str, title: str, description: str, author: str
    ) -> Commit:
        """Add a commit and move `ref` to it."""
        return self._add(Commit(parent, title, description, author, now(), dict(tree)), ref)

    def change(self, files: Mapping[str, bytes | None], *, title: str, author: str) -> Commit:
        """Commit regular files on main; None deletes one."""
        tree = dict(self.at("main").tree)
        for path, content in files.items():
            if content is None:
                del tree[path]
            else:
                tree[path] = Blob(content)
        return self.commit(
            tree, ref=MAIN, parent=self.sha, title=title, description="", author=author
        )

    def open(
        self, title: str, description: str, author: str, base: str, **more: object
    ) -> PullRequest:
        """A new pull request (or discussion) whose commits start from `base`."""
        number = len(self.pull_requests) + 1
        opened = PullRequest(number, title, description, author, base)
        for name, value in more.items():
            setattr(opened, name, value)
        self.pull_requests.append(opened)
        if opened.is_pull_request:
            self.refs[opened.ref] = base
        return opened

    def pull_request(self, number: int) -> PullRequest:
        if not 1 <= number <= len(self.pull_requests):
            raise Refused(404, "Discussion not found")
        return self.pull_requests[number - 1]

    def conflicts(self, pull_request: PullRequest) -> list[str]:
        """Files that main and the pull request changed since they parted, each in its own way."""
        base, ours, theirs = self._three(pull_request)
        return sorted(
            path
            for path in {*base, *theirs}
            if base.get(path) != theirs.get(path)
            and ours.get(path) not in (base.get(path), theirs.get(path))
        )

    def merge(self, pull_request: PullRequest, author: str) -> Commit:
        """Bring what the pull request changed into main."""
        base, ours, theirs = self._three(pull_request)
        tree = dict(ours)
        for path in {*base, *theirs}:
            if base.get(path) == theirs.get(path):
                continue
            if path in theirs:
                tree[path] = theirs[path]
            else:
                tree.pop(path, None)
        commit = self.commit(
            tree,
            ref=MAIN,
            parent=self.sha,
            title=f"{pull_request.title} (#{pull_request.num})",
            description=pull_request.description,
            author=author,
        )
        pull_request.status = "merged"
        pull_request.merge_commit = commit.sha
        return commit

    def copy_history(self, source: Repo) -> None:
        """Become what `source` is on main, with its history."""
        self.lfs = dict(source.lfs)
        self._commits = {commit.sha: commit for commit in source.commits}
        self.refs = {MAIN: source.sha}

    def squash(self, branch: str, title: str, author: str) -> Commit:
        """Replace the history of a branch by one commit."""
        tree = self.at(branch).tree
        return self._add(Commit(None, title, "", author, now(), tree), self.ref(branch))

    def pushed(self) -> None:
        """Called after each commit on main."""

    def _three(self, pull_request: PullRequest) -> tuple[Tree, Tree, Tree]:
        return (
            self._commits[pull_request.base].tree,
            self.at("main").tree,
            self.at(pull_request.ref).tree,
        )

    def _add(self, commit: Commit, ref: str) -> Commit:
        self._commits[commit.sha] = commit
        first = not self.refs
        self.refs[ref] = commit.sha
        if ref == MAIN and not first:
            self.pushed()
        return commit
