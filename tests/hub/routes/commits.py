"""Writing: what may be sent how, and the commit itself."""

from __future__ import annotations

import base64
import binascii
import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pathspec import GitIgnoreSpec

from hub.answers import Json, Refused, Request, Response, route
from hub.objects import Blob, Commit
from hub.repos import Repo
from hub.routes.access import credentials, open_to_changes, writable
from hub.routes.repos import url

if TYPE_CHECKING:
    from hub.hub import Hub

MEGABYTE = 2**20
REGULAR_BYTES = 10 * MEGABYTE
PREUPLOAD_FILES = 256
STALE = "The branch was updated since you opened this page. Please refresh and try again."
NO_OBJECT = "LFS pointer pointed to a file that does not exist"


@route("POST", "/api/{kind}/{repo}/preupload/{revision}")
def preupload(hub: Hub, request: Request, kind: str, repo: str, revision: str) -> Any:
    """Say of each file whether it is a regular or a large one, ignored, or there already."""
    tree = open_to_changes(hub, request, kind, repo, revision).at(revision).tree
    body = request.json()
    files = body.get("files") or []
    if len(files) > PREUPLOAD_FILES:
        raise Refused(413, f"Too many files: at most {PREUPLOAD_FILES}")
    ignored = body.get("gitIgnore")
    if ignored is None and ".gitignore" in tree:
        ignored = tree[".gitignore"].data.decode()
    attributes = tree[".gitattributes"].data.decode() if ".gitattributes" in tree else ""
    return {
        "files": [
            {
                "path": item["path"],
                "uploadMode": _mode(item, attributes),
                "shouldIgnore": _ignores(ignored or "", item["path"]),
                "oid": _oid(tree.get(item["path"])),
            }
            for item in files
        ]
    }


@route("POST", "/api/{kind}/{repo}/commit/{revision}", write=True)
def commit(hub: Hub, request: Request, kind: str, repo: str, revision: str) -> Any:
    found = open_to_changes(hub, request, kind, repo, revision)
    header, operations = _operations(request)
    parent = _parent(found, revision, header, new_branch=request.asks("create_pr"))
    tree = dict(parent.tree)
    for key, value in operations:
        _apply(hub, found, tree, key, value)
    title, description = header.get("summary", ""), header.get("description", "")
    author = credentials(request).user.name
    pull_request = None
    if request.asks("create_pr"):
        pull_request = found.open(title, description, author, parent.sha)
    made = found.commit(
        tree,
        ref=pull_request.ref if pull_request else found.ref(revision),
        parent=parent.sha,
        title=title,
        description=description,
        author=author,
    )
    address = url(hub, found)
    answer = {"success": True, "commitUrl": f"{address}/commit/{made.sha}", "commitOid": made.sha}
    if pull_request:
        answer["pullRequestUrl"] = f"{address}/discussions/{pull_request.num}"
    return answer


@route("POST", "/api/{kind}/{repo}/branch/{branch}", write=True)
def create_branch(hub: Hub, request: Request, kind: str, repo: str, branch: str) -> Any:
    found = writable(hub, request, kind, repo)
    return _create_ref(found, f"refs/heads/{branch}", request.json().get("startingPoint", "main"))


@route("DELETE", "/api/{kind}/{repo}/branch/{branch}", write=True)
def delete_branch(hub: Hub, request: Request, kind: str, repo: str, branch: str) -> Any:
    if branch == "main":
        raise Refused(403, "The main branch cannot be deleted")
    return _delete_ref(writable(hub, request, kind, repo), f"refs/heads/{branch}")


@route("POST", "/api/{kind}/{repo}/tag/{revision}", write=True)
def create_tag(hub: Hub, request: Request, kind: str, repo: str, revision: str) -> Any:
    found = writable(hub, request, kind, repo)
    return _create_ref(found, f"refs/tags/{request.json().get('tag')}", revision)


@route("DELETE", "/api/{kind}/{repo}/tag/{tag}", write=True)
def delete_tag(hub: Hub, request: Request, kind: str, repo: str, tag: str) -> Any:
    return _delete_ref(writable(hub, request, kind, repo), f"refs/tags/{tag}")


@route("POST", "/api/{kind}/{repo}/super-squash/{branch}", write=True)
def super_squash(hub: Hub, request: Request, kind: str, repo: str, branch: str) -> Any:
    found = writable(hub, request, kind, repo)
    made = found.squash(branch, request.json().get("message", ""), credentials(request).user.name)
    return {"commitOid": made.sha}


def _mode(item: Json, attributes: str) -> str:
    """How a file has to be sent; an empty one is never a large one."""
    if item["size"] == 0:
        return "regular"
    binary = b"\0" in base64.b64decode(item.get("sample") or "")
    large = item["size"] > REGULAR_BYTES or binary or _is_lfs(attributes, item["path"])
    return "lfs" if large else "regular"


