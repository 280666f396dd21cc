"""Where each request is written down, meets its fault, and is answered."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from hub import routes
from hub.answers import Refused, Request, Response, find_route
from hub.faults import Faults

if TYPE_CHECKING:
    from hub.hub import Hub

assert routes.ALL  # importing them is what fills the table

BAD_TOKEN = "Invalid credentials in Authorization header"


class Desk:
    """Answers the requests to a Hub.

    Attributes:
        crashes: what went wrong here, and not on purpose.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.requests: list[Request] = []
        self.faults = Faults()
        self.crashes: list[BaseException] = []

    def answer(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> Response | None:
        """Answer a request; None drops the connection."""
        raw_path, _, query = target.partition("?")
        parsed = parse_qs(query, keep_blank_values=True)
        found = find_route(method, raw_path)
        write = found is not None and found[0].write
        request = Request(method, raw_path, parsed, write=write, body=body, headers=headers)
        with self._hub.lock:
            request.credentials = self._hub.accounts.tokens.get(_bearer(headers))
            request.token = request.credentials.name if request.credentials else None
            self.requests.append(request)
            actions = self.faults.triggered(method, request.path)
            fault = self.faults.hit(method, request.path)
        for action in actions:  # without the lock: they may ask the Hub something themselves
            self._try(action)
        if fault and fault.when == "before":
            time.sleep(fault.delay)
            if fault.drop:
                return None
            if fault.status is not None:
                return _noted(request, fault.response())
        with self._hub.lock:
            response = self._apply(request, found)
        if fault and fault.when == "after":
            time.sleep(fault.delay)
            if fault.drop:
                return None
            if fault.status is not None:
                response = fault.response()
        return _noted(request, response)

    def _try(self, action: Callable[[], object]) -> None:
        try:
            action()
        except Exception as error:
            self.crashes.append(error)

    def _apply(self, request: Request, found: Any) -> Response:
        try:
            if request.credentials is None and _bearer(request.headers):
                raise Refused(401, BAD_TOKEN)
            if found is None:
                raise Refused(404, "Sorry, this Hub does not know that route")
            route, parts = found
            return Response.of(route.answer(self._hub, request, **parts))
        except Refused as refused:
            return refused.response()
        except Exception as error:
            self.crashes.append(error)
            return Refused(500, f"The local Hub itself went wrong: {error!r}").response()


def _noted(request: Request, response: Response) -> Response:
    request.status = response.status
    return response


def _bearer(headers: Mapping[str, str]) -> str:
    found = re.fullmatch(r"Bearer\s+(\S+)", headers.get("Authorization") or "")
    return found[1] if found else ""
