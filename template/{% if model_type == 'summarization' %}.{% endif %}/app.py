"""Summarization: a long text in, a short one out."""

import gradio as gr

from serving.launch import DELETE_CACHE
from serving.server import Server

server = Server()


async def summarize(text: str) -> str:
    """Summarize a text.

    Args:
        text: The text, in a language that the model knows.

    Returns:
        Its summary.
    """
    return await server.answer(text)


with gr.Blocks(title=server.card.title, delete_cache=DELETE_CACHE) as demo:
    gr.HTML(server.heading, padding=False)
    with gr.Row():
        with gr.Column():
            text = gr.Textbox(label="Text", lines=12)
            button = gr.Button("Summarize", variant="primary")
        summary = gr.Textbox(label="Summary", lines=8, buttons=["copy"])
    gr.Examples(
        server.examples,
        text,
        summary,
        summarize,
        run_on_click=True,
        cache_examples=False,
    )
    gr.on(
        [button.click, text.submit],
        summarize,
        text,
        summary,
        api_name="predict",
        concurrency_limit=server.concurrency_limit,
    )

if __name__ == "__main__":
    server.launch(demo, summarize)
