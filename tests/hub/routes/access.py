"""Which repo a request is about, and whether it may read or change it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hub.accounts import Org, Token, User
from hub.answers import Refused, Request
from hub.repos import Repo
from hub.spaces import Space

if TYPE_CHECKING:
    from hub.hub import Hub

NOT_A_WRITER = "Forbidden: pass `create_pr=1` as a query parameter to create a Pull Request"
NO_RIGHTS = "You don't have the required permissions to perform this action"


def missing(request: Request) -> Refused:
    """What is said of a repo that is not there, or that one may not know of."""
    status = 404 if request.credentials else 401
    return Refused(status, "Repository not found", code="RepoNotFound")


def credentials(request: Request) -> Token:
    """The token that a request must have."""
    if request.credentials is None:
        # On https the client takes every such 401 for a missing repo; on http only by this code.
        of_repo = re.match("/api/(models|datasets|spaces)/.", request.path)
        code = "RepoNotFound" if of_repo else None
        raise Refused(401, "Invalid username or password.", code=code)
    return request.credentials


def owner(hub: Hub, namespace: str) -> User | Org:
    """The account whose plan counts."""
    found = hub.accounts.owner(namespace)
    if found is None:
        raise Refused(404, f"There is no user or organization {namespace}")
    return found


def readable(hub: Hub, request: Request, kind: str, repo_id: str) -> Repo:
    repo = hub.repos.get((kind, repo_id))
    user = request.credentials.user if request.credentials else None
    if repo is None or (repo.private and not hub.accounts.role(user, repo_id.split("/")[0])):
        raise missing(request)
    return repo


def with_its_files(hub: Hub, request: Request, repo: Repo) -> Repo:
    """A repo whose files one may read: those of a gated model are not for everybody."""
    user = request.credentials.user if request.credentials else None
    known = user is not None and (
        user.name in repo.granted or hub.accounts.role(user, repo.id.split("/")[0])
    )
    if repo.gated and not known:
        said = f"Access to model {repo.id} is restricted. You must have access to it"
        raise Refused(403 if user else 401, said, code="GatedRepo")
    return repo


def may_write(hub: Hub, request: Request, repo: Repo) -> bool:
    token = request.credentials
    return token is not None and hub.accounts.may_write(token, repo.id, repo.creator)


def writable(hub: Hub, request: Request, kind: str, repo_id: str, refusal: str = NO_RIGHTS) -> Repo:
    repo = readable(hub, request, kind, repo_id)
    credentials(request)
    if not may_write(hub, request, repo):
        raise Refused(403, refusal)
    return repo


def open_to_changes(hub: Hub, request: Request, kind: str, repo_id: str, revision: str) -> Repo:
    """A repo that one may write, open a pull request to, or whose pull request is one's own."""
    if request.asks("create_pr"):
        return discussable(hub, request, kind, repo_id)
    repo = readable(hub, request, kind, repo_id)
    author = next((one.author for one in repo.pull_requests if one.ref == revision), None)
    if author and author == credentials(request).user.name:
        return discussable(hub, request, kind, repo_id)
    return writable(hub, request, kind, repo_id, NOT_A_WRITER)


def discussable(hub: Hub, request: Request, kind: str, repo_id: str) -> Repo:
    repo = readable(hub, request, kind, repo_id)
    token = credentials(request)
    if not (may_write(hub, request, repo) or hub.accounts.may_discuss(token, repo_id)):
        raise Refused(403, NO_RIGHTS)
    return repo


def space(hub: Hub, request: Request, repo_id: str, *, write: bool = True) -> Space:
    found = (writable if write else readable)(hub, request, "spaces", repo_id)
    assert isinstance(found, Space)
    return found
