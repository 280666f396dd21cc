"""The function of app.py as programs call it, with what Gradio would check before."""

from __future__ import annotations

import asyncio
import hashlib
import html
import inspect
import os
import tempfile
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import gradio as gr
from gradio.components import Component
from gradio.context import LocalContext
from gradio.data_classes import FileData, ImageData
from gradio.processing_utils import async_move_files_to_cache
from gradio.utils import get_upload_folder
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    create_model,
)
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError
from starlette.datastructures import UploadFile

from serving.docstring import read_docstring
from serving.errors import InputError, NoRoom, no_room
from serving.values import replaced

BINARY = {"type": "string", "format": "binary"}
File = Annotated[UploadFile, WithJsonSchema(BINARY)]
MESSAGE = {
    "description": "A text; in a form also files, each in a field of this name",
    "anyOf": [{"type": "string"}, {"type": "array", "items": BINARY}],
}
Message = Annotated[Any, WithJsonSchema(MESSAGE)]


@dataclass(frozen=True)
class Endpoint:
    """A function, and the component that each of its parameters comes from.

    Attributes:
        arguments: checks names and types.
        files: names of the parameters that take one file.
        messages: names of those that take a text with files.
    """

    demo: gr.Blocks
    function: Callable[..., Any]
    components: dict[str, Component]
    arguments: type[BaseModel]
    files: frozenset[str]
    messages: frozenset[str]

    def gathered(self, fields: Iterable[tuple[str, Any]]) -> dict[str, Any]:
        """The fields of a form by name; what a message is made of may come in several."""
        given: dict[str, Any] = {}
        for name, value in fields:
            if name not in self.messages:
                given[name] = value
                continue
            message = given.setdefault(name, {"text": "", "files": []})
            if isinstance(value, UploadFile):
                message["files"].append(value)
            else:
                message["text"] = value
        return given

    async def checked(self, given: dict[str, Any]) -> dict[str, Any]:
        """The arguments as Gradio's queue would hand them to the function.

        Args:
            given: JSON values and uploaded files by name.

        Raises:
            InputError: one is missing, unknown, or not what its component takes.
            NoRoom: a file cannot be kept.
        """
        for name, value in given.items():
            if isinstance(value, UploadFile) != (name in self.files):
                if name not in self.components:
                    raise InputError(f"{name} is no argument.")
                wanted = "a file, in" if name in self.files else "a value, in JSON or"
                raise InputError(f"{name} must be {wanted} multipart/form-data.")
        try:
            values = self.arguments.model_validate(given)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise InputError(f"{where}: {first['msg']}") from None
        return {
            name: await self._converted(name, component, getattr(values, name))
            for name, component in self.components.items()
        }

    def without_paths(self, values: dict[str, Any], answer: Any) -> Any:
        """The answer, where a file of the request is called by its name.

        Args:
            values: what the function got; its files by their paths on this machine.
        """
        given = {values[name] for name in self.files if isinstance(values[name], str)}
        for name in self.messages:
            given.update((values[name] or {}).get("files", []))

        def named(part: Any) -> Any:
            is_path = isinstance(part, str) and part in given
            return Path(part).name if is_path else part

        return replaced(answer, named) if given else answer

    async def _converted(self, name: str, component: Component, value: Any) -> Any:
        if component.stateful:
            return value
        LocalContext.blocks.set(self.demo)  # without it, Gradio checks no path
        try:
            if isinstance(value, UploadFile):
                return await asyncio.to_thread(self._convert_file, component, value)
            if name in self.messages:
                value = await asyncio.to_thread(self._with_kept_files, value)
            if isinstance(value, (list, dict)):  # these may name files
                value = await async_move_files_to_cache(
                    value, component, check_in_upload_folder=True
                )
            return component.preprocess(payload(component, value))
        except gr.Error as error:
            said = html.unescape(str(error.message))
            raise InputError(f"{name}: {said}") from None
        except Exception as error:  # noqa: BLE001  # forged references raise many kinds
            if no_room(error):
                raise NoRoom from None
            raise InputError(f"{name} is not what is expected.") from None

    def _convert_file(self, component: Component, file: UploadFile) -> Any:
        return component.preprocess(payload(component, self._kept(file)))

    def _kept(self, file: UploadFile) -> dict[str, Any]:
        """The file as Gradio names its uploads."""
        path = keep(file)
        self.demo.upload_file_set.add(path)  # Gradio deletes these after a day
        meta = {"_type": "gradio.FileData"}
        return {"path": path, "orig_name": Path(path).name, "meta": meta}

    def _with_kept_files(self, message: Any) -> Any:
        """A message, which may be a mere text, with its files among the uploads."""
        if isinstance(message, str):
            return {"text": message, "files": []}
        if not isinstance(message, dict) or not isinstance(message.get("files"), list):
            return message
        files = [
            self._kept(one) if isinstance(one, UploadFile) else one
            for one in message["files"]
        ]
        return {**message, "files": files}


