"""Keeps a visitor with the same page where there are several.

A page alone has the files of its visitors, their place in Gradio's queue and their
stream of events, so each of a visitor's requests must come to the same one. They are
known by a cookie; programs, which may send none, by the address they come from.

It builds on what Ray calls experimental, so requirements.txt names one version of Ray.
"""

from __future__ import annotations

import pickle
import uuid
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from ray.serve.experimental.consistent_hash_router import ConsistentHashRouter
from starlette.requests import cookie_parser

COOKIE = "space_affinity"
# Spaces are shown inside a page of another site, which keeps cookies apart by that site
KIND = "Path=/; SameSite=None; Secure; HttpOnly; Partitioned"

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class StickyRouter(ConsistentHashRouter):
    """The router of Ray Serve for the page."""

    def _routing_key(self, pending_request: Any) -> str | None:
        if pending_request is None:
            return None
        metadata = pending_request.metadata
        known = metadata.session_id or visitor(pending_request.args)
        return str(known or metadata.internal_request_id)


def visitor(arguments: Iterable[Any]) -> str:
    """Whose HTTP request it is; empty if it is none."""
    for one in arguments:
        if not isinstance(one, bytes):
            continue
        scope = getattr(pickle.loads(one), "_asgi_scope", None)  # written by the proxy
        if scope is not None:
            first = header(scope, b"x-forwarded-for").split(",")[0].strip()
            return cookie(scope) or first or str((scope.get("client") or ("",))[0])
    return ""


def header(scope: Scope, wanted: bytes) -> str:
    """Of a request; empty if it has none."""
    for name, value in scope.get("headers", ()):
        if name == wanted:
            return str(value.decode("latin-1"))
    return ""


def is_page(message: Scope) -> bool:
    """Whether the beginning of a response is that of a page."""
    return header(message, b"content-type").startswith("text/html")


def cookie(scope: Scope) -> str:
    """The cookie by which a visitor is known."""
    # Python's own SimpleCookie reads none if one of them, of whatever else, is odd
    return cookie_parser(header(scope, b"cookie")).get(COOKIE, "")


def with_cookie(application: Any) -> Any:
    """The web application, which gives the cookie to whoever has none."""

    async def answer(scope: Scope, receive: Any, send: Send) -> None:
        if scope["type"] != "http" or cookie(scope):
            await application(scope, receive, send)
            return

        async def send_with_cookie(message: MutableMapping[str, Any]) -> None:
            # a page, not an answer to a program that has begun without the cookie
            if message["type"] == "http.response.start" and is_page(message):
                value = f"{COOKIE}={uuid.uuid4().hex}; {KIND}".encode()
                message["headers"] = [*message["headers"], (b"set-cookie", value)]
            await send(message)

        await application(scope, receive, send_with_cookie)

    return answer
