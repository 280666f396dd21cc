"""The direct route: `POST /api/predict`, for programs that want throughput.

Gradio's queue costs several milliseconds of CPU per request; this route costs about one.
A request takes the same way from there on: the function of app.py, the same checks, the
same line and limits. `/api/docs` shows it, `/api/openapi.json` is its schema, and
`/metrics` what the Space has counted.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
import os
import tempfile
import typing
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from gradio.data_classes import FileData, ImageData
from gradio.utils import get_upload_folder
from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from starlette.datastructures import UploadFile
from starlette.routing import Mount, Route

from serving.errors import Busy, InputError, VisitorError
from serving.line import Line, route
from serving.metrics import Metrics
from serving.values import as_json

MENTION = "For many requests, POST /api/predict skips the queue: see /api/docs."
SUMMARY = "Answers one request, without Gradio's queue."


def add_routes(
    app: FastAPI,
    demo: gr.Blocks,
    function: Callable[..., Any],
    line: Line,
    metrics: Metrics,
) -> None:
    """Add the direct route and the metrics to Gradio's application.

    Args:
        function: the one of app.py that answers.
    """
    route = DirectRoute(demo, function, line, metrics)

    def show_metrics(request: Request) -> Response:
        if not metrics_are_open(request):
            return Response("Set the variable METRICS=1 to open this.", 403)
        return Response(metrics.text(), media_type="text/plain; version=0.0.4")

    # before Gradio's own routes, one of which takes what is left
    app.router.routes.insert(0, Mount("/api", route.application()))
    app.router.routes.insert(0, Route("/metrics", show_metrics))


def mention(demo: gr.Blocks, function: Callable[..., Any]) -> None:
    """Name the direct route on Gradio's API page."""
    text = (inspect.getdoc(function) or "").split("\n\n")[0]
    for event in demo.fns.values():
        if event.fn is function and event.api_description is None:
            event.api_description = f"{text} {MENTION}".strip()


def metrics_are_open(request: Request) -> bool:
    """Whether the owner opened them, or whoever asks sits at this very machine."""
    if os.environ.get("METRICS"):
        return os.environ["METRICS"].lower() not in ("0", "false", "off")
    local = request.client is not None and request.client.host in ("127.0.0.1", "::1")
    return local and "x-forwarded-for" not in request.headers


