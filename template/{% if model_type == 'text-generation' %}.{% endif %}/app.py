"""Chat: a conversation with a language model, streamed."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import gradio as gr

from serving.chat import unlock_after_errors
from serving.launch import DELETE_CACHE
from serving.server import Server
from turns import past

SYSTEM_PROMPT = "You are a helpful assistant."
MAX_NEW_TOKENS = 256
TEMPERATURE = 0.7
TOP_P = 0.95

server = Server()


async def chat(
    message: str,
    history: Sequence[dict[str, Any]] = (),
    system_prompt: str = SYSTEM_PROMPT,
    max_new_tokens: int = MAX_NEW_TOKENS,
    temperature: float = TEMPERATURE,
    top_p: float = TOP_P,
) -> AsyncIterator[str]:
    """Answer a message.

    Args:
        message: What you say.
        history: The conversation so far.
        system_prompt: How the model should behave.
        max_new_tokens: The longest answer, in tokens.
        temperature: 0 for the likeliest words, higher for more variety.
        top_p: Only the likeliest words that make up this share are drawn from.

    Yields:
        The answer so far, and at last the whole.
    """
    conversation = [
        {"role": "system", "content": system_prompt},
        *past(history),
        {"role": "user", "content": message},
    ]
    temperature = round(temperature, 2)  # next to nothing would overflow in the model
    async for answer in server.stream(conversation, max_new_tokens, temperature, top_p):
        yield answer


with gr.Blocks(
    title=server.card.title, delete_cache=DELETE_CACHE, fill_height=True
) as demo:
    gr.HTML(server.heading, padding=False)
    interface = gr.ChatInterface(
        chat,
        textbox=gr.Textbox(
            label="Message",
            placeholder="Type a message",
            scale=7,
            submit_btn=True,
            stop_btn=True,
            autofocus=True,
            render=False,
        ),
        additional_inputs=[
            gr.Textbox(SYSTEM_PROMPT, label="System prompt", render=False),
            gr.Slider(
                minimum=16,
                maximum=server.max_input,
                value=MAX_NEW_TOKENS,
                step=16,
                precision=0,
                label="Longest answer (tokens)",
                render=False,
            ),
            gr.Slider(0, 1.5, TEMPERATURE, step=0.1, label="Temperature", render=False),
            gr.Slider(0.05, 1, TOP_P, step=0.05, label="Top-p", render=False),
        ],
        additional_inputs_accordion=gr.Accordion("Options", open=False, render=False),
        examples=server.examples,
        cache_examples=False,
        api_name="predict",
        concurrency_limit=server.concurrency_limit,
    )
    unlock_after_errors(interface)

if __name__ == "__main__":
    server.launch(demo, chat)
