"""Reading: what a repo is, what it holds, and the files themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import yaml

from hub.answers import Json, Refused, Request, Response, route
from hub.cards import front_matter
from hub.objects import Blob, Commit, folder_ids
from hub.repos import Repo, stamp
from hub.routes.access import missing, readable, with_its_files
from hub.spaces import Space

if TYPE_CHECKING:
    from hub.hub import Hub

_WHEN_LISTED = ("private", "likes", "tags", "createdAt", "sdk")


@route("GET", "/api/{kind}")
def listed(hub: Hub, request: Request, kind: str) -> Any:
    """The repos of an author that one may see; of their runtime only who asks for it hears."""
    author = request.query.get("author", [""])[0]
    user = request.credentials.user if request.credentials else None
    found = [
        repo
        for (of_kind, repo_id), repo in sorted(hub.repos.items())
        if of_kind == kind
        and repo_id.startswith(f"{author}/" if author else "")
        and (not repo.private or hub.accounts.role(user, repo_id.split("/")[0]))
    ]
    wanted = request.query.get("expand") or _WHEN_LISTED
    said = [_info(repo, repo.at("main"), blobs=False) for repo in found]
    return _page(hub, request, [_only(wanted, one) for one in said])


@route("GET", "/api/{kind}/{repo}")
def info(hub: Hub, request: Request, kind: str, repo: str) -> Any:
    return info_at(hub, request, kind, repo, "main")


@route("GET", "/api/{kind}/{repo}/revision/{revision}")
def info_at(hub: Hub, request: Request, kind: str, repo: str, revision: str) -> Any:
    found = readable(hub, request, kind, repo)
    said = _info(found, found.at(revision), blobs=request.asks("blobs"))
    if wanted := request.query.get("expand"):
        return _only(wanted, said)
    return said


@route("GET", "/api/{kind}/{name}")
def without_namespace(hub: Hub, request: Request, kind: str, name: str) -> Any:
    """Models of the first years had none; their old names lead to the new ones."""
    if kind != "models" or name not in hub.moved:
        raise missing(request)
    query = f"?{urlencode(request.query, doseq=True)}" if request.query else ""
    return Response(307, b"", {"Location": f"{hub.url}/api/{kind}/{hub.moved[name]}{query}"})


@route("GET", "/api/{kind}/{repo}/tree/{revision}")
def tree(hub: Hub, request: Request, kind: str, repo: str, revision: str) -> Any:
    return tree_of_folder(hub, request, kind, repo, revision, "")


@route("GET", "/api/{kind}/{repo}/tree/{revision}/{path}")
def tree_of_folder(
    hub: Hub, request: Request, kind: str, repo: str, revision: str, path: str
) -> Any:
    commit = readable(hub, request, kind, repo).at(revision)
    folders = folder_ids(commit.tree)
    if path not in folders:
        raise Refused(404, f"{path} does not exist on {revision}", code="EntryNotFound")
    under = f"{path}/" if path else ""
    entries = [_folder(name, oid) for name, oid in folders.items() if name]
    entries += [_file(name, blob) for name, blob in commit.tree.items()]
    entries = [entry for entry in entries if entry["path"].startswith(under)]
    if not request.asks("recursive"):
        entries = [entry for entry in entries if "/" not in entry["path"][len(under) :]]
    return _page(hub, request, sorted(entries, key=lambda entry: str(entry["path"])))


@route("POST", "/api/{kind}/{repo}/paths-info/{revision}")
def paths_info(hub: Hub, request: Request, kind: str, repo: str, revision: str) -> Any:
    commit = readable(hub, request, kind, repo).at(revision)
    paths = request.form().get("paths", [])
    if len(paths) > 1000:
        raise Refused(413, "too many parameters")
    folders = folder_ids(commit.tree)
    known = [path.rstrip("/") for path in paths]
    return [
        _file(path, commit.tree[path]) if path in commit.tree else _folder(path, folders[path])
        for path in known
        if path in commit.tree or path in folders
    ]


@route("GET", "/api/{kind}/{repo}/refs")
def refs(hub: Hub, request: Request, kind: str, repo: str) -> Any:
    said: Json = {"branches": [], "tags": [], "converts": [], "pullRequests": []}
    for ref, sha in readable(hub, request, kind, repo).refs.items():
        group, _, name = ref.removeprefix("refs/").partition("/")
        where = {"heads": "branches", "tags": "tags", "pr": "pullRequests"}[group]
        named = ref if where == "pullRequests" else name
        said[where].append({"name": named, "ref": ref, "targetCommit": sha})
    if not request.asks("include_prs"):
        del said["pullRequests"]
    return said


@route("GET", "/api/{kind}/{repo}/commits/{revision}")
def commits(hub: Hub, request: Request, kind: str, repo: str, revision: str) -> Any:
    found = readable(hub, request, kind, repo)
    newest_first = found.history(found.at(revision))[::-1]
    return _page(
        hub,
        request,
        [
            {
                "id": commit.sha,
                "title": commit.title,
                "message": commit.description,
                "authors": [{"user": commit.author}],
                "date": stamp(commit.date),
            }
            for commit in newest_first
        ],
    )


@route("GET", "/spaces/{repo}/resolve/{revision}/{path}")
def resolve_space(hub: Hub, request: Request, repo: str, revision: str, path: str) -> Any:
    return _resolve(hub, request, "spaces", repo, revision, path)


@route("GET", "/datasets/{repo}/resolve/{revision}/{path}")
def resolve_dataset(hub: Hub, request: Request, repo: str, revision: str, path: str) -> Any:
    return _resolve(hub, request, "datasets", repo, revision, path)


@route("GET", "/{repo}/resolve/{revision}/{path}")
def resolve_model(hub: Hub, request: Request, repo: str, revision: str, path: str) -> Any:
    return _resolve(hub, request, "models", repo, revision, path)


def _only(wanted: Iterable[str], said: Json) -> Json:
    return {key: value for key, value in said.items() if key in ("_id", "id", *wanted)}


def _resolve(
    hub: Hub, request: Request, kind: str, repo: str, revision: str, path: str
) -> Response:
    found = with_its_files(hub, request, readable(hub, request, kind, repo))
    commit = found.at(revision)
    of_commit = {"X-Repo-Commit": commit.sha}
    blob = commit.tree.get(path)
    if blob is None:
        raise Refused(404, "Entry not found", code="EntryNotFound", headers=of_commit)
    headers = {**of_commit, "ETag": f'"{blob.oid}"', "Content-Type": "application/octet-stream"}
    if blob.lfs:
        headers |= {"X-Linked-Size": str(blob.size), "X-Linked-Etag": f'"{blob.lfs.oid}"'}
    if blob.lfs and not found.has(blob.lfs):
        raise Refused(503, "The content of this file is not on this Hub")
    return _span(request, found.content(blob), headers)


def _span(request: Request, content: bytes, headers: dict[str, str]) -> Response:
    """A whole file, or the bytes of it that a request wants."""
    wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range") or "")
    if wanted is None:
        return Response(200, content, headers)
    start, end = int(wanted[1]), int(wanted[2] or len(content)) + 1
    if start >= len(content):
        raise Refused(416, "Range not satisfiable")
    part = content[start:end]
    of = f"bytes {start}-{start + len(part) - 1}/{len(content)}"
    return Response(206, part, {**headers, "Content-Range": of})


def _info(found: Repo, commit: Commit, *, blobs: bool) -> Json:
    card = _card(commit)
    said: Json = {
        "_id": f"id-{found.id}",
        "id": found.id,
        "author": found.id.split("/")[0],
        "sha": commit.sha,
        "lastModified": stamp(commit.date),
        "createdAt": stamp(found.created),
        "private": found.private,
        "visibility": found.visibility,
        "gated": found.gated,
        "disabled": False,
        "likes": 0,
        "tags": [],
        "cardData": card,
        "siblings": [_sibling(path, blob, blobs) for path, blob in sorted(commit.tree.items())],
    }
    if isinstance(found, Space):
        said |= {
            "sdk": found.sdk,
            "runtime": found.runtime(),
            "host": f"https://{found.host}",
            "subdomain": found.host.split(".")[0],
        }
    if found.kind == "models":
        of_card = {key: card[key] for key in ("pipeline_tag", "library_name") if key in card}
        said |= {**of_card, **found.about}
    return said


def _card(commit: Commit) -> Json:
    blob = commit.tree.get("README.md")
    try:
        card = front_matter(blob.data.decode()) if blob else None
    except (UnicodeDecodeError, yaml.YAMLError):
        card = None
    return card if isinstance(card, dict) else {}


def _sibling(path: str, blob: Blob, blobs: bool) -> Json:
    if not blobs:
        return {"rfilename": path}
    said: Json = {"rfilename": path, "size": blob.size, "blobId": blob.oid}
    if blob.lfs:
        pointer_size = len(blob.lfs.pointer)
        said["lfs"] = {"sha256": blob.lfs.oid, "size": blob.size, "pointerSize": pointer_size}
    return said


def _file(path: str, blob: Blob) -> Json:
    said: Json = {"type": "file", "path": path, "size": blob.size, "oid": blob.oid}
    if blob.lfs:
        pointer_size = len(blob.lfs.pointer)
        said["lfs"] = {"oid": blob.lfs.oid, "size": blob.size, "pointerSize": pointer_size}
    return said


def _folder(path: str, oid: str) -> Json:
    return {"type": "directory", "path": path, "size": 0, "oid": oid}


def _page(hub: Hub, request: Request, items: list[Json]) -> Response:
    """One page of a list; the client follows the link to the next one."""
    start = int(request.query.get("cursor", ["0"])[0])
    end = start + hub.page_size
    response = Response.of(items[start:end])
    if end < len(items):
        query = urlencode({**request.query, "cursor": end}, doseq=True)
        response.headers["Link"] = f'<{hub.url}{request.raw_path}?{query}>; rel="next"'
    return response
