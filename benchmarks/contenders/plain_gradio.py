"""Gradio with its own defaults: what most Spaces are."""

import gradio as gr
import model
from one_by_one import KIND, PORT, answer, chat

model.load()
COMPONENTS = {
    "text": lambda: (gr.Textbox(), gr.JSON()),
    "pair": lambda: ([gr.Textbox(), gr.Textbox()], gr.Number()),
    "image": lambda: (gr.Image(type="filepath", image_mode=None), gr.Label()),
    "audio": lambda: (gr.Audio(type="filepath"), gr.Textbox()),
}


def reply(message: str, history: list[dict[str, str]]):
    yield from chat(message)


if KIND == "chat":
    demo = gr.ChatInterface(reply, api_name="predict")
else:
    inputs, outputs = COMPONENTS[KIND]()

    if KIND == "pair":

        def ask(first: str, second: str):
            return answer(first, second)
    else:

        def ask(value: str):
            return answer(value)

    demo = gr.Interface(ask, inputs, outputs, api_name="predict")

demo.launch(server_name="127.0.0.1", server_port=PORT)
