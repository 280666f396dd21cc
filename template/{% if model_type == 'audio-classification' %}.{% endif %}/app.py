"""Audio classification: a recording in, its labels with scores out."""

import gradio as gr

from serving.launch import DELETE_CACHE
from serving.server import Server

server = Server()


async def classify(audio: str | None) -> dict[str, float]:
    """Say what is heard in a recording.

    Args:
        audio: The recording.

    Returns:
        The likeliest labels with their scores.
    """
    return await server.answer(audio)


with gr.Blocks(title=server.card.title, delete_cache=DELETE_CACHE) as demo:
    gr.HTML(server.heading, padding=False)
    with gr.Row():
        with gr.Column():
            audio = gr.Audio(label="Recording", type="filepath")
            button = gr.Button("Classify", variant="primary")
        label = gr.Label(label="Labels", num_top_classes=5)
    gr.Examples(
        server.examples, audio, label, classify, run_on_click=True, cache_examples=False
    )
    gr.on(
        [button.click, audio.upload, audio.stop_recording],
        classify,
        audio,
        label,
        api_name="predict",
        concurrency_limit=server.concurrency_limit,
    )

if __name__ == "__main__":
    server.launch(demo, classify)
