"""Visitors who mean harm, and what they are told, by Gradio's queue and the direct route."""

from __future__ import annotations

import html
import http.server
import json
import re
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from hostile_files import Upload, read
from hostile_values import Raw, dumped
from space_process import RunningSpace

from spaces_gen.load.endpoint import find_endpoint

PREFIX = "/gradio_api"
TIMEOUT_SECONDS = 40
LIMIT_STATUSES = {400, 404, 413, 422, 503, 504}
META = {"_type": "gradio.FileData"}
JSON = "application/json"
SORRY = "Something went wrong with this request."
CANARY = "canary-" + uuid.uuid4().hex  # of files and variables that nobody may read
FILES = ("image", "audio", "video")
TELLING = re.compile(
    r"Traceback|File \"|site-packages|\bline \d+, in\b|object at 0x|\b\w*[a-z]Exception\b"
    r"|\b[A-Z]\w*Error\b|(?<![\w:/.])/(?:tmp|usr|etc|home|root|work|proc|opt|var|lib|app)/[^\s\"]*"
)


@dataclass(frozen=True)
class Field:
    """One input of the function; `name` is "" for what the page keeps itself."""

    name: str
    kind: str
    props: Mapping[str, Any]
    good: Any


@dataclass(frozen=True)
class Outcome:
    """What came of a request: `text` is all that was sent back, `said` the sentence of an error."""

    kind: str  # "answered", "refused" or "broken"
    text: str
    said: str = ""
    status: int = 200
    seconds: float = 0.0


class Doors:
    """Both ways into a running Space."""

    def __init__(self, space: RunningSpace, good: list[Any]) -> None:
        self.space = space
        # given up sooner than the server closes them, or a request may meet that
        limits = httpx.Limits(keepalive_expiry=1.0)
        self.client = httpx.Client(base_url=space.url, timeout=TIMEOUT_SECONDS, limits=limits)
        endpoint = find_endpoint(space.url)
        self.number, self.is_direct = endpoint.number, endpoint.direct
        config = self.client.get("/config").json()
        parts = {one["id"]: one for one in config["components"]}
        (event,) = (one for one in config["dependencies"] if one["id"] == endpoint.number)
        given = iter(good)
        self.fields = [
            Field(
                argument.name,
                parts[place]["type"],
                parts[place]["props"],
                self.ready(next(given, argument.default)) if argument.name else None,
            )
            for place, argument in zip(event["inputs"], endpoint.arguments)
        ]

    def ready(self, value: Any) -> Any:
        """A good value with its files as uploads, ready to be sent."""
        if isinstance(value, dict) and "path" in value:
            return read(value["path"])
        if isinstance(value, dict):
            return {name: self.ready(one) for name, one in value.items()}
        return list(map(self.ready, value)) if isinstance(value, list) else value

    # -- Gradio's queue

    def by_queue(self, values: list[Any], **more: Any) -> Outcome:
        """Join the queue with the values of all inputs, and wait for the end."""
        began = time.monotonic()
        try:
            outcome = self._by_queue(values, more)
        except httpx.HTTPError as error:
            outcome = Outcome("broken", repr(error))
        return timed(outcome, began)

    def _by_queue(self, values: Any, more: dict[str, Any]) -> Outcome:
        try:
            data = self.uploaded(values)
        except NotKept as error:
            return error.outcome
        session = uuid.uuid4().hex
        body = {"data": data, "fn_index": self.number, "session_hash": session, **more}
        headers = {"Content-Type": JSON}
        joined = self.client.post(f"{PREFIX}/queue/join", content=dumped(body), headers=headers)
        if joined.status_code != 200:
            return refusal(joined)
        query = {"session_hash": session}
        seen, began = "", time.monotonic()
        with self.client.stream("GET", f"{PREFIX}/queue/data", params=query) as stream:
            for line in stream.iter_lines():
                seen += line
                if time.monotonic() - began > TIMEOUT_SECONDS:  # only heartbeats come
                    break
                if not line.startswith("data:"):
                    continue
                event = json.loads(line[5:])
                if event.get("msg") == "process_completed":
                    if event["success"]:
                        return Outcome("answered", line)
                    said = event["output"].get("error")
                    return Outcome("refused", seen, str(said or ""))
                if event.get("msg") == "unexpected_error":
                    return Outcome("broken", seen)
        return Outcome("broken", seen)

    def uploaded(self, value: Any) -> Any:
        """The value with each file in it uploaded.

        Raises:
            NotKept: one is refused.
        """
        if isinstance(value, Upload):
            body, headers = form([("files", value)])
            answer = self.client.post(f"{PREFIX}/upload", content=body, headers=headers)
            if answer.status_code != 200:
                raise NotKept(refusal(answer))
            (path,) = answer.json()
            return {"path": path, "orig_name": value.name, "meta": META}
        if isinstance(value, dict):
            return {name: self.uploaded(one) for name, one in value.items()}
        return list(map(self.uploaded, value)) if isinstance(value, list) else value

    # -- the direct route

    def directly(self, values: dict[str, Any], stream: bool = False) -> Outcome:
        """Ask by the direct route: with a form where there are files, else with JSON."""
        began = time.monotonic()
        fields = [(name, part) for name, value in values.items() for part in parts(value)]
        if any(isinstance(part, Upload) for _, part in fields):
            body, headers = form(fields)
        else:
            body, headers = dumped(values), {"Content-Type": JSON}
        if stream:
            headers["Accept"] = "text/event-stream"
        return timed(self.post(body, headers), began)

    def post(self, body: bytes, headers: dict[str, str]) -> Outcome:
        """Any body, on the direct route."""
        try:
            answer = self.client.post("/api/predict", content=body, headers=headers)
        except httpx.HTTPError as error:
            return Outcome("broken", repr(error))
        if answer.status_code != 200:
            return refusal(answer)
        end = answer.text.strip().rpartition("data: ")[2]
        detail = json.loads(end).get("detail") if "text/event-stream" in headers.values() else None
        return Outcome("refused", answer.text, detail) if detail else Outcome("answered", end)


