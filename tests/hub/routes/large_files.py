"""Large files: Git LFS as the client speaks it without hf_xet, and the tokens of Xet."""

from __future__ import annotations

import hashlib
import re
import time
from typing import TYPE_CHECKING, Any

from hub.answers import Json, Refused, Request, Response, route
from hub.objects import Lfs
from hub.routes.access import missing, open_to_changes, readable, writable

if TYPE_CHECKING:
    from hub.hub import Hub

TOKEN_SECONDS = 3600


@route("POST", "/spaces/{repo}.git/info/lfs/objects/batch")
def batch_of_space(hub: Hub, request: Request, repo: str) -> Any:
    return _batch(hub, request, "spaces", repo)


@route("POST", "/datasets/{repo}.git/info/lfs/objects/batch")
def batch_of_dataset(hub: Hub, request: Request, repo: str) -> Any:
    return _batch(hub, request, "datasets", repo)


@route("POST", "/{repo}.git/info/lfs/objects/batch")
def batch_of_model(hub: Hub, request: Request, repo: str) -> Any:
    return _batch(hub, request, "models", repo)


@route("PUT", "/lfs/{kind}/{repo}/{oid}", write=True)
def upload(hub: Hub, request: Request, kind: str, repo: str, oid: str) -> Any:
    """Comes without a token: the address itself is the permission."""
    if request.query.get("signature") != [hub.secret]:
        raise Refused(403, "Invalid signature")
    if hashlib.sha256(request.body).hexdigest() != oid:
        raise Refused(400, "The content is not what was announced")
    if (kind, repo) not in hub.repos:
        raise missing(request)
    hub.repos[kind, repo].large(request.body, oid)
    return Response()


@route("POST", "/lfs/{kind}/{repo}/verify")
def verify(hub: Hub, request: Request, kind: str, repo: str) -> Any:
    found = writable(hub, request, kind, repo)
    body = request.json()
    content = found.lfs.get(str(body.get("oid")))
    if content is None or len(content) != body.get("size"):
        raise Refused(404, "The object is not there")
    return Response()


@route("GET", "/api/{kind}/{repo}/xet-write-token/{revision}")
def xet_write_token(hub: Hub, request: Request, kind: str, repo: str, revision: str) -> Any:
    found = open_to_changes(hub, request, kind, repo, revision)
    if not request.asks("create_pr"):  # for a pull request the client says "None"
        found.at(revision)
    return _xet(hub)


@route("GET", "/api/{kind}/{repo}/xet-read-token/{revision}")
def xet_read_token(hub: Hub, request: Request, kind: str, repo: str, revision: str) -> Any:
    readable(hub, request, kind, repo).at(revision)
    return _xet(hub)


def _batch(hub: Hub, request: Request, kind: str, repo: str) -> Json:
    """Where to send which object. Whoever may not write is refused, a pull request or not."""
    found = writable(hub, request, kind, repo, "Authorization error.")
    body = request.json()
    if body.get("operation") != "upload":
        raise Refused(400, "Only uploads are known here")
    objects = []
    for item in body.get("objects") or []:
        oid, size = item["oid"], item["size"]
        if not re.fullmatch("[0-9a-f]{64}", oid):
            raise Refused(422, f"Invalid oid {oid}")
        said: Json = {"oid": oid, "size": size}
        if not found.has(Lfs(oid, size)):
            address = f"{hub.url}/lfs/{kind}/{repo}"
            said["actions"] = {
                "upload": {"href": f"{address}/{oid}?signature={hub.secret}", "header": {}},
                "verify": {"href": f"{address}/verify", "header": {}},
            }
        objects.append(said)
    return {"transfer": "basic", "objects": objects}


def _xet(hub: Hub) -> Response:
    expires = int(time.time()) + TOKEN_SECONDS
    token = f"xet-{hub.secret}"
    response = Response.of({"accessToken": token, "exp": expires, "casUrl": hub.cas.url})
    response.headers |= {
        "X-Xet-Cas-Url": hub.cas.url,
        "X-Xet-Access-Token": token,
        "X-Xet-Token-Expiration": str(expires),
    }
    return response
