"""Text classification: a text in, its labels with scores out."""

import gradio as gr

from serving.launch import DELETE_CACHE
from serving.server import Server

server = Server()


async def classify(text: str) -> dict[str, float]:
    """Classify a text.

    Args:
        text: The text, in a language that the model knows.

    Returns:
        Every label with its score; the scores add up to 1.
    """
    return await server.answer(text)


with gr.Blocks(title=server.card.title, delete_cache=DELETE_CACHE) as demo:
    gr.HTML(server.heading, padding=False)
    with gr.Row():
        with gr.Column():
            text = gr.Textbox(label="Text", lines=5)
            button = gr.Button("Classify", variant="primary")
        label = gr.Label(label="Labels", num_top_classes=5)
    gr.Examples(
        server.examples, text, label, classify, run_on_click=True, cache_examples=False
    )
    gr.on(
        [button.click, text.submit],
        classify,
        text,
        label,
        api_name="predict",
        concurrency_limit=server.concurrency_limit,
    )

if __name__ == "__main__":
    server.launch(demo, classify)
