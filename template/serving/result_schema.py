"""What a function answers on the direct route, as a JSON schema."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from typing import Any

from PIL import Image
from pydantic import ConfigDict, TypeAdapter
from pydantic.errors import PydanticUserError
from pydantic.json_schema import GenerateJsonSchema

PICTURE = {"type": "string", "description": "A picture as PNG, in a data URI"}


class ResultSchema(GenerateJsonSchema):
    """Knows pictures; other objects may be anything."""

    def is_instance_schema(self, schema: Any) -> dict[str, Any]:
        """Of a class of the function's return type."""
        return dict(PICTURE) if issubclass(schema["cls"], Image.Image) else {}


def result_schema(function: Callable[..., Any]) -> dict[str, Any]:
    """The schema of what `function` returns, or yields at last; {} where it is not told."""
    try:
        hint = typing.get_type_hints(function).get("return")
        if inspect.isasyncgenfunction(function):
            (hint, *_) = typing.get_args(hint)
        if hint is None:
            return {}
        adapter: TypeAdapter[Any] = TypeAdapter(
            hint, config=ConfigDict(arbitrary_types_allowed=True)
        )
        schema = adapter.json_schema(schema_generator=ResultSchema)
    except (NameError, TypeError, ValueError, PydanticUserError):
        return {}
    return {} if "$defs" in schema else schema
