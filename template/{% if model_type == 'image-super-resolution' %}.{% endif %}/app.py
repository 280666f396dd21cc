"""Super resolution: a small picture in, a larger and sharper one out."""

import gradio as gr
from PIL import Image

from serving.launch import DELETE_CACHE
from serving.server import Server

server = Server()


async def enlarge(image: str | None) -> tuple[str, Image.Image]:
    """Enlarge a picture and make it sharper.

    Args:
        image: The picture.

    Returns:
        The picture before and after.
    """
    enlarged = await server.answer(image)
    return str(image), enlarged


with gr.Blocks(title=server.card.title, delete_cache=DELETE_CACHE) as demo:
    gr.HTML(server.heading, padding=False)
    with gr.Row():
        with gr.Column():
            image = gr.Image(
                label=f"Picture of at most {server.max_input:,} pixels",
                type="filepath",
                image_mode=None,
                height=320,
            )
            button = gr.Button("Enlarge", variant="primary")
        slider = gr.ImageSlider(label="Before and after", type="filepath")
    gr.Examples(
        server.examples,
        image,
        slider,
        enlarge,
        run_on_click=True,
        cache_examples=False,
    )
    gr.on(
        [button.click, image.upload],
        enlarge,
        image,
        slider,
        api_name="predict",
        concurrency_limit=server.concurrency_limit,
    )

if __name__ == "__main__":
    server.launch(demo, enlarge)
