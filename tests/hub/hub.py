"""The Hub as a test sees it: accounts, repos, what was asked for, and what is to go wrong."""

from __future__ import annotations

import secrets
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from hub.accounts import Accounts, Org, Role, Token, User
from hub.answers import Request
from hub.desk import Desk
from hub.faults import Fault, Trigger
from hub.objects import Blob, Commit
from hub.repos import Repo
from hub.routes.repos import seeds
from hub.server import Server
from hub.spaces import Space
from hub.xet import Cas

BUSY = "Cannot create repo: another conflicting operation is in progress"


class Hub:
    """A Hub on this machine; a context manager.

    Attributes:
        no_card_status: with which paid hardware is refused without a card: 402 or 403.
        page_size: how many files or commits one page lists.
        moved: names that models had before, with those that they have now.
        lock: held while anything is looked at or changed.
    """

    def __init__(self) -> None:
        self.accounts = Accounts()
        self.repos: dict[tuple[str, str], Repo] = {}
        self.no_card_status = 402
        self.page_size = 1000
        self.moved: dict[str, str] = {}
        self.secret = secrets.token_hex(8)
        self.lock = threading.RLock()
        self.closed = threading.Event()
        self._folder = tempfile.TemporaryDirectory(prefix="hub-")
        self.cas = Cas(Path(self._folder.name) / "cas")
        self._desk = Desk(self)
        self._server = Server(self._desk.answer)

    def __enter__(self) -> Hub:
        self._server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.closed.set()
        self._server.stop()
        self._folder.cleanup()
        if self._desk.crashes and error is None:
            raise AssertionError("the local Hub itself went wrong") from self._desk.crashes[0]

    # what there is

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def requests(self) -> list[Request]:
        """Every request, in the order of arrival."""
        return self._desk.requests

    @property
    def writes(self) -> list[Request]:
        """The requests that changed something or tried to."""
        with self.lock:
            return [request for request in self.requests if request.write]

    def user(self, name: str, *, pro: bool | None = None, can_pay: bool | None = None) -> User:
        """A person, as they are or, where it is said, become."""
        with self.lock:
            user = self.accounts.users.setdefault(name, User(name))
            user.pro = user.pro if pro is None else pro
            user.can_pay = user.can_pay if can_pay is None else can_pay
            return user

    def org(
        self,
        name: str,
        *,
        plan: str | None = None,
        can_pay: bool = False,
        members: Mapping[str, str] | None = None,
    ) -> Org:
        """A new organization; `plan` is None, "team" or "enterprise"."""
        with self.lock:
            for member in members or {}:
                self.user(member)
            self.accounts.orgs[name] = Org(name, plan, can_pay, dict(members or {}))
            return self.accounts.orgs[name]

    def token(
        self,
        user: str,
        *,
        role: Role = "write",
        name: str | None = None,
        scopes: Mapping[str, list[str]] | None = None,
    ) -> str:
        """A new token of a user.

        Args:
            name: by which requests show it; without one: user and role.
            scopes: of a fine-grained one, as {"me": ["repo.write"], "me/demo": [...]}.
        """
        with self.lock:
            value = f"hf_{secrets.token_hex(17)}"
            named = name or f"{user} {role}"
            owner = self.user(user)
            self.accounts.tokens[value] = Token(value, named, owner, role, dict(scopes or {}))
            return value

    def revoke(self, token: str) -> None:
        with self.lock:
            del self.accounts.tokens[token]

    def space(self, repo_id: str) -> Space:
        """A Space that is there."""
        space = self.repos["spaces", repo_id]
        assert isinstance(space, Space)
        return space

    def has_space(self, repo_id: str) -> bool:
        return ("spaces", repo_id) in self.repos

    @property
    def spaces(self) -> list[Space]:
        return [repo for repo in self.repos.values() if isinstance(repo, Space)]

    def add_space(
        self,
        repo_id: str,
        files: Mapping[str, bytes] | None = None,
        *,
        sdk: str = "gradio",
        hardware: str | None = None,
        visibility: str = "public",
        creator: str | None = None,
    ) -> Space:
        """A Space that has been running for long, whatever its owner may have today."""
        with self.lock:
            tree = {path: Blob(content) for path, content in (files or {}).items()}
            who = creator or repo_id.split("/")[0]
            tree = {**seeds(repo_id, sdk), **tree}
            space = Space(repo_id, visibility, who, tree, sdk=sdk, hardware=hardware)
            space.run()
            self.repos["spaces", repo_id] = space
            return space

    def add_model(
        self,
        repo_id: str,
        files: Mapping[str, bytes],
        *,
        visibility: str = "public",
        gated: bool | str = False,
        sizes: Mapping[str, int] | None = None,
        **about: Any,
    ) -> Repo:
        """A model.

        Args:
            gated: "auto" or "manual" where its files are for those only who were granted them.
            sizes: of large files, which nobody downloads.
            about: what its page says beside its card; see `Repo`.
        """
        with self.lock:
            tree = {path: Blob(content) for path, content in files.items()}
            large = {path: Blob.large("0" * 64, size) for path, size in (sizes or {}).items()}
            who = repo_id.split("/")[0]
            repo = Repo("models", repo_id, visibility, who, {**tree, **large}, "initial commit")
            repo.about, repo.gated = about, gated
            self.repos["models", repo_id] = repo
            return repo

    # what goes wrong

    def fail(
        self,
        method: str,
        path: str,
        *,
        status: int | None = 503,
        times: int | None = 1,
        when: Literal["before", "after"] = "before",
        drop: bool = False,
        delay: float = 0.0,
        headers: Mapping[str, str] | None = None,
        error: str = Fault.error,
        skip: int = 0,
    ) -> Fault:
        """Let requests with this method ("*": any) and a path that holds this regex fail.

        The path is the one of `requests`: unquoted, without the query. See `Fault` for the rest.
        """
        fault = Fault(method, path, status, times, when, drop, delay, headers or {}, error, skip)
        with self.lock:
            return self._desk.faults.add(fault)

    def fail_nth(self, number: int, **how: Any) -> Fault:
        """Let the n-th request from now fail, whatever it is; the next one is number 1."""
        return self.fail("*", "", skip=number - 1, **how)

    def busy(self, times: int | None = None) -> Fault:
        """Refuse to create repos because of another operation, over which the client retries."""
        return self.fail("POST", "/api/repos/create$", status=409, times=times, error=BUSY)

    def works_again(self) -> None:
        """Forget all faults and triggers."""
        with self.lock:
            self._desk.faults.clear()

    def before(
        self, method: str, path: str, action: Callable[[], object], *, skip: int = 0
    ) -> Trigger:
        """Do something once, right before such a request is looked at."""
        with self.lock:
            return self._desk.faults.before(Trigger(method, path, action, skip))

    def someone_commits(
        self,
        repo_id: str,
        files: Mapping[str, bytes | None],
        *,
        author: str = "other",
        title: str = "Someone else was here",
        before: tuple[str, str] | None = None,
    ) -> Commit | None:
        """Commit to a Space behind the client's back; None deletes a file.

        Args:
            before: method and regex of the request right before which it happens, once; None: now.
        """

        def commit() -> Commit:
            with self.lock:
                return self.space(repo_id).change(files, title=title, author=author)

        if before is None:
            return commit()
        self.before(*before, commit)
        return None
