"""Depth estimation: a picture in, how near each part of it is out."""

from typing import Any

import gradio as gr

from serving.launch import DELETE_CACHE
from serving.server import Server

server = Server()


async def estimate(image: str | None) -> tuple[str, Any]:
    """Tell how near each part of a picture is.

    Args:
        image: The picture.

    Returns: The picture and its depth map, a grey picture of its shape: white is
    nearest, black is farthest.
    """
    depth = await server.answer(image)
    return str(image), depth


with gr.Blocks(title=server.card.title, delete_cache=DELETE_CACHE) as demo:
    gr.HTML(server.heading, padding=False)
    with gr.Row():
        with gr.Column():
            image = gr.Image(
                label="Picture", type="filepath", image_mode=None, height=320
            )
            button = gr.Button("Estimate", variant="primary")
        slider = gr.ImageSlider(
            label="Picture and depth", type="filepath", interactive=False
        )
    gr.Examples(
        server.examples,
        image,
        slider,
        estimate,
        run_on_click=True,
        cache_examples=False,
    )
    gr.on(
        [button.click, image.upload],
        estimate,
        image,
        slider,
        api_name="predict",
        concurrency_limit=server.concurrency_limit,
    )

if __name__ == "__main__":
    server.launch(demo, estimate)
