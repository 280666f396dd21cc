"""What each app.py says of its function, which the API page, MCP and /api/docs show."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Any

import pytest
from gradio.utils import get_function_description

TEMPLATE = Path(__file__).parent.parent / "template"
sys.path.append(str(TEMPLATE))

from serving.docstring import read_docstring  # noqa: E402
from serving.result_schema import result_schema  # noqa: E402

APPS = {path.parent.name.split("'")[1]: path for path in TEMPLATE.glob("*model_type*/app.py")}


def function_of(path: Path) -> Any:
    """The function that answers, with its names and its docstring, but without its body."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    (found,) = [node for node in tree.body if isinstance(node, ast.AsyncFunctionDef)]
    names = [one.arg for one in found.args.args]
    source = f"async def function({', '.join(names)}): ..."
    defined: dict[str, Any] = {}
    exec(source, defined)
    defined["function"].__doc__ = ast.get_docstring(found, clean=False)
    return defined["function"]


@pytest.mark.parametrize("model_type", APPS)
def test_everything_is_described_also_to_gradio(model_type: str) -> None:
    """Gradio reads one line of each argument: it must be a whole sentence."""
    function = function_of(APPS[model_type])
    said = read_docstring(function)
    _, of_gradio, _ = get_function_description(function)
    assert said.arguments == of_gradio
    for text in (said.summary, *said.arguments.values(), said.returns):
        assert text.endswith((".", '".', "}.")), text


def test_a_docstring_is_read_line_by_line() -> None:
    def function(*words: str) -> None:
        """Do it.

        At once: now.

        Args:
            *words: Some,
                and more.

        Returns: What
        comes out.
        """

    said = read_docstring(function)
    assert said.summary == "Do it. At once: now."
    assert said.arguments == {"words": "Some, and more."}
    assert said.returns == "What comes out."
    assert read_docstring(lambda: None) == ("", {}, "")


def test_results_have_a_schema() -> None:
    from PIL import Image

    def drawn() -> tuple[Image.Image, int]: ...

    def unknown() -> Unheard: ...  # type: ignore[name-defined]  # noqa: F821

    drawn.__annotations__["return"] = tuple[Image.Image, int]
    picture, number = result_schema(drawn)["prefixItems"]
    assert "data URI" in picture["description"]
    assert number == {"type": "integer"}
    assert result_schema(unknown) == {}
