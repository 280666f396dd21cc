"""Speech recognition: a recording in, its text out."""

import gradio as gr

from serving.launch import DELETE_CACHE
from serving.server import Server

LANGUAGES = """Arabic Bengali Chinese Czech Danish Dutch English Finnish French German
Greek Hebrew Hindi Hungarian Indonesian Italian Japanese Korean Norwegian Persian Polish
Portuguese Romanian Russian Spanish Swahili Swedish Thai Turkish Ukrainian Urdu
Vietnamese"""  # any other that the model knows can be typed
TASKS = [("Write it down", "transcribe"), ("Translate it to English", "translate")]

server = Server()


async def transcribe(
    audio: str | None,
    language: str | None = "",
    task: str = "transcribe",
    timestamps: bool = False,
) -> str:
    """Write down what is said in a recording.

    Args:
        audio: The recording.
        language: The spoken language, such as German or de; empty to have it detected.
        task: transcribe, or translate to English.
        timestamps: Whether each line begins with the time at which it is said.

    Returns:
        The spoken text.
    """
    return await server.answer(audio, language, task, timestamps)


with gr.Blocks(title=server.card.title, delete_cache=DELETE_CACHE) as demo:
    gr.HTML(server.heading, padding=False)
    with gr.Row():
        with gr.Column():
            audio = gr.Audio(label="Recording", type="filepath")
            with gr.Accordion("Options", open=False):
                language = gr.Dropdown(
                    [("Detected", ""), *LANGUAGES.split()],
                    value="",
                    allow_custom_value=True,
                    label="Language",
                    info="Choose or type the spoken language",
                )
                task = gr.Radio(TASKS, value="transcribe", label="Task")
                timestamps = gr.Checkbox(False, label="With times")
            button = gr.Button("Transcribe", variant="primary")
        text = gr.Textbox(label="Text", lines=8, buttons=["copy"])
    gr.Examples(
        server.examples,
        [audio, language, task, timestamps],
        text,
        transcribe,
        run_on_click=True,
        cache_examples=False,
    )
    gr.on(
        [button.click, audio.stop_recording],
        transcribe,
        [audio, language, task, timestamps],
        text,
        api_name="predict",
        concurrency_limit=server.concurrency_limit,
    )

if __name__ == "__main__":
    server.launch(demo, transcribe)