class NotKept(Exception):
    """A file was refused when it was uploaded."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome


def timed(outcome: Outcome, began: float) -> Outcome:
    """With the seconds that it took."""
    return Outcome(
        outcome.kind, outcome.text, outcome.said, outcome.status, time.monotonic() - began
    )


def refusal(answer: httpx.Response) -> Outcome:
    """What an error of HTTP says."""
    try:
        said = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        said = answer.text
    kind = "refused" if answer.status_code in LIMIT_STATUSES | {500} else "broken"
    if not isinstance(said, str):  # of FastAPI
        said = "; ".join(str(one.get("msg")) for one in said)
    return Outcome(kind, answer.text, said, answer.status_code)


def parts(value: Any) -> list[Any]:
    """The fields of a form that a value is sent as; a message is a text and its files."""
    files = value.get("files") if isinstance(value, dict) else None
    if isinstance(files, list) and any(isinstance(one, Upload) for one in files):
        return [value["text"], *files]
    return [value]


def form(fields: list[tuple[str, Any]]) -> tuple[bytes, dict[str, str]]:
    """A body of multipart/form-data with names of files as they are, and its headers."""
    mark = uuid.uuid4().hex
    body = b""
    for name, value in fields:
        head = f'--{mark}\r\nContent-Disposition: form-data; name="{name}"'
        content = value
        if isinstance(value, Upload):
            head, content = f'{head}; filename="{value.name}"', value.content
        elif isinstance(value, str):
            content = value.encode(errors="surrogatepass")
        else:
            content = dumped(value)
        body += head.encode(errors="surrogatepass") + b"\r\n\r\n" + content + b"\r\n"
    body += f"--{mark}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={mark}"}


@contextmanager
def listener() -> Iterator[tuple[int, list[str]]]:
    """A server of this machine that no Space may ask: its port, and what it was asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(CANARY.encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1], asked
    finally:
        server.shutdown()
        server.server_close()


