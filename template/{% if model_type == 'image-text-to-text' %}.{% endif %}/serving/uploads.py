"""What is said in a chat with pictures; of files only Gradio's uploads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from serving.digest import is_in
from turns import past

GONE = "This picture is not here any more. Please upload it again."


def conversation_of(
    system_prompt: str,
    history: Sequence[dict[str, Any]],
    message: dict[str, Any] | None,
) -> list[dict[str, Any]]:
    """A conversation with pictures in the form of transformers' chat templates.

    Args:
        history: the turns so far, in any of the forms that ChatInterface has for them.
        message: what is said now: {"text": ..., "files": [...]}.

    Returns:
        Turns, the first of which is the system prompt: {"role": ..., "content": [...]}
        with {"type": "text", "text": ...} and {"type": "image", "path": ...}.

    Raises:
        gr.Error: it names a file that is not one of Gradio's uploads.
    """
    said = message or {}
    files = [
        {"path": one} if isinstance(one, str) else one for one in said.get("files", ())
    ]
    turns = [
        {"role": "system", "content": system_prompt},
        *past(history),
        {"role": "user", "content": [*files, said.get("text", "")]},
    ]
    return [
        {"role": turn["role"], "content": parts_of(turn["content"])} for turn in turns
    ]


def parts_of(content: Any) -> list[dict[str, str]]:
    """The texts and pictures of one turn.

    Raises:
        gr.Error: it names a file that is not one of Gradio's uploads.
    """
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if isinstance(content, (list, tuple)):
        return [part for one in content for part in parts_of(one)]
    if not isinstance(content, dict):
        return []
    if isinstance(content.get("text"), str):
        return parts_of(content["text"])
    if "file" in content:
        return parts_of(content["file"])
    if "path" not in content:  # a component
        return []
    return [{"type": "image", "path": uploaded(content["path"])}]


def uploaded(path: Any) -> str:
    """The path of one of Gradio's uploads, or of an example.

    A program may send any history, and no other file is anybody's business.

    Raises:
        gr.Error: it is not one.
    """
    if is_in(path, (get_upload_folder(), "examples")) and os.path.isfile(path):
        return str(path)
    raise gr.Error(GONE, print_exception=False)
