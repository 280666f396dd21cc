"""Who asks, and what is no repo's business."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hub.answers import Request, Response, route
from hub.cards import problems
from hub.hardware import listed
from hub.routes.access import credentials

if TYPE_CHECKING:
    from hub.hub import Hub


@route("GET", "/api/whoami-v2")
def whoami(hub: Hub, request: Request) -> Any:
    return hub.accounts.whoami(credentials(request))


@route("GET", "/api/agent-harnesses")
def agent_harnesses(hub: Hub, request: Request) -> Any:
    return {"standardEnvVars": [], "harnesses": {}}


@route("POST", "/api/validate-yaml")
def validate_yaml(hub: Hub, request: Request) -> Any:
    body = request.json()
    errors, warnings = problems(body.get("content", ""), body.get("repoType", "model"))
    response = Response.of(
        {
            "errors": [{"message": message} for message in errors],
            "warnings": [{"message": message} for message in warnings],
        }
    )
    response.status = 400 if errors else 200
    return response


@route("GET", "/api/spaces/hardware")
def hardware(hub: Hub, request: Request) -> Any:
    return listed()


@route("GET", "/api/spaces/templates")
def templates(hub: Hub, request: Request) -> Any:
    return {"templates": []}


@route("GET", "/api/spaces/zero-gpu/quota")
def quota(hub: Hub, request: Request) -> Any:
    seconds = 60 * (40 if credentials(request).user.pro else 5)
    return {"base": seconds, "current": seconds, "resetsAt": None, "overquotaUsed": None}
