"""Repos come, go, move and are copied."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from hub import hardware
from hub.answers import Json, Refused, Request, Response, route
from hub.cards import SDKS
from hub.objects import Blob, Tree
from hub.repos import MAIN, TYPES, Repo
from hub.routes.access import NO_RIGHTS, credentials, owner, readable, writable
from hub.spaces import Space

if TYPE_CHECKING:
    from hub.hub import Hub

_LARGE = (
    "7z arrow bin bz2 ckpt ftz gz h5 joblib lfs.* mlmodel model msgpack npy npz onnx ot parquet pb "
    "pickle pkl pt pth rar safetensors tar.* tar tflite tgz wasm xz zip zst"
)
ATTRIBUTES = "".join(
    f"{pattern} filter=lfs diff=lfs merge=lfs -text\n"
    for pattern in [*(f"*.{ending}" for ending in _LARGE.split()), "saved_model/**/*", "*tfevents*"]
)
_KINDS = {name: kind for kind, name in TYPES.items()}
_PLAIN = "[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?"


def seeds(repo_id: str, sdk: str | None) -> dict[str, Blob]:
    """What a new repo holds."""
    files = {".gitattributes": Blob(ATTRIBUTES.encode())}
    if sdk:
        more = "sdk_version: 6.31.0\napp_file: app.py\n" if sdk == "gradio" else ""
        card = (
            f"---\ntitle: {repo_id.split('/')[1]}\nemoji: 🚀\ncolorFrom: blue\ncolorTo: green\n"
            f"sdk: {sdk}\n{more}pinned: false\n---\n\nCheck out the configuration reference at "
            "https://huggingface.co/docs/hub/spaces-config-reference\n"
        )
        files["README.md"] = Blob(card.encode())
    return files


@route("POST", "/api/repos/create", write=True)
def create(hub: Hub, request: Request) -> Any:
    body = request.json()
    kind = _kind(body)
    namespace = body.get("organization") or credentials(request).user.name
    repo_id = f"{namespace}/{body.get('name') or ''}"
    sdk = body.get("sdk") if kind == "spaces" else None
    if kind == "spaces" and sdk not in SDKS:
        raise Refused(400, f'"sdk" must be one of [{", ".join(SDKS)}]')
    _check_new(hub, request, kind, repo_id, sdk, body)
    author = credentials(request).user.name
    files = seeds(repo_id, sdk)
    if sdk is None:
        repo = Repo(kind, repo_id, _visibility(body, "public"), author, files, "initial commit")
    else:
        repo = _new_space(repo_id, author, sdk, files, body)
    hub.repos[kind, repo_id] = repo
    return {"url": url(hub, repo), "name": repo_id, "id": f"id-{repo_id}"}


@route("DELETE", "/api/repos/delete", write=True)
def delete(hub: Hub, request: Request) -> Any:
    body = request.json()
    namespace = body.get("organization") or credentials(request).user.name
    repo = writable(hub, request, _kind(body), f"{namespace}/{body.get('name')}")
    del hub.repos[repo.kind, repo.id]
    return Response()


@route("POST", "/api/repos/move", write=True)
def move(hub: Hub, request: Request) -> Any:
    body = request.json()
    repo = writable(hub, request, _kind(body), body["fromRepo"])
    to = body["toRepo"]
    _check_name(to)
    if not hub.accounts.may_create(credentials(request), to.split("/")[0]):
        raise Refused(403, NO_RIGHTS)
    if (repo.kind, to) in hub.repos:
        raise Refused(409, f"{to} exists already")
    hub.repos[repo.kind, to] = hub.repos.pop((repo.kind, repo.id))
    repo.id = to
    return Response()


@route("PUT", "/api/{kind}/{repo}/settings", write=True)
def settings(hub: Hub, request: Request, kind: str, repo: str) -> Any:
    found = writable(hub, request, kind, repo)
    found.visibility = _visibility(request.json(), found.visibility)
    return {"visibility": found.visibility, "private": found.private}


@route("POST", "/api/{kind}/{repo}/duplicate", write=True)
def duplicate(hub: Hub, request: Request, kind: str, repo: str) -> Any:
    """Copy files and history; neither settings nor, without being told, variables."""
    source = readable(hub, request, kind, repo)
    body = request.json()
    to = body.get("repository") or ""
    sdk = source.sdk if isinstance(source, Space) else None
    _check_new(hub, request, kind, to, sdk, body)
    author = credentials(request).user.name
    visibility = _visibility(body, source.visibility)
    if sdk is None:
        copy = Repo(kind, to, visibility, author, {}, "")
        copy.copy_history(source)
    else:
        copy = _new_space(to, author, sdk, {}, {**body, "visibility": visibility})
        copy.copy_history(source)
        tree = _named_in_card(copy.at("main").tree, repo)
        title = f"Duplicate from {repo}"
        copy.commit(tree, ref=MAIN, parent=copy.sha, title=title, description="", author=author)
    hub.repos[kind, to] = copy
    return {"url": url(hub, copy)}


@route("GET", "/api/{kind}/{repo}/auth-check")
def auth_check(hub: Hub, request: Request, kind: str, repo: str) -> Any:
    readable(hub, request, kind, repo)
    return Response()


@route("GET", "/api/{kind}/{repo}/auth-check/write")
def auth_check_write(hub: Hub, request: Request, kind: str, repo: str) -> Any:
    writable(hub, request, kind, repo)
    return Response()


def _check_new(
    hub: Hub, request: Request, kind: str, repo_id: str, sdk: str | None, body: Json
) -> None:
    """Refuse a repo that cannot be created, in the order in which the Hub looks at it."""
    _check_name(repo_id)
    namespace = repo_id.split("/")[0]
    if not hub.accounts.may_create(credentials(request), namespace):
        one = TYPES[kind]
        said = f'You don\'t have the rights to create a {one} under the namespace "{namespace}"'
        raise Refused(403, said)
    existing = hub.repos.get((kind, repo_id))
    if sdk is not None:
        hardware.check(
            owner(hub, namespace),
            sdk,
            body.get("hardware"),
            body.get("sleepTimeSeconds"),
            spaces=[space for space in hub.spaces if space is not existing],
            no_card_status=hub.no_card_status,
        )
    if existing is not None:
        said = f"You already created this {TYPES[kind]} repo: {repo_id}"
        raise Refused(409, said, url=url(hub, existing))


def _new_space(repo_id: str, author: str, sdk: str, files: dict[str, Blob], body: Json) -> Space:
    space = Space(
        repo_id,
        _visibility(body, "public"),
        author,
        files,
        sdk=sdk,
        hardware=body.get("hardware"),
        sleep_time=body.get("sleepTimeSeconds"),
    )
    space.volumes = check_volumes(body.get("volumes") or [])
    for where, name in ((space.variables, "variables"), (space.secrets, "secrets")):
        for item in body.get(name) or []:
            space.set_value(where, *checked_value(item))
    return space


def _named_in_card(tree: Tree, repo_id: str) -> Tree:
    """The same files, with a card that says where they are from."""
    if "README.md" not in tree:
        return tree
    card = tree["README.md"].data.decode()
    said = f"\\1duplicated_from: {repo_id}\n---\n"
    card = re.sub(r"\A(---\n.*?)^---\n", said, card, flags=re.DOTALL | re.MULTILINE)
    return {**tree, "README.md": Blob(card.encode())}


def checked_value(item: Json) -> tuple[str, str, str]:
    """Key, value and description of a variable or secret."""
    key, value = item.get("key"), item.get("value")
    if not isinstance(key, str) or not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", key):
        raise Refused(400, f'"key" is no name of a variable: {key!r}')
    if not isinstance(value, str):
        raise Refused(400, '"value" must be a string')
    return key, value, item.get("description") or ""


def check_volumes(volumes: list[Json]) -> list[Json]:
    for volume in volumes:
        kinds = ("bucket", "model", "dataset", "space")
        if volume.get("type") not in kinds or not volume.get("source"):
            raise Refused(400, f"A volume needs a source and a type of {', '.join(kinds)}")
        if not str(volume.get("mountPath")).startswith("/"):
            raise Refused(400, '"mountPath" must start with /')
    return volumes


def _check_name(repo_id: str) -> None:
    plain = re.fullmatch(f"{_PLAIN}/{_PLAIN}", repo_id)
    if not plain or len(repo_id) > 96 or re.search(r"--|\.\.|\.git$", repo_id):
        raise Refused(400, f"Invalid repository name: {repo_id}")


def _kind(body: Json) -> str:
    name = body.get("type") or "model"
    if name not in _KINDS:
        raise Refused(400, f'"type" must be one of [{", ".join(_KINDS)}]')
    return _KINDS[name]


def _visibility(body: Json, default: str) -> str:
    if "visibility" in body:
        return str(body["visibility"])
    if isinstance(body.get("private"), bool):
        return "private" if body["private"] else "public"
    return default


def url(hub: Hub, repo: Repo) -> str:
    """Of its page."""
    prefix = "" if repo.kind == "models" else f"{repo.kind}/"
    return f"{hub.url}/{prefix}{repo.id}"
