"""Zero-shot audio classification: a recording and labels of your own in, scores out."""

import gradio as gr

from serving.launch import DELETE_CACHE
from serving.server import Server

server = Server()


async def classify(audio: str | None, labels: str) -> dict[str, float]:
    """Sort a recording into labels that the model was never trained on.

    Args:
        audio: The recording.
        labels: The labels, separated by commas.

    Returns:
        Every label with its score; the scores add up to 1.
    """
    return await server.answer(audio, labels)


with gr.Blocks(title=server.card.title, delete_cache=DELETE_CACHE) as demo:
    gr.HTML(server.heading, padding=False)
    with gr.Row():
        with gr.Column():
            audio = gr.Audio(label="Recording", type="filepath")
            labels = gr.Textbox(label="Labels", info="Separated by commas")
            button = gr.Button("Classify", variant="primary")
        label = gr.Label(label="Scores", num_top_classes=10)
    gr.Examples(
        server.examples,
        [audio, labels],
        label,
        classify,
        run_on_click=True,
        cache_examples=False,
    )
    gr.on(
        [button.click, labels.submit],
        classify,
        [audio, labels],
        label,
        api_name="predict",
        concurrency_limit=server.concurrency_limit,
    )

if __name__ == "__main__":
    server.launch(demo, classify)
