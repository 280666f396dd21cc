"""Speech recognition: a recording in, its text out."""

import gradio as gr

from serving.launch import DELETE_CACHE
from serving.server import Server

server = Server()


async def transcribe(audio: str | None) -> str:
    """Write down what is said in a recording.

    Args:
        audio: The recording.

    Returns:
        The spoken text.
    """
    return await server.answer(audio)


with gr.Blocks(title=server.card.title, delete_cache=DELETE_CACHE) as demo:
    gr.HTML(server.heading, padding=False)
    with gr.Row():
        with gr.Column():
            audio = gr.Audio(label="Recording", type="filepath")
            button = gr.Button("Transcribe", variant="primary")
        text = gr.Textbox(label="Text", lines=8, buttons=["copy"])
    gr.Examples(
        server.examples,
        audio,
        text,
        transcribe,
        run_on_click=True,
        cache_examples=False,
    )
    gr.on(
        [button.click, audio.stop_recording],
        transcribe,
        audio,
        text,
        api_name="predict",
        concurrency_limit=server.concurrency_limit,
    )

if __name__ == "__main__":
    server.launch(demo, transcribe)
