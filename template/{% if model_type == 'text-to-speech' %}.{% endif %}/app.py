"""Text to speech: a text in, a recording of it out."""

import gradio as gr

from serving.launch import DELETE_CACHE
from serving.server import Server

MAX_SEED = 2**31 - 1

server = Server()


async def speak(
    text: str, speaking_rate: float = 1.0, speaker: int = 0, seed: int = 0
) -> str:
    """Read a text aloud.

    Args:
        text: What is said, in the language of the model.
        speaking_rate: How fast, from 0.5 to 2.
        speaker: Number of the voice, from 0, where the model has several.
        seed: Another one gives another intonation; the same one gives the same again.

    Returns:
        The recording.
    """
    return await server.answer(text, speaking_rate, speaker, seed)


with gr.Blocks(title=server.card.title, delete_cache=DELETE_CACHE) as demo:
    gr.HTML(server.heading, padding=False)
    with gr.Row():
        with gr.Column():
            text = gr.Textbox(label="Text", lines=5)
            speaking_rate = gr.Slider(0.5, 2, 1, step=0.05, label="Speaking rate")
            with gr.Accordion("Options", open=False):
                speaker = gr.Number(
                    0,
                    label="Speaker",
                    info="Where the model has several",
                    precision=0,
                    minimum=0,
                )
                seed = gr.Number(
                    0,
                    label="Seed",
                    info="Another one gives another intonation",
                    precision=0,
                    minimum=0,
                    maximum=MAX_SEED,
                )
            button = gr.Button("Speak", variant="primary")
        audio = gr.Audio(label="Speech", type="filepath", interactive=False)
    gr.Examples(
        server.examples,
        [text, speaking_rate],
        audio,
        speak,
        run_on_click=True,
        cache_examples=False,
    )
    gr.on(
        [button.click, text.submit],
        speak,
        [text, speaking_rate, speaker, seed],
        audio,
        api_name="predict",
        concurrency_limit=server.concurrency_limit,
    )

if __name__ == "__main__":
    server.launch(demo, speak)
