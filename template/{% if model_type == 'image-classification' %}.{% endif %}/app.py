"""Image classification: a picture in, its labels with scores out."""

import gradio as gr

from serving.launch import DELETE_CACHE
from serving.server import Server

server = Server()


async def classify(image: str | None) -> dict[str, float]:
    """Classify a picture.

    Args:
        image: The picture.

    Returns:
        The likeliest labels with their scores.
    """
    return await server.answer(image)


with gr.Blocks(title=server.card.title, delete_cache=DELETE_CACHE) as demo:
    gr.HTML(server.heading, padding=False)
    with gr.Row():
        with gr.Column():
            image = gr.Image(
                label="Picture", type="filepath", image_mode=None, height=320
            )
            button = gr.Button("Classify", variant="primary")
        label = gr.Label(label="Labels", num_top_classes=5)
    gr.Examples(
        server.examples, image, label, classify, run_on_click=True, cache_examples=False
    )
    gr.on(
        [button.click, image.upload],
        classify,
        image,
        label,
        api_name="predict",
        concurrency_limit=server.concurrency_limit,
    )

if __name__ == "__main__":
    server.launch(demo, classify)
