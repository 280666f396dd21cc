"""The direct route: `POST /api/predict`, for programs that want throughput.

Gradio's queue costs several milliseconds of CPU per request; this route costs about one.
A request takes the same way from there on: the components' own checks, the function of
app.py, the same line and limits. `/api/docs` shows it, `/api/openapi.json` is its schema,
and `/metrics` what the Space has counted.
"""

from __future__ import annotations

import asyncio
import html
import inspect
import json
import logging
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any

import gradio as gr
from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.exceptions import HTTPException
from starlette.routing import Mount, Route

from serving.docstring import read_docstring
from serving.endpoint import Endpoint
from serving.errors import InputError, ModelError, Refused, VisitorError
from serving.line import Line, direct, route
from serving.metrics import Metrics
from serving.result_schema import result_schema
from serving.values import as_json
from serving.visitors import visitor_of

log = logging.getLogger("space")

MENTION = "For many requests, POST /api/predict skips the queue: see /api/docs."
SUMMARY = "Answers one request, without Gradio's queue."
DETAIL = {"detail": {"type": "string", "description": "What is wrong and what to do."}}
MAX_FILES = 10  # of one request; so many that the surplus is named


def add_metrics(app: FastAPI, metrics: Metrics) -> None:
    """Add `/metrics` to Gradio's application."""

    def show_metrics(request: Request) -> Response:
        if not metrics_are_open(request):
            return Response("Set the variable METRICS=1 to open this.", 403)
        return Response(metrics.text(), media_type="text/plain; version=0.0.4")

    # before Gradio's own routes, one of which takes what is left
    app.router.routes.insert(0, Route("/metrics", show_metrics))


def metrics_are_open(request: Request) -> bool:
    """Whether the owner opened them, or whoever asks sits at this very machine."""
    if os.environ.get("METRICS"):
        return os.environ["METRICS"].lower() not in ("0", "false", "off")
    local = request.client is not None and request.client.host in ("127.0.0.1", "::1")
    return local and "x-forwarded-for" not in request.headers


class DirectRoute:
    """Calls the function of app.py with what a program sends."""

    def __init__(self, endpoint: Endpoint, line: Line, metrics: Metrics) -> None:
        self._endpoint = endpoint
        self._line = line
        self._metrics = metrics
        self._streams = inspect.isasyncgenfunction(endpoint.function)
        self._said = read_docstring(endpoint.function)

    def mention(self) -> None:
        """Name it on Gradio's API page, which also is what MCP says of the tool."""
        returns = f"Returns: {self._said.returns}" if self._said.returns else ""
        text = " ".join(filter(None, [self._said.summary, returns, MENTION]))
        for event in self._endpoint.demo.fns.values():
            if event.api_name == "predict" and event.api_description is None:
                event.api_description = text

    def add_to(self, app: FastAPI) -> None:
        """Add it to Gradio's application."""
        # before Gradio's own routes, one of which takes what is left
        app.router.routes.insert(0, Mount("/api", self._application()))

    def _application(self) -> FastAPI:
        title = str(self._endpoint.demo.title)
        app = FastAPI(title=title, docs_url=None, redoc_url=None)
        schema = self._endpoint.arguments.model_json_schema()
        content = {"multipart/form-data": {"schema": schema}}
        if not self._endpoint.files:
            content = {"application/json": {"schema": schema}, **content}
        app.add_api_route(
            "/predict",
            self.predict,
            methods=["POST"],
            summary=SUMMARY,
            description=self._said.summary,
            response_class=JSONResponse,
            responses=self._responses(),
            openapi_extra={"requestBody": {"required": True, "content": content}},
        )

        def docs(request: Request) -> HTMLResponse:
            prefix = request.scope.get("root_path", "")
            # the page takes it for HTML
            return get_swagger_ui_html(
                openapi_url=f"{prefix}/openapi.json", title=html.escape(title)
            )

        app.add_route("/docs", docs)
        return app

    def _responses(self) -> dict[int | str, dict[str, Any]]:
        """For the schema."""
        error = {
            "application/json": {"schema": {"type": "object", "properties": DETAIL}}
        }
        result = result_schema(self._endpoint.function)
        good: dict[str, Any] = {
            "application/json": {
                "schema": {"type": "object", "properties": {"result": result}}
            }
        }
        if self._streams:
            good["text/event-stream"] = {
                "schema": {"type": "string"},
                "example": 'data: {"delta": "Hel"}\n\ndata: {"delta": "lo"}\n\n'
                'data: {"result": "Hello"}\n\n',
            }
        return {
            200: {
                "description": self._said.returns or "The answer",
                "content": good,
            },
            413: {"description": "Too large", "content": error},
            422: {"description": "The input cannot be answered", "content": error},
            429: {"description": "Too many of your requests", "content": error},
            500: {"description": "The model failed", "content": error},
            503: {"description": "Too many requests wait", "content": error},
            504: {"description": "It took too long", "content": error},
        }

    async def predict(self, request: Request) -> Response:
        """Read the request, call the function, and write its answer."""
        route.set("direct")
        line, visitor = self._line, visitor_of(request)
        try:
            line.shares.check_rate(visitor)
            line.admit(visitor)
            values = await self._read(request)
            line.admit(visitor)  # others may have come while this was read
        except VisitorError as error:
            outcome = "refused" if isinstance(error, Refused) else "invalid"
            self._metrics.ended("direct", outcome)
            return problem(error)
        direct.set(line.shares.ticket(visitor, line.length))
        if self._streams and "text/event-stream" in request.headers.get("accept", ""):
            return await self._events(request, self._stream(values))
        return await self._whole(request, self._answer(values))

    async def _answer(self, values: dict[str, Any]) -> Any:
        """What the function answers, or says at last, when it is this request's turn."""
        async with self._turn():
            answer = self._endpoint.function(**values)
            result = await (last(answer) if self._streams else answer)
            return self._endpoint.without_paths(values, result)

    async def _stream(self, values: dict[str, Any]) -> AsyncGenerator[Any, None]:
        """All that the function says, when it is this request's turn."""
        async with (
            self._turn(),
            aclosing(self._endpoint.function(**values)) as growing,
        ):
            async for value in growing:
                yield self._endpoint.without_paths(values, value)

    def _turn(self) -> AbstractAsyncContextManager[None]:
        ticket = direct.get()
        assert ticket is not None
        return self._line.turnstile.passing(ticket)

    async def _whole(self, request: Request, answer: Any) -> Response:
        """The answer at once."""
        try:
            result = await unless_gone(request, answer)
            return JSONResponse({"result": as_json(result)})
        except Gone:
            return Response(status_code=499)
        except Exception as error:  # noqa: BLE001  # of app.py, or no JSON
            return problem(error)

    async def _events(
        self, request: Request, values: AsyncGenerator[Any, None]
    ) -> Response:
        """The answer bit by bit; Starlette closes the stream of who hangs up."""
        try:
            first = await unless_gone(request, anext(values, ""))
        except Gone:
            return Response(status_code=499)
        except Exception as error:  # noqa: BLE001  # of app.py: refused at once
            return problem(error)
        return StreamingResponse(events(first, values), media_type="text/event-stream")

    async def _read(self, request: Request) -> dict[str, Any]:
        """The arguments of the function.

        Raises:
            InputError: they are missing or wrong.
        """
        kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if kind == "multipart/form-data":
            try:
                async with request.form(max_files=MAX_FILES) as form:
                    fields = self._endpoint.gathered(form.multi_items())
                    return await self._endpoint.checked(fields)
            except HTTPException as error:
                if error.status_code != 400:
                    raise
                raise InputError(str(error.detail)) from None
        try:
            body = json.loads(await request.body() or b"{}")
        except (ValueError, RecursionError):
            raise InputError("The body must be JSON or multipart/form-data.") from None
        if not isinstance(body, dict):
            raise InputError("The body must be an object with named arguments.")
        return await self._endpoint.checked(body)


