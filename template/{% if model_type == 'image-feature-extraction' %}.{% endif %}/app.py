"""Image embeddings: a picture in, a vector of its content out."""

import gradio as gr

from serving.launch import DELETE_CACHE
from serving.server import Server

server = Server()


async def embed(image: str | None) -> list[float]:
    """Turn a picture into a vector; those of similar pictures point the same way.

    Args:
        image: The picture.

    Returns:
        The vector, of length 1: the product of two is the cosine of their angle.
    """
    return await server.answer(image)


with gr.Blocks(title=server.card.title, delete_cache=DELETE_CACHE) as demo:
    gr.HTML(server.heading, padding=False)
    with gr.Row():
        with gr.Column():
            image = gr.Image(
                label="Picture", type="filepath", image_mode=None, height=320
            )
            button = gr.Button("Embed", variant="primary")
        embedding = gr.JSON(label="Embedding", max_height=400)
    gr.Examples(
        server.examples,
        image,
        embedding,
        embed,
        run_on_click=True,
        cache_examples=False,
    )
    gr.on(
        [button.click, image.upload],
        embed,
        image,
        embedding,
        api_name="predict",
        concurrency_limit=server.concurrency_limit,
    )

if __name__ == "__main__":
    server.launch(demo, embed)
