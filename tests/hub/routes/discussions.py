"""Pull requests: opened, looked at, closed and merged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hub.answers import Json, Refused, Request, route
from hub.repos import PullRequest, Repo, now, stamp
from hub.routes.access import credentials, discussable, readable, writable

if TYPE_CHECKING:
    from hub.hub import Hub


@route("GET", "/api/{kind}/{repo}/discussions")
def discussions(hub: Hub, request: Request, kind: str, repo: str) -> Any:
    found = readable(hub, request, kind, repo)
    shown = found.pull_requests[::-1]
    if status := request.query.get("status"):
        open_ones = ("open", "draft")
        shown = [one for one in shown if (one.status in open_ones) == (status == ["open"])]
    if (kinds := request.query.get("type", ["all"])) != ["all"]:
        shown = [one for one in shown if one.is_pull_request == (kinds == ["pull_request"])]
    if author := request.query.get("author"):
        shown = [one for one in shown if one.author in author]
    said = [_summary(found, one) for one in shown]
    return {"discussions": said, "count": len(said), "start": 0}


@route("POST", "/api/{kind}/{repo}/discussions", write=True)
def create(hub: Hub, request: Request, kind: str, repo: str) -> Any:
    """A pull request that is opened without changes is a draft."""
    found = discussable(hub, request, kind, repo)
    body = request.json()
    changes = bool(body.get("pullRequest"))
    opened = found.open(
        body.get("title", ""),
        body.get("description", ""),
        credentials(request).user.name,
        found.sha,
        status="draft" if changes else "open",
        is_pull_request=changes,
    )
    return {"num": opened.num, "pullRequest": changes}


@route("GET", "/api/{kind}/{repo}/discussions/{number}")
def details(hub: Hub, request: Request, kind: str, repo: str, number: str) -> Any:
    found = readable(hub, request, kind, repo)
    one = found.pull_request(int(number))
    said = {**_summary(found, one), "events": _events(found, one)}
    if one.is_pull_request:
        said["changes"] = {"base": "refs/heads/main", "mergeCommitId": one.merge_commit}
        merged = one.status == "merged"
        said["filesWithConflicts"] = [] if merged else found.conflicts(one)
        said["diff"] = ""
    return said


@route("POST", "/api/{kind}/{repo}/discussions/{number}/status", write=True)
def set_status(hub: Hub, request: Request, kind: str, repo: str, number: str) -> Any:
    found = discussable(hub, request, kind, repo)
    one = found.pull_request(int(number))
    status = request.json().get("status")
    if status not in ("open", "closed") or one.status == "merged":
        raise Refused(400, f"The status cannot become {status}")
    one.status = status
    return {"newStatus": _event(one, "status-change", {"status": status})}


@route("POST", "/api/{kind}/{repo}/discussions/{number}/merge", write=True)
def merge(hub: Hub, request: Request, kind: str, repo: str, number: str) -> Any:
    found = writable(hub, request, kind, repo)
    one = found.pull_request(int(number))
    if one.status != "open" or not one.is_pull_request:
        raise Refused(400, f"This is {one.status}: only an open pull request can be merged")
    if conflicts := found.conflicts(one):
        raise Refused(409, f"Conflicts in {', '.join(conflicts)}")
    made = found.merge(one, credentials(request).user.name)
    return {"mergeCommitId": made.sha}


def _summary(found: Repo, one: PullRequest) -> Json:
    return {
        "num": one.num,
        "title": one.title,
        "author": {"name": one.author},
        "createdAt": stamp(one.created),
        "status": one.status,
        "repo": {"name": found.id, "type": found.type},
        "isPullRequest": one.is_pull_request,
    }


def _events(found: Repo, one: PullRequest) -> list[Json]:
    latest = {"raw": one.description}
    comment = {"edited": False, "hidden": False, "latest": latest}
    events = [_event(one, "comment", comment)]
    if one.is_pull_request:
        line = found.history(found.at(one.ref))
        own = line[[commit.sha for commit in line].index(one.base) + 1 :]
        events += [
            _event(one, "commit", {"subject": commit.title, "oid": commit.sha}) for commit in own
        ]
    return events


def _event(one: PullRequest, kind: str, data: Json) -> Json:
    return {
        "id": f"{one.num}-{kind}-{stamp(now())}",
        "type": kind,
        "createdAt": stamp(now()),
        "author": {"name": one.author},
        "data": data,
    }