def payload(component: Component, value: Any) -> Any:
    """The value in the form that the component's `preprocess` takes.

    Raises:
        ValidationError: it has another form.
    """
    model = getattr(component, "data_model", None)
    if model is None or value is None:
        return value
    return model.model_validate(value, context={"validate_meta": True})


def find_endpoint(
    demo: gr.Blocks, function: Callable[..., Any], examples: list[list[Any]]
) -> Endpoint | None:
    """The endpoint of `function`; None where Gradio calls it in a way of the owner's.

    Then it is not known which component checks which of its parameters.

    Args:
        examples: rows of values, for its schema.
    """
    if not is_async(function):
        return None
    names = list(inspect.signature(function).parameters)
    for event in demo.fns.values():
        components = [one for one in event.inputs if isinstance(one, Component)]
        if (
            called_by(event.fn) is not function
            or event.api_visibility != "public"
            or not len(components) == len(event.inputs) == len(names)
        ):
            continue
        if event.fn is function and any(one.stateful for one in components):
            continue  # such a state is the server's own, nobody may send one
        by_name = dict(zip(names, components))
        files = frozenset(
            name
            for name, component in by_name.items()
            if getattr(component, "data_model", None) in (FileData, ImageData)
        )
        messages = frozenset(
            name
            for name, component in by_name.items()
            if isinstance(component, gr.MultimodalTextbox)
        )
        try:
            checks = arguments(function, by_name, files, examples)
        except (NameError, PydanticUserError):  # a name or a hint that it cannot read
            return None
        return Endpoint(demo, function, by_name, checks, files, messages)
    return None


def called_by(function: Any) -> Any:
    """The function that Gradio calls: a ChatInterface wraps it, nothing else is known."""
    module = getattr(function, "__globals__", {}).get("__name__")
    wrapped = getattr(function, "__wrapped__", None)
    return wrapped if module == "gradio.chat_interface" and wrapped else function


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling it leaves the event loop free."""
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def arguments(
    function: Callable[..., Any],
    components: dict[str, Component],
    files: frozenset[str],
    examples: list[list[Any]],
) -> type[BaseModel]:
    """The function's parameters as a model that checks names and types.

    Where the function has no default, what the page shows at first is the default, as it
    is for Gradio's own API.
    """
    hints = typing.get_type_hints(function)
    said = read_docstring(function).arguments
    fields: dict[str, Any] = {}
    for place, (name, parameter) in enumerate(
        inspect.signature(function).parameters.items()
    ):
        component = components[name]
        default = ... if parameter.default is parameter.empty else parameter.default
        about: dict[str, Any] = {"description": said.get(name)}
        if name in files:
            fields[name] = (File, Field(default, **about))
            continue
        shown = getattr(component, "value", None)
        if default is ... and shown is not None and not callable(shown):
            default = shown
        if getattr(component, "data_model", None) is None and examples:
            about["examples"] = examples[0][place : place + 1] or None
        about["json_schema_extra"] = limits(component)
        hint = json_type(hints.get(name), component)
        fields[name] = (hint, Field(default, **about))
    config = ConfigDict(
        extra="forbid", protected_namespaces=(), arbitrary_types_allowed=True
    )
    return create_model("Arguments", __config__=config, **fields)


def limits(component: Component) -> dict[str, Any]:
    """What the schema says of them; the component itself checks the value."""
    known: dict[str, Any] = {
        name: limit
        for name in ("minimum", "maximum")
        if isinstance(limit := getattr(component, name, None), (int, float))
    }
    choices = getattr(component, "choices", None)
    if choices and not getattr(component, "allow_custom_value", False):
        known["enum"] = [value for _, value in choices]
    return known


def json_type(hint: Any, component: Component) -> Any:
    """The type of what is sent, where the function's own says it."""
    if isinstance(component, gr.MultimodalTextbox):
        return Message
    if getattr(component, "data_model", None) is not None:
        schema = component.api_info()  # the component itself converts the value
        known = isinstance(schema, dict) and "$defs" not in schema
        return Annotated[Any, WithJsonSchema(schema)] if known else Any
    if hint is None:
        return Any
    try:
        TypeAdapter(hint)
    except PydanticSchemaGenerationError:
        return Any
    return hint


def keep(file: UploadFile) -> str:
    """Path of a copy among Gradio's uploads, where equal files share one."""
    content = file.file.read()
    folder = Path(get_upload_folder(), hashlib.sha256(content).hexdigest())
    name = Path(file.filename or "file").name
    safe = "".join(one for one in name if one.isalnum() or one in "._-").encode()
    short = safe[-100:].decode(errors="ignore")  # file systems count bytes
    path = folder / (short.lstrip(".") or "file")
    if path.exists():
        os.utime(path)  # it stays for another day
        return str(path)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as part:
        part.write(content)
    os.replace(part.name, path)
    return str(path)
