"""The runtime of a Space, its settings and its logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hub import hardware
from hub.answers import Json, Refused, Request, Response, route
from hub.routes.access import NO_RIGHTS, credentials, owner, readable, space
from hub.routes.repos import check_volumes, checked_value
from hub.spaces import CPU_BASIC, Space

if TYPE_CHECKING:
    from hub.hub import Hub


@route("GET", "/api/spaces/{repo}/runtime")
def runtime(hub: Hub, request: Request, repo: str) -> Any:
    return space(hub, request, repo, write=False).poll()


@route("POST", "/api/spaces/{repo}/hardware", write=True)
def set_hardware(hub: Hub, request: Request, repo: str) -> Any:
    found = space(hub, request, repo)
    body = request.json()
    flavor = body.get("flavor")
    if not isinstance(flavor, str):
        raise Refused(400, '"flavor" is required')
    if found.sdk == "static":
        raise Refused(400, "Static Spaces run on no hardware")
    hardware.check(
        owner(hub, repo.split("/")[0]),
        found.sdk,
        flavor,
        body.get("sleepTimeSeconds"),
        spaces=[other for other in hub.spaces if other is not found],
        no_card_status=hub.no_card_status,
        now=found.requested_hardware,
    )
    found.set_hardware(flavor, body.get("sleepTimeSeconds"))
    return found.runtime()


@route("POST", "/api/spaces/{repo}/sleeptime", write=True)
def set_sleep_time(hub: Hub, request: Request, repo: str) -> Any:
    found = space(hub, request, repo)
    seconds = request.json().get("seconds")
    if not isinstance(seconds, int) or seconds < -1:
        raise Refused(400, '"seconds" must be a number of seconds, or -1')
    if found.requested_hardware in (None, CPU_BASIC):
        raise Refused(400, "The sleep time of cpu-basic cannot be set")
    found.sleep_time = seconds
    return found.runtime()


@route("POST", "/api/spaces/{repo}/pause", write=True)
def pause(hub: Hub, request: Request, repo: str) -> Any:
    found = space(hub, request, repo)
    found.pause()
    return found.runtime()


@route("POST", "/api/spaces/{repo}/restart", write=True)
def restart(hub: Hub, request: Request, repo: str) -> Any:
    found = space(hub, request, repo)
    found.restart(request.asks("factory"))
    return found.runtime()


@route("POST", "/api/spaces/{repo}/dev-mode", write=True)
def dev_mode(hub: Hub, request: Request, repo: str) -> Any:
    found = space(hub, request, repo)
    found.dev_mode = bool(request.json().get("enabled"))
    found.changed()
    return found.runtime()


@route("GET", "/api/spaces/{repo}/variables")
def variables(hub: Hub, request: Request, repo: str) -> Any:
    return _variables(space(hub, request, repo, write=False))


@route("POST", "/api/spaces/{repo}/variables", write=True)
def add_variable(hub: Hub, request: Request, repo: str) -> Any:
    found = space(hub, request, repo)
    found.set_value(found.variables, *checked_value(request.json()))
    found.changed()
    return _variables(found)


@route("DELETE", "/api/spaces/{repo}/variables", write=True)
def delete_variable(hub: Hub, request: Request, repo: str) -> Any:
    found = space(hub, request, repo)
    _delete(found, found.variables, request.json())
    return _variables(found)


@route("GET", "/api/spaces/{repo}/secrets")
def secrets(hub: Hub, request: Request, repo: str) -> Any:
    """Their names; nobody gets a value back."""
    return _secrets(space(hub, request, repo))


@route("POST", "/api/spaces/{repo}/secrets", write=True)
def add_secret(hub: Hub, request: Request, repo: str) -> Any:
    found = space(hub, request, repo)
    found.set_value(found.secrets, *checked_value(request.json()))
    found.changed()
    return _secrets(found)


@route("DELETE", "/api/spaces/{repo}/secrets", write=True)
def delete_secret(hub: Hub, request: Request, repo: str) -> Any:
    found = space(hub, request, repo)
    _delete(found, found.secrets, request.json())
    return _secrets(found)


@route("PUT", "/api/spaces/{repo}/volumes", write=True)
def set_volumes(hub: Hub, request: Request, repo: str) -> Any:
    found = space(hub, request, repo)
    found.volumes = check_volumes(request.json().get("volumes") or [])
    found.changed()
    return found.runtime()


@route("DELETE", "/api/spaces/{repo}/volumes", write=True)
def delete_volumes(hub: Hub, request: Request, repo: str) -> Any:
    found = space(hub, request, repo)
    found.volumes = []
    found.changed()
    return found.runtime()


@route("GET", "/api/spaces/{repo}/logs/build")
def build_log(hub: Hub, request: Request, repo: str) -> Any:
    found = _logged(hub, request, repo)
    return _stream(hub, found, found.build_log)


@route("GET", "/api/spaces/{repo}/logs/run")
def run_log(hub: Hub, request: Request, repo: str) -> Any:
    found = _logged(hub, request, repo)
    return _stream(hub, found, found.run_log)


def _logged(hub: Hub, request: Request, repo: str) -> Space:
    """A Space whose logs one may see: who can change it, with a token of any role."""
    found = readable(hub, request, "spaces", repo)
    user = credentials(request).user
    if hub.accounts.role(user, repo.split("/")[0]) not in ("admin", "write", "contributor"):
        raise Refused(403, NO_RIGHTS)
    assert isinstance(found, Space)
    return found


def _stream(hub: Hub, found: Space, lines: list[str]) -> Response:
    events = found.events(lines, hub.closed.is_set)
    return Response(200, events, {"Content-Type": "text/event-stream"})


def _delete(found: Space, where: dict[str, str], item: Json) -> None:
    """Forget a value; one that is not there is no error."""
    key = item.get("key")
    if isinstance(key, str):
        where.pop(key, None)
    found.changed()


def _variables(found: Space) -> Json:
    return {
        key: {"key": key, "value": value, **_about(found, key)}
        for key, value in found.variables.items()
    }


def _secrets(found: Space) -> Json:
    return {key: _about(found, key) for key in found.secrets}


def _about(found: Space, key: str) -> Json:
    return {"description": found.descriptions.get(key), "updatedAt": found.updated.get(key)}
