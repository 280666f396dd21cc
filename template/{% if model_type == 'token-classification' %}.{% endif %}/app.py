"""Token classification: a text in, its names and other entities marked."""

from typing import Any

import gradio as gr

from serving.launch import DELETE_CACHE
from serving.server import Server

server = Server()


async def mark(text: str) -> dict[str, Any]:
    """Mark the entities in a text, such as names of people and places.

    Args:
        text: The text, in a language that the model knows.

    Returns: The text and its entities, each with its kind, score, words, and where it
    starts and ends, in characters.
    """
    return {"text": text, "entities": await server.answer(text)}


with gr.Blocks(title=server.card.title, delete_cache=DELETE_CACHE) as demo:
    gr.HTML(server.heading, padding=False)
    with gr.Row():
        with gr.Column():
            text = gr.Textbox(label="Text", lines=5)
            button = gr.Button("Mark", variant="primary")
        marked = gr.HighlightedText(label="Entities")
    gr.Examples(
        server.examples, text, marked, mark, run_on_click=True, cache_examples=False
    )
    gr.on(
        [button.click, text.submit],
        mark,
        text,
        marked,
        api_name="predict",
        concurrency_limit=server.concurrency_limit,
    )

if __name__ == "__main__":
    server.launch(demo, mark)