class DirectRoute:
    """Calls the function of app.py with what a program sends."""

    def __init__(
        self,
        demo: gr.Blocks,
        function: Callable[..., Any],
        line: Line,
        metrics: Metrics,
    ) -> None:
        self._function = function
        self._line = line
        self._metrics = metrics
        self._title = str(demo.title)
        self._streams = inspect.isasyncgenfunction(function)
        components = inputs(demo, function)
        self._files = {
            name
            for name, component in components.items()
            if getattr(component, "data_model", None) in (FileData, ImageData)
        }
        self._arguments = arguments(function, components)

    def application(self) -> FastAPI:
        """The application to mount."""
        app = FastAPI(title=self._title, docs_url="/docs", redoc_url=None)
        schema = self._arguments.model_json_schema()
        form = json.loads(json.dumps(schema))
        for name in self._files:
            form["properties"][name] = {"type": "string", "format": "binary"}
        content = {"multipart/form-data": {"schema": form}}
        if not self._files:
            content = {"application/json": {"schema": schema}, **content}
        app.add_api_route(
            "/predict",
            self.predict,
            methods=["POST"],
            summary=SUMMARY,
            description=inspect.getdoc(self._function),
            response_class=JSONResponse,
            responses=self._responses(),
            openapi_extra={"requestBody": {"required": True, "content": content}},
        )
        return app

    def _responses(self) -> dict[int | str, dict[str, Any]]:
        """For the schema."""
        error = {
            "application/json": {"schema": {"type": "object", "properties": DETAIL}}
        }
        good: dict[str, Any] = {
            "application/json": {
                "schema": {"type": "object", "properties": {"result": {}}}
            }
        }
        if self._streams:
            good["text/event-stream"] = {
                "schema": {"type": "string"},
                "example": 'data: {"delta": "Hel"}\n\ndata: {"delta": "lo"}\n\n'
                'data: {"result": "Hello"}\n\n',
            }
        return {
            200: {"description": "The answer", "content": good},
            413: {"description": "Too large", "content": error},
            422: {"description": "The input cannot be answered", "content": error},
            503: {"description": "Too many requests wait", "content": error},
        }

    async def predict(self, request: Request) -> Response:
        """Read the request, call the function, and write its answer."""
        route.set("direct")
        try:
            values = await self._read(request)
            self._line.admit()
        except VisitorError as error:
            outcome = "refused" if isinstance(error, Busy) else "invalid"
            self._metrics.ended("direct", outcome)
            return problem(error)
        answer = self._function(**values)
        if not self._streams:
            return await self._whole(request, answer)
        if "text/event-stream" in request.headers.get("accept", ""):
            return await self._events(answer)
        return await self._whole(request, last(answer))

    async def _whole(self, request: Request, answer: Any) -> Response:
        """The answer at once; who hangs up is not computed for."""
        task = asyncio.ensure_future(answer)
        gone = asyncio.ensure_future(hung_up(request))
        try:
            await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                return Response(status_code=499)
            result = await task
            return JSONResponse({"result": as_json(result)})
        except gr.Error as error:
            return problem(error)
        except TypeError as error:
            return problem(InputError(f"The answer is no JSON: {error}"))
        finally:
            gone.cancel()
            task.cancel()

    async def _events(self, values: AsyncIterator[Any]) -> Response:
        """The answer bit by bit; Starlette closes the stream of who hangs up."""
        try:
            first = await anext(values, "")  # refused at once, if it is
        except gr.Error as error:
            return problem(error)
        return StreamingResponse(events(first, values), media_type="text/event-stream")

    async def _read(self, request: Request) -> dict[str, Any]:
        """The arguments of the function.

        Raises:
            InputError: they are missing or wrong.
        """
        kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
        try:
            if kind == "multipart/form-data":
                async with request.form(max_files=len(self._files)) as form:
                    given: dict[str, Any] = {}
                    for name, value in form.items():
                        file = isinstance(value, UploadFile)
                        if file != (name in self._files):
                            raise InputError(f"{name} must {'not ' * file}be a file.")
                        given[name] = await keep(value) if file else value  # type: ignore
                return self._checked(given)
            body = json.loads(await request.body() or b"{}")
        except (ValueError, RecursionError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError("The body must be JSON or multipart/form-data.") from None
        if not isinstance(body, dict):
            raise InputError("The body must be an object with named arguments.")
        for name in self._files & set(body):
            raise InputError(f"Please send {name} as a file, in multipart/form-data.")
        return self._checked(body)

    def _checked(self, given: dict[str, Any]) -> dict[str, Any]:
        try:
            checked = self._arguments.model_validate(given)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise InputError(f"{where}: {first['msg']}") from None
        return {name: getattr(checked, name) for name in type(checked).model_fields}


DETAIL = {"detail": {"type": "string", "description": "What is wrong and what to do."}}


def arguments(
    function: Callable[..., Any], components: dict[str, Any]
) -> type[BaseModel]:
    """The function's parameters as a model that checks them.

    Where the function has no default, what the page shows at first is the default, as it
    is for Gradio's own API.
    """
    hints = typing.get_type_hints(function)
    fields: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        default = parameter.default
        if default is parameter.empty:
            shown = getattr(components.get(name), "value", None)
            default = ... if shown is None or callable(shown) else shown
        fields[name] = (hints.get(name, Any), default)
    config = ConfigDict(extra="forbid", protected_namespaces=())
    return create_model("Arguments", __config__=config, **fields)


def inputs(demo: gr.Blocks, function: Callable[..., Any]) -> dict[str, Any]:
    """The component of each parameter; none where Gradio calls `function` indirectly."""
    for event in demo.fns.values():
        if event.fn is function:
            return dict(zip(inspect.signature(function).parameters, event.inputs))
    return {}


async def keep(file: UploadFile) -> str:
    """Path of a copy among Gradio's uploads, where equal files share one."""

    def copy() -> str:
        content = file.file.read()
        folder = Path(get_upload_folder(), hashlib.sha256(content).hexdigest())
        name = Path(file.filename or "file").name
        safe = "".join(one for one in name if one.isalnum() or one in "._-")[-100:]
        path = folder / (safe.lstrip(".") or "file")
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=folder, delete=False) as part:
                part.write(content)
            os.replace(part.name, path)
        return str(path)

    return await asyncio.to_thread(copy)


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
    yield event(delta=value) if isinstance(value, str) else event(result=value)
    try:
        before = value
        async for value in later:
            if isinstance(value, str) and value.startswith(str(before)):
                yield event(delta=value[len(before) :])
            else:
                yield event(result=value)
            before = value
        yield event(result=value)
    except gr.Error as error:
        yield event(detail=sentence(error))


def event(**data: Any) -> str:
    """One server-sent event."""
    return f"data: {json.dumps(as_json(data))}\n\n"


def problem(error: Exception) -> Response:
    """The answer that tells an error."""
    known = error if isinstance(error, VisitorError) else error.__cause__
    status = known.status if isinstance(known, VisitorError) else 500
    if isinstance(error, gr.Error) and known is None:
        status = 422  # app.py or model.py says so
    headers = {"Retry-After": str(known.seconds)} if isinstance(known, Busy) else {}
    return JSONResponse({"detail": sentence(error)}, status, headers)


def sentence(error: Exception) -> str:
    """What is wrong, as plain text."""
    if isinstance(error, gr.Error):
        cause = error.__cause__
        return str(cause) if isinstance(cause, VisitorError) else str(error.message)
    return str(error)
