"""What a rendered Space is made of beside the texts in it."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

import yaml
from markdown_it import MarkdownIt

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
CODE = {"fence", "code_block", "code_inline", "html_block", "html_inline"}


def structure(files: Mapping[str, bytes]) -> dict[str, Any]:
    """Of each file what no answer may change, whatever text it is.

    Python is taken without its texts, YAML as its keys and types, a card as its elements; every
    other file counts as it is, byte for byte.
    """
    return {path: of_file(path, data) for path, data in files.items()}


def of_file(path: str, data: bytes) -> Any:
    """Of one file."""
    if path.endswith(".py"):
        return without_texts(data)
    if path.endswith((".yml", ".yaml")):
        return shape(yaml.safe_load(data))
    if path == "README.md":
        header, text = card(data)
        return shape(header), elements(text)
    return data


def without_texts(source: bytes) -> str:
    """A Python file's syntax tree; its docstrings count, other texts do not."""
    tree = ast.parse(source)
    docs = {id(node.body[0].value) for node in ast.walk(tree) if documented(node)}  # type: ignore[attr-defined]
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            node.value = "text"
    return ast.dump(tree)


def documented(node: ast.AST) -> bool:
    """Whether it is a module, class or function with a docstring."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return isinstance(node, kinds) and ast.get_docstring(node, clean=False) is not None


def shape(value: Any) -> Any:
    """The keys and types of a value."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return type(value).__name__


def card(data: bytes) -> tuple[Any, str]:
    """The header and the text of a README.md."""
    before, header, text = data.decode().split("---\n", 2)
    assert not before
    return yaml.safe_load(header), text


def elements(text: str) -> list[Any]:
    """The elements of a text in Markdown, with all of them but the words."""
    found: list[Any] = []
    for token in MARKDOWN.parse(text):
        for one in (token, *(token.children or ())):
            if one.type not in ("text", "inline"):
                attributes = sorted(one.attrs.items())
                content = one.content if one.type in CODE else ""
                found.append((one.type, one.tag, one.level, attributes, content))
    return found


def heading(text: str) -> str:
    """The words of the first heading, as a browser shows them."""
    tokens = MARKDOWN.parse(text)
    first = next(number for number, one in enumerate(tokens) if one.type == "heading_open")
    return "".join(one.content for one in tokens[first + 1].children or ())


def assigned(source: bytes) -> dict[str, Any]:
    """The values that a tuning.py gives its names; a row of a tier as a list of values."""
    found: dict[str, Any] = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value = node.value
            rows = value.elts if isinstance(value, ast.List) else None
            found[node.targets[0].id] = (
                ast.literal_eval(value)
                if rows is None
                else [
                    [ast.literal_eval(one) for one in row.args]
                    for row in rows
                    if isinstance(row, ast.Call)
                ]
            )
    return found
