"""Image to text: a picture in, what it shows or says out."""

import gradio as gr

from serving.launch import DELETE_CACHE
from serving.server import Server

server = Server()


async def describe(image: str | None) -> str:
    """Describe a picture, or read what is written in it, as the model was trained to do.

    Args:
        image: The picture.

    Returns:
        The text.
    """
    return await server.answer(image)


with gr.Blocks(title=server.card.title, delete_cache=DELETE_CACHE) as demo:
    gr.HTML(server.heading, padding=False)
    with gr.Row():
        with gr.Column():
            image = gr.Image(
                label="Picture", type="filepath", image_mode=None, height=320
            )
            button = gr.Button("Describe", variant="primary")
        text = gr.Textbox(label="Text", lines=4, buttons=["copy"])
    gr.Examples(
        server.examples, image, text, describe, run_on_click=True, cache_examples=False
    )
    gr.on(
        [button.click, image.upload],
        describe,
        image,
        text,
        api_name="predict",
        concurrency_limit=server.concurrency_limit,
    )

if __name__ == "__main__":
    server.launch(demo, describe)
