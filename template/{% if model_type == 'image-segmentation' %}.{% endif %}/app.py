"""Image segmentation: a picture in, what each of its parts shows out."""

from typing import Any

import gradio as gr

from annotations import segmented_image
from serving.launch import DELETE_CACHE
from serving.server import Server

server = Server()


async def segment(image: str | None) -> tuple[str, Any, list[str]]:
    """Tell what each part of a picture shows.

    Args:
        image: The picture.

    Returns: The picture; a label map of its shape, as a grey picture whose pixels are 1
    where the first name is, 2 where the second is, and so on; and the names, of the
    largest part first.
    """
    label_map, names = await server.answer(image)
    return str(image), label_map, names


with gr.Blocks(title=server.card.title, delete_cache=DELETE_CACHE) as demo:
    gr.HTML(server.heading, padding=False)
    with gr.Row():
        with gr.Column():
            image = gr.Image(
                label="Picture", type="filepath", image_mode=None, height=320
            )
            button = gr.Button("Segment", variant="primary")
        segments = segmented_image(label="Segments")
    gr.Examples(
        server.examples,
        image,
        segments,
        segment,
        run_on_click=True,
        cache_examples=False,
    )
    gr.on(
        [button.click, image.upload],
        segment,
        image,
        segments,
        api_name="predict",
        concurrency_limit=server.concurrency_limit,
    )

if __name__ == "__main__":
    server.launch(demo, segment)
