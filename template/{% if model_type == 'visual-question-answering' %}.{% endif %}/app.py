"""Visual question answering: a picture and a question in, answers with scores out."""

import gradio as gr

from serving.launch import DELETE_CACHE
from serving.server import Server

server = Server()


async def ask(image: str | None, question: str) -> dict[str, float] | str:
    """Ask a question about a picture.

    Args:
        image: The picture.
        question: A short question.

    Returns:
        The likeliest answers with their scores, or the answer where the model writes it.
    """
    return await server.answer(image, question)


with gr.Blocks(title=server.card.title, delete_cache=DELETE_CACHE) as demo:
    gr.HTML(server.heading, padding=False)
    with gr.Row():
        with gr.Column():
            image = gr.Image(
                label="Picture", type="filepath", image_mode=None, height=320
            )
            question = gr.Textbox(label="Question")
            button = gr.Button("Ask", variant="primary")
        answer = gr.Label(label="Answer", num_top_classes=5)
    gr.Examples(
        server.examples,
        [image, question],
        answer,
        ask,
        run_on_click=True,
        cache_examples=False,
    )
    gr.on(
        [button.click, question.submit],
        ask,
        [image, question],
        answer,
        api_name="predict",
        concurrency_limit=server.concurrency_limit,
    )

if __name__ == "__main__":
    server.launch(demo, ask)
