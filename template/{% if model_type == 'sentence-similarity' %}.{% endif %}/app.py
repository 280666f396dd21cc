"""Sentence similarity: two texts in, one number out."""

import gradio as gr

from serving.launch import DELETE_CACHE
from serving.server import Server

server = Server()


async def compare(first: str, second: str) -> float:
    """Compare the meaning of two texts.

    Args:
        first: One text.
        second: The other text.

    Returns:
        Their cosine similarity: 1 for the same meaning, around 0 for unrelated ones.
    """
    return await server.answer(first, second)


with gr.Blocks(title=server.card.title, delete_cache=DELETE_CACHE) as demo:
    gr.HTML(server.heading, padding=False)
    with gr.Row():
        with gr.Column():
            first = gr.Textbox(label="First text", lines=3)
            second = gr.Textbox(label="Second text", lines=3)
            button = gr.Button("Compare", variant="primary")
        similarity = gr.Number(label="Similarity", precision=4)
    gr.Examples(
        server.examples,
        [first, second],
        similarity,
        compare,
        run_on_click=True,
        cache_examples=False,
    )
    gr.on(
        [button.click, first.submit, second.submit],
        compare,
        [first, second],
        similarity,
        api_name="predict",
        concurrency_limit=server.concurrency_limit,
    )

if __name__ == "__main__":
    server.launch(demo, compare)
