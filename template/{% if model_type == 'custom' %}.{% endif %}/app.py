"""The page: a text in, a text out. Put your own inputs and outputs here."""

import gradio as gr

from serving.launch import DELETE_CACHE
from serving.server import Server

server = Server()


async def run(text: str) -> str:
    """Tell how long a text is.

    Args:
        text: The text.

    Returns:
        How many words and sentences it has, and how long it takes to read.
    """
    return await server.answer(text)


with gr.Blocks(title=server.card.title, delete_cache=DELETE_CACHE) as demo:
    gr.HTML(server.heading, padding=False)
    with gr.Row():
        with gr.Column():
            text = gr.Textbox(label="Text", lines=5)
            button = gr.Button("Run", variant="primary")
        result = gr.Textbox(label="Result", lines=3)
    gr.Examples(
        server.examples, text, result, run, run_on_click=True, cache_examples=False
    )
    gr.on(
        [button.click, text.submit],
        run,
        text,
        result,
        api_name="predict",
        concurrency_limit=server.concurrency_limit,
    )

if __name__ == "__main__":
    server.launch(demo, run)
