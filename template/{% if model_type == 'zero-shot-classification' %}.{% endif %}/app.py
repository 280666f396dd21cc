"""Zero-shot classification: a text and labels of your own in, scores out."""

import gradio as gr

from serving.launch import DELETE_CACHE
from serving.server import Server

server = Server()


async def classify(text: str, labels: str) -> dict[str, float]:
    """Sort a text into labels that the model was never trained on.

    Args:
        text: The text to sort.
        labels: The labels, separated by commas.

    Returns:
        Every label with its score; the scores add up to 1.
    """
    return await server.answer(text, labels)


with gr.Blocks(title=server.card.title, delete_cache=DELETE_CACHE) as demo:
    gr.HTML(server.heading, padding=False)
    with gr.Row():
        with gr.Column():
            text = gr.Textbox(label="Text", lines=5)
            labels = gr.Textbox(label="Labels", info="Separated by commas")
            button = gr.Button("Classify", variant="primary")
        label = gr.Label(label="Scores", num_top_classes=10)
    gr.Examples(
        server.examples,
        [text, labels],
        label,
        classify,
        run_on_click=True,
        cache_examples=False,
    )
    gr.on(
        [button.click, text.submit, labels.submit],
        classify,
        [text, labels],
        label,
        api_name="predict",
        concurrency_limit=server.concurrency_limit,
    )

if __name__ == "__main__":
    server.launch(demo, classify)
