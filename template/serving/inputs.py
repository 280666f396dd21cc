"""What is sent, checked before it is read: its size, its kind, and which files it names."""

from __future__ import annotations

import html
import logging
import math
import os
from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.utils import get_upload_folder
from gradio_client.utils import is_http_url_like
from starlette.exceptions import HTTPException

from serving.digest import is_in
from serving.errors import InputError, shortened

log = logging.getLogger("space")

# Gradio goes through JSON part by part, and all visitors wait meanwhile: seconds, if all
# parts are small.
MAX_JSON_BYTES = 2 * 2**20
UNREADABLE = "These inputs cannot be read. Please check them and try again."


class JsonLimit:
    """Refuses large JSON; files come in forms, which may be larger."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """As the interface of ASGI wants it."""
        headers = dict(scope.get("headers", ()))
        is_form = headers.get(b"content-type", b"").startswith(b"multipart/")
        if scope["type"] != "http" or is_form:
            await self._app(scope, receive, send)
            return
        size = 0

        async def receive_some() -> Any:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > MAX_JSON_BYTES:
                limit = f"{MAX_JSON_BYTES // 2**20} MB are the limit"
                raise HTTPException(413, f"This request is too large: {limit}.")
            return message

        await self._app(scope, receive_some, send)


def explain_unreadable_inputs(demo: gr.Blocks) -> None:
    """Say which input Gradio could not read, in place of an empty error."""
    inputs = {id(one): one for event in demo.fns.values() for one in event.inputs}
    for component in inputs.values():
        if isinstance(component, Component):
            component.preprocess = explained(component)  # type: ignore
            move = component.async_move_resource_to_block_cache
            component.async_move_resource_to_block_cache = of_files(move)  # type: ignore
    together = demo.preprocess_data

    async def run(*arguments: Any, **options: Any) -> Any:
        try:
            return await together(*arguments, **options)
        except gr.Error:
            raise
        except Exception as error:  # noqa: BLE001  # too few, or forged files
            log.info("unreadable inputs: %.300s", error)
            plain = InputError(UNREADABLE)
            raise gr.Error(UNREADABLE, print_exception=False) from plain

    demo.preprocess_data = run  # type: ignore[method-assign]


def of_files(move: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`move`, which makes a file known to Gradio, for files alone.

    Gradio deletes old ones later, and would for ever stop to at the name of a folder.
    """

    async def run(resource: Any) -> Any:
        if not is_http_url_like(str(resource)) and not os.path.isfile(resource):
            raise ValueError("no file")
        return await move(resource)

    return run


def explained(component: Component) -> Callable[[Any], Any]:
    """The component's `preprocess` with an error that names the input."""
    preprocess, label = component.preprocess, str(component.label or "input")

    def run(payload: Any) -> Any:
        try:
            check_file(payload)
            return preprocess(checked(component, payload))
        except gr.Error as error:
            error.print_exception = False
            error.message = shortened(error.message)
            raise
        except Exception as error:  # noqa: BLE001  # decoders raise many kinds
            log.info("unreadable input: %.300s", error)
            message = f"“{label}” cannot be read. Please check it and try again."
            plain = InputError(message)
            raise gr.Error(html.escape(message), print_exception=False) from plain

    return run


def checked(component: Component, payload: Any) -> Any:
    """The payload, if it is of the kind that the page sends; programs send others.

    Raises:
        ValueError: it is not.
    """
    if isinstance(component, gr.Textbox):
        return "" if payload is None else payload  # nothing has been typed
    if isinstance(component, gr.MultimodalTextbox) and payload is None:
        return component.data_model(text="", files=[])
    if payload is None:
        return payload
    if isinstance(component, (gr.Number, gr.Slider)):
        if isinstance(payload, bool) or not math.isfinite(payload):
            raise ValueError("no number")
    elif isinstance(component, gr.Dropdown) and not component.multiselect:
        kinds = {str, *(type(value) for _, value in component.choices)}
        if type(payload) not in kinds:
            raise ValueError("no choice")
    return payload


def check_file(payload: Any) -> None:
    """Refuse a file that is not one of the uploads.

    Gradio does so only where the `meta` of a reference is as it should be, and for
    pictures it may be anything.

    Raises:
        ValueError: the payload is such a file.
    """
    path = getattr(payload, "path", None)
    uploads = os.path.abspath(get_upload_folder())
    if path is not None and not is_in(os.path.abspath(path), (uploads,)):
        raise ValueError(f"{path} is no upload")
