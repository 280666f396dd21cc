"""Object detection: a picture in, the things in it boxed."""

import gradio as gr

from annotations import boxed_image
from serving.launch import DELETE_CACHE
from serving.server import Server

server = Server()


async def detect(
    image: str | None, threshold: float
) -> tuple[str, list[tuple[list[int], str]]]:
    """Find the things in a picture.

    Args:
        image: The picture.
        threshold: The least score, from 0 to 1, with which a thing is shown.

    Returns: The picture and its boxes: left, top, right and bottom in pixels, each with
    label and score.
    """
    boxes = await server.answer(image, threshold)
    return str(image), boxes


with gr.Blocks(title=server.card.title, delete_cache=DELETE_CACHE) as demo:
    gr.HTML(server.heading, padding=False)
    with gr.Row():
        with gr.Column():
            image = gr.Image(
                label="Picture", type="filepath", image_mode=None, height=320
            )
            threshold = gr.Slider(0.05, 1, 0.5, step=0.05, label="Least score")
            button = gr.Button("Detect", variant="primary")
        boxes = boxed_image(label="Found")
    gr.Examples(
        server.examples,
        [image, threshold],
        boxes,
        detect,
        run_on_click=True,
        cache_examples=False,
    )
    gr.on(
        [button.click, image.upload],
        detect,
        [image, threshold],
        boxes,
        api_name="predict",
        concurrency_limit=server.concurrency_limit,
    )

if __name__ == "__main__":
    server.launch(demo, detect)
