"""Text embedding: a text in, its vector out."""

import gradio as gr

from serving.launch import DELETE_CACHE
from serving.server import Server

server = Server()


async def embed(text: str) -> list[float]:
    """Embed a text: texts of similar meaning get vectors that point in similar directions.

    Args:
        text: The text; what is longer than the model reads at once is left out.

    Returns:
        The vector, as many numbers for every text.
    """
    return await server.answer(text)


with gr.Blocks(title=server.card.title, delete_cache=DELETE_CACHE) as demo:
    gr.HTML(server.heading, padding=False)
    with gr.Row():
        with gr.Column():
            text = gr.Textbox(label="Text", lines=5)
            button = gr.Button("Embed", variant="primary")
        vector = gr.JSON(label="Embedding", max_height=320)
    gr.Examples(
        server.examples, text, vector, embed, run_on_click=True, cache_examples=False
    )
    gr.on(
        [button.click, text.submit],
        embed,
        text,
        vector,
        api_name="predict",
        concurrency_limit=server.concurrency_limit,
    )

if __name__ == "__main__":
    server.launch(demo, embed)
