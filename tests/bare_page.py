"""Plain Gradio with the components of the Spaces, for comparison: which flaws are its own?

    python tests/bare_page.py blocks|chat

The address is set as for any Gradio app, by GRADIO_SERVER_NAME and GRADIO_SERVER_PORT.
"""

from __future__ import annotations

import sys
import tempfile
import wave
from pathlib import Path

import gradio as gr
import numpy as np
from PIL import Image

FOLDER = Path(tempfile.mkdtemp())
PICTURE, SOUND = str(FOLDER / "picture.png"), str(FOLDER / "sound.wav")


def blocks() -> gr.Blocks:
    """Each component empty, and again with a value."""
    Image.new("RGB", (64, 48), "orange").save(PICTURE)
    with wave.open(SOUND, "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(b"\0\1" * 16_000)
    mask = np.ones((48, 64))
    with gr.Blocks(title="Bare Gradio") as demo:
        gr.HTML("<h1>Bare Gradio</h1><p>One of each</p>", padding=False)
        with gr.Row():
            with gr.Column():
                text = gr.Textbox(label="Text", info="A hint", placeholder="Words", lines=3)
                slider = gr.Slider(0, 1, 0.5, label="Slider", info="A hint")
                number = gr.Number(1, label="Number", info="A hint")
                image = gr.Image(label="Picture", type="filepath", height=320, interactive=True)
                audio = gr.Audio(label="Recording", type="filepath", interactive=True)
                gr.Video(label="Video")
                gr.Button("Secondary")
                button = gr.Button("Primary", variant="primary")
                with gr.Accordion("Closed", open=False):
                    gr.Textbox(label="Folded away")
                with gr.Accordion("Open", open=True):
                    choice = gr.Dropdown(["a", "b"], label="Choice", allow_custom_value=True)
                    task = gr.Radio(["a", "b"], value="a", label="Task")
                    check = gr.Checkbox(label="Check")
            with gr.Column():
                gr.Textbox("Words", label="Answer", buttons=["copy"], interactive=False)
                gr.Label(label="No labels")
                gr.Label({"one": 0.7, "two": 0.3}, label="Labels")
                gr.JSON([0.1, 0.2], label="JSON", max_height=100)
                gr.HighlightedText(label="No entities")
                entities = [
                    {"entity": 3 * name, "start": 2 * place, "end": 2 * place + 1}
                    for place, name in enumerate("ABCDEFGH")
                ]
                gr.HighlightedText(
                    {"text": "a b c d e f g h", "entities": entities}, label="Marked"
                )
                gr.AnnotatedImage((PICTURE, [(mask, "thing")]), label="Found", buttons=[])
                gr.ImageSlider((PICTURE, PICTURE), label="Both", interactive=False)
                gr.ImageSlider(label="No picture")
                gr.Image(PICTURE, label="Given", type="filepath", interactive=True)
                gr.Image(PICTURE, label="Shown", interactive=False)
                gr.Audio(SOUND, label="Speech", interactive=False)
                gr.Audio(SOUND, label="Given sound", interactive=True)
        gr.Dataframe([[1, "a"], [2, "b"]], headers=["n", "s"], label="Rows", interactive=True)
        gr.Dataframe([[1, "a"], [2, "b"]], headers=["n", "s"], label="Rows", interactive=False)
        gr.Examples([["one"], ["two"]], text)
        gr.Examples([["one", PICTURE, SOUND]], [text, image, audio])
        gr.Examples([[PICTURE]], image)
        inputs = [slider, number, choice, task, check]
        button.click(lambda *values: str(values), inputs, text)
        demo.load(fail)
    return demo


def fail() -> None:
    """Show an error that stays."""
    raise gr.Error("An error, in several words.", duration=None)


def chat() -> gr.Blocks:
    """A conversation."""

    def answer(message: str, history: list[dict[str, str]], *_: object) -> str:
        return "An answer, in several words."

    with gr.Blocks(title="Bare Gradio", fill_height=True) as demo:
        gr.HTML("<h1>Bare Gradio</h1><p>A chat</p>", padding=False)
        gr.ChatInterface(
            answer,
            additional_inputs=[gr.Textbox("x", label="Prompt", render=False)],
            additional_inputs_accordion=gr.Accordion("Options", open=False, render=False),
            examples=[["one"], ["two"]],
            cache_examples=False,
        )
    return demo


if __name__ == "__main__":
    {"blocks": blocks, "chat": chat}[sys.argv[1]]().launch()
