"""Keeps a chat usable after an error."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.context import Context
from gradio.events import Dependency


def unlock_after_errors(chat: gr.ChatInterface) -> None:
    """After an error, unlock the message box and give back a message without answer.

    ChatInterface relies on `.then` for it, which the page of Gradio 6.31 does not run
    after an error: the chat could not be used until the page is loaded again.
    """
    blocks = Context.root_block
    assert blocks is not None, "call it where the ChatInterface was made"
    for number, event in list(blocks.fns.items()):
        if chat.null_component in event.outputs:  # it answers a message
            Dependency(None, {}, number, None).failure(
                unlock,
                [chat.saved_input, chat.chatbot],
                [chat.textbox, chat.chatbot, chat.chatbot_state],
                queue=False,
                api_visibility="private",
            )


def unlock(
    message: Any, conversation: list[dict[str, Any]]
) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
    """The box, ready, and the conversation without a last message that has no answer.

    The page calls it after the stop button, too; what was answered until then stays.
    """
    box: dict[str, Any] = {"interactive": True, "submit_btn": True, "stop_btn": False}
    if conversation and conversation[-1]["role"] == "user":
        box["value"] = message
        conversation = conversation[:-1]
    return gr.update(**box), conversation, conversation