def _oid(blob: Blob | None) -> str | None:
    if blob is None:
        return None
    return blob.lfs.oid if blob.lfs else blob.oid


@lru_cache(maxsize=64)
def _spec(text: str) -> GitIgnoreSpec:
    return GitIgnoreSpec.from_lines(text.splitlines())


def _ignores(rules: str, path: str) -> bool:
    return bool(_spec(rules).match_file(path))


def _is_lfs(attributes: str, path: str) -> bool:
    """Whether .gitattributes say so; the last line that speaks of the file counts."""
    large = False
    for line in attributes.splitlines():
        pattern, *words = line.split() or [""]
        says = [word for word in words if "filter" in word]
        if says and not pattern.startswith("#") and _ignores(pattern, path):
            large = says[-1] == "filter=lfs"
    return large


def _operations(request: Request) -> tuple[Json, list[tuple[str, Json]]]:
    try:
        lines = [json.loads(line) for line in request.body.splitlines() if line.strip()]
        operations = [(line["key"], line["value"]) for line in lines]
    except (ValueError, KeyError, TypeError):
        raise Refused(400, "The body must be JSON lines of key and value") from None
    if not operations or operations[0][0] != "header":
        raise Refused(400, "The first line must be the header")
    header = operations[0][1]
    if not header.get("summary"):
        raise Refused(400, '"summary" is required')
    return header, operations[1:]


def _parent(found: Repo, revision: str, header: Json, *, new_branch: bool) -> Commit:
    """What the new commit comes after; a pull request may start from any commit."""
    head = found.at(revision)
    wanted = header.get("parentCommit")
    if wanted is None:
        return head
    if new_branch:
        return found.at(wanted)
    if not re.fullmatch("[0-9a-f]{7,40}", wanted) or not head.sha.startswith(wanted):
        raise Refused(412, STALE)
    return head


def _apply(hub: Hub, found: Repo, tree: dict[str, Blob], key: str, value: Json) -> None:
    path = value.get("path")
    if key in ("deletedFile", "deletedFolder"):
        _delete(tree, str(path), folder=key == "deletedFolder")
        return
    _check_path(path, tree)
    assert isinstance(path, str)
    if key == "file":
        try:
            content = base64.b64decode(value["content"], validate=True)
        except (KeyError, TypeError, binascii.Error):
            raise Refused(400, f"{path}: the content must be base64") from None
        if len(content) > REGULAR_BYTES:
            raise Refused(413, f"{path} is larger than 10 MiB: it must be a large file")
        tree[path] = Blob(content)
    elif key == "lfsFile":
        tree[path] = _large(hub, found, value)
    else:
        raise Refused(400, f"Unknown operation {key}")


def _large(hub: Hub, found: Repo, value: Json) -> Blob:
    """A large file, which has to be there before the commit; a copied one comes without size."""
    oid = str(value.get("oid"))
    content = found.lfs.get(oid)
    if content is None:
        content = hub.cas.content(oid)
    if content is None or value.get("size", len(content)) != len(content):
        raise Refused(400, f"Your push was rejected because an {NO_OBJECT}: {value['path']}")
    return found.large(content, oid)


def _check_path(path: Any, tree: dict[str, Blob]) -> None:
    """Refuse what cannot be a path, and a file where a folder is (or the other way round)."""
    parts = path.split("/") if isinstance(path, str) else [""]
    control = any(ord(character) < 32 or character == "\\" for part in parts for character in part)
    if control or any(part in ("", ".", "..") or part.lower() == ".git" for part in parts):
        raise Refused(422, f"Invalid path in commit: {path!r}")
    above = {"/".join(parts[:end]) for end in range(1, len(parts))}
    if above & tree.keys() or any(other.startswith(f"{path}/") for other in tree):
        raise Refused(422, f"A file and a folder cannot have the same path: {path!r}")


def _delete(tree: dict[str, Blob], path: str, *, folder: bool) -> None:
    gone = [name for name in tree if name.startswith(path.rstrip("/") + "/")] if folder else [path]
    if not gone or gone[0] not in tree:
        what = "folder" if folder else "file"
        raise Refused(404, f"A {what} with this name doesn't exist: {path}", code="EntryNotFound")
    for name in gone:
        del tree[name]


def _create_ref(found: Repo, ref: str, revision: str) -> Response:
    if ref in found.refs:
        raise Refused(409, f"Reference already exists: {ref}")
    found.refs[ref] = found.at(revision).sha
    return Response()


def _delete_ref(found: Repo, ref: str) -> Response:
    if ref not in found.refs:
        raise Refused(404, f"Reference not found: {ref}", code="RevisionNotFound")
    del found.refs[ref]
    return Response()
