"""What goes over the wire: requests, responses, refusals, and the table of routes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, unquote

if TYPE_CHECKING:
    from hub.accounts import Token

Json = dict[str, Any]


@dataclass
class Request:
    """A request as it arrived, and what became of it: `status` 0 means that nobody answered."""

    method: str
    raw_path: str
    query: dict[str, list[str]]
    token: str | None = None
    write: bool = False
    status: int = 0
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    credentials: Token | None = field(default=None, repr=False)

    @property
    def path(self) -> str:
        """Unquoted, without the query."""
        return unquote(self.raw_path)

    def json(self) -> Json:
        """The body, which has to be a JSON object."""
        try:
            body = json.loads(self.body or b"{}")
        except ValueError:
            raise Refused(400, "Invalid JSON body") from None
        if not isinstance(body, dict):
            raise Refused(400, "Invalid JSON body: expected an object")
        return body

    def form(self) -> dict[str, list[str]]:
        """The body, which has to be an HTML form."""
        return parse_qs(self.body.decode(), keep_blank_values=True)

    def asks(self, name: str) -> bool:
        """Whether a parameter of the query says yes."""
        return self.query.get(name, ["0"])[-1].lower() in ("1", "true")


@dataclass
class Response:
    """What is sent back; a body of several pieces is streamed."""

    status: int = 200
    body: bytes | Iterator[bytes] = b""
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, answer: Any) -> Response:
        """JSON, unless it is a response already."""
        if isinstance(answer, Response):
            return answer
        body = json.dumps(answer, default=str).encode()
        return cls(200, body, {"Content-Type": "application/json; charset=utf-8"})


class Refused(Exception):
    """A request that the Hub does not grant; raised by routes, answered by the server.

    Args:
        code: X-Error-Code, by which the client chooses the class of its exception.
        more: what the body says beside "error".
    """

    def __init__(
        self,
        status: int,
        error: str,
        *,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.code = code
        self.headers = dict(headers or {})
        self.more = more

    def response(self) -> Response:
        response = Response.of({"error": self.error, **self.more})
        response.status = self.status
        # A header is one line of Latin-1.
        line = " ".join(self.error.split()).encode("latin-1", "replace").decode("latin-1")
        response.headers["X-Error-Message"] = line
        if self.code:
            response.headers["X-Error-Code"] = self.code
        response.headers.update(self.headers)
        return response


class Route(NamedTuple):
    """A method and a form of path, and who answers it."""

    method: str
    path: re.Pattern[str]
    answer: Callable[..., Any]
    write: bool


ROUTES: list[Route] = []
_FORMS = {
    "kind": "models|datasets|spaces",
    "repo": "[^/]+/[^/]+",
    "number": r"\d+",
    "path": ".+",
}


def route(method: str, path: str, *, write: bool = False) -> Callable[[Any], Any]:
    """Decorate what answers `method` and `path`, whose {parts} it gets by name.

    Args:
        write: whether it changes something that outlives the answer.
    """
    pattern = re.sub(r"\{(\w+)\}", lambda part: f"(?P<{part[1]}>{_form(part[1])})", path)

    def register(answer: Any) -> Any:
        ROUTES.append(Route(method, re.compile(pattern), answer, write))
        return answer

    return register


def _form(name: str) -> str:
    return _FORMS.get(name, "[^/]+")


def find_route(method: str, raw_path: str) -> tuple[Route, dict[str, str]] | None:
    """Who answers, and the parts of the path; a slash that is quoted separates nothing."""
    wanted = "GET" if method == "HEAD" else method
    for candidate in ROUTES:
        if candidate.method == wanted and (found := candidate.path.fullmatch(raw_path)):
            return candidate, {name: unquote(part) for name, part in found.groupdict().items()}
    return None