def forged(space: RunningSpace, port: int, decoy: Upload) -> dict[str, Any]:
    """References to files that are not the visitor's; those in the Space's folder are put there.

    Args:
        port: of a server that must not be asked.
        decoy: a good file, which would be answered if it was read.
    """
    folder, outside = space.folder, space.folder.parent
    uploads = outside / f"{folder.name}-temp"
    secret = f"secret{Path(decoy.name).suffix}"
    for place in (folder, outside):
        (place / "canary.txt").write_text(CANARY, encoding="utf-8")
        (place / secret).write_bytes(decoy.content)
    paths = {
        "the system's": "/etc/passwd",
        "the Space's code": str(folder / "tuning.py"),
        "the Space's code, from here": "serving/server.py",
        "a canary": str(folder / "canary.txt"),
        "a decoy here": secret,
        "a decoy": str(folder / secret),
        "a decoy outside": str(outside / secret),
        "a decoy by a detour": f"{uploads}/../{secret}",
        "a decoy by another detour": f"{uploads}/./x/../../{secret}",
        "a way up": "../../../../etc/passwd",
        "a file as an address": f"file://{folder / secret}",
        "the environment": "/proc/self/environ",
        "endless": "/dev/zero",
        "the uploads": str(uploads),
        "nothing in the uploads": str(uploads / "nothing.png"),
        "NUL in the uploads": f"{uploads}/a\0b.png",
        "nothing": "",
        "NUL": f"{folder / secret}\0.png",
        "too long": "/a" * 5_000,
        "this machine": f"http://127.0.0.1:{port}/{secret}",
        "this machine by name": f"http://localhost:{port}/{secret}",
        "this machine by number": f"http://2130706433:{port}/{secret}",
        "this machine, version 6": f"http://[::ffff:127.0.0.1]:{port}/{secret}",
        "the metadata of a cloud": "http://169.254.169.254/latest/meta-data/",
        "another protocol": f"gopher://127.0.0.1:{port}/x",
        "an address of nobody": "http:///x.png",
    }
    named = {name: {"path": path, "meta": META} for name, path in paths.items()}
    return {
        **named,
        "a bare path": str(folder / secret),
        "a path of lists": {"path": [str(folder / secret)], "meta": META},
        "a path of objects": {"path": {"path": "/etc/passwd"}, "meta": META},
        "a path of None": {"path": None, "meta": META},
        "a path of a number": {"path": 0, "meta": META},
        "a path of half a character": {"path": Raw('"/tmp/\\ud800"'), "meta": META},
        "no meta": {"path": str(folder / secret)},
        "another meta": {"path": str(folder / secret), "meta": {"_type": "x"}},
        "a stream": {"path": str(folder / secret), "meta": META, "is_stream": True},
        "a drawing": {"path": str(folder / secret), "meta": META, "orig_name": "a.svg"},
        "an address beside": {
            "path": "x.png",
            "url": f"http://127.0.0.1:{port}/{secret}",
            "meta": META,
        },
        "a page as data": {"path": "x", "url": "data:text/html;base64,PGI+", "meta": META},
        "broken data": {"path": "x", "url": "data:image/png;base64,%%%", "meta": META},
    }


def leaves(value: Any) -> Iterator[str]:
    """The texts in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from leaves(key)
            yield from leaves(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from leaves(one)


def told(said: str, value: Any) -> str:
    """What an error says beside what the visitor has said."""
    for own in sorted(set(leaves(value)), key=len, reverse=True):
        for form in (own, html.escape(own), repr(own)[1:-1]):
            if len(form) > 2:
                said = said.replace(form, "…")
    return said


def defects(outcome: Outcome, value: Any, may_be_answered: bool = True) -> list[str]:
    """What is wrong with an answer to a hostile value; nothing, if all is well."""
    found = []
    if CANARY in outcome.text or "root:x:0" in outcome.text:
        found.append("tells a secret")
    if outcome.kind == "broken":
        found.append(f"no answer: {outcome.text[:300]}")
    elif outcome.kind == "answered" and not may_be_answered:
        found.append(f"answered: {outcome.text[:300]}")
    elif outcome.kind == "refused":
        said = told(outcome.said, value)
        if len(said.split()) < 3 or said == "Internal Server Error":
            found.append(f"says nothing: {outcome.text[:300]}")
        elif SORRY in said:
            found.append("is not explained")
        elif len(outcome.said) > 1_000:
            found.append(f"says too much: {outcome.said[:300]}")
        if telling := TELLING.search(said):
            found.append(f"tells {telling[0]!r}: {said[:300]}")
    return found
