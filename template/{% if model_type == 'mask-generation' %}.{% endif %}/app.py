"""Mask generation: click on a thing in a picture, get its mask."""

from typing import Any

import gradio as gr

from annotations import segmented_image
from serving.launch import DELETE_CACHE
from serving.server import Server

server = Server()


async def segment(image: str | None, points: str) -> tuple[str, Any, list[str]]:
    """Cut out the thing in a picture that some points lie on.

    Args:
        image: The picture.
        points: On the thing, pixels from the left and the top: "120, 80; 30, 40".

    Returns: The picture; a mask of its shape, as a grey picture whose pixels are 1
    where the thing is; and the one name "object" with the score of the mask.
    """
    mask, names = await server.answer(image, points)
    return str(image), mask, names


def add_point(points: str, event: gr.SelectData) -> str:
    """The points, with the one that was clicked."""
    left, top = event.index
    return f"{points}; {left}, {top}".lstrip("; ")


with gr.Blocks(title=server.card.title, delete_cache=DELETE_CACHE) as demo:
    gr.HTML(server.heading, padding=False)
    with gr.Row():
        with gr.Column():
            image = gr.Image(
                label="Picture", type="filepath", image_mode=None, height=320
            )
            points = gr.Textbox(
                label="Points",
                info="Click on the picture, or type pixels from the left and the top",
                placeholder="120, 80; 30, 40",
            )
            with gr.Row():
                clear = gr.Button("Clear points")
                button = gr.Button("Segment", variant="primary")
        mask = segmented_image(label="Mask")
    gr.Examples(
        server.examples,
        [image, points],
        mask,
        segment,
        run_on_click=True,
        cache_examples=False,
    )
    gr.on(
        [button.click, points.submit],
        segment,
        [image, points],
        mask,
        api_name="predict",
        concurrency_limit=server.concurrency_limit,
    )
    clicked = image.select(
        add_point,
        points,
        points,
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )
    clicked.then(
        segment,
        [image, points],
        mask,
        api_visibility="private",
        concurrency_limit=server.concurrency_limit,
    )
    gr.on([image.upload, image.clear, clear.click], None, None, points, js="() => ''")

if __name__ == "__main__":
    server.launch(demo, segment)