class Gone(Exception):
    """Whoever asked has hung up."""


async def unless_gone(request: Request, answer: Awaitable[Any]) -> Any:
    """What `answer` gives; who hangs up is not computed for.

    Raises:
        Gone: whoever asked has hung up.
    """
    task = asyncio.ensure_future(answer)
    gone = asyncio.ensure_future(hung_up(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Gone
        return await task
    finally:
        gone.cancel()
        task.cancel()


async def hung_up(request: Request) -> None:
    """Wait until whoever asked closes the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def last(values: AsyncIterator[Any]) -> Any:
    """The last value."""
    latest = None
    async for value in values:
        latest = value
    return latest


async def events(value: Any, later: AsyncIterator[Any]) -> AsyncIterator[str]:
    """Server-sent events: what each value adds, and the whole at the end."""
    try:
        before = ""
        yield event(value, before)
        async for following in later:
            before, value = value, following
            yield event(value, before)
        yield event(value, None)
    except Exception as error:  # noqa: BLE001  # of app.py, or no JSON
        yield as_event(detail=explain(error)[1])


def event(value: Any, before: Any) -> str:
    """What `value` adds to the one before, or the whole."""
    if isinstance(value, str) and isinstance(before, str) and value.startswith(before):
        return as_event(delta=value[len(before) :])
    return as_event(result=value)


def as_event(**data: Any) -> str:
    """One server-sent event.

    Raises:
        TypeError, ValueError: JSON cannot hold it.
    """
    return f"data: {json.dumps(as_json(data), allow_nan=False)}\n\n"


def problem(error: Exception) -> Response:
    """The answer that tells an error."""
    known, sentence = explain(error)
    headers = {}
    if isinstance(known, Refused):
        headers["Retry-After"] = str(known.seconds)
    return JSONResponse({"detail": sentence}, known.status, headers)


def explain(error: Exception) -> tuple[VisitorError, str]:
    """What kind of error it is, and what is wrong, as plain text."""
    if isinstance(error, gr.Error):
        cause = error.__cause__
        if cause is None:  # app.py or model.py says so
            return InputError(), str(error.message)
        # what is not foreseen has been logged, and put plainly for the page
        known = cause if isinstance(cause, VisitorError) else ModelError()
        return known, str(known)
    if isinstance(error, VisitorError):
        return error, str(error)
    log.error("an answer cannot be given on the direct route", exc_info=error)
    return ModelError(), str(ModelError())
