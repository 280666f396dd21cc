"""Video classification: a video in, its labels with scores out."""

import gradio as gr

from serving.launch import DELETE_CACHE
from serving.server import Server

server = Server()


async def classify(video: str | None) -> dict[str, float]:
    """Say what happens in a short video.

    Args:
        video: The video.

    Returns:
        The likeliest labels with their scores.
    """
    return await server.answer(video)


with gr.Blocks(title=server.card.title, delete_cache=DELETE_CACHE) as demo:
    gr.HTML(server.heading, padding=False)
    with gr.Row():
        with gr.Column():
            video = gr.Video(label="Video", height=320)
            button = gr.Button("Classify", variant="primary")
        label = gr.Label(label="Labels", num_top_classes=5)
    gr.Examples(
        server.examples, video, label, classify, run_on_click=True, cache_examples=False
    )
    gr.on(
        [button.click, video.upload, video.stop_recording],
        classify,
        video,
        label,
        api_name="predict",
        concurrency_limit=server.concurrency_limit,
    )

if __name__ == "__main__":
    server.launch(demo, classify)
