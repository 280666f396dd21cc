"""Gradio's own batching, with the batch size that the common guides give."""

import gradio as gr
import model
from one_by_one import KIND, PORT

model.load()
COMPONENTS = {
    "text": lambda: (gr.Textbox(), gr.JSON()),
    "image": lambda: (gr.Image(type="filepath", image_mode=None), gr.Label()),
    "audio": lambda: (gr.Audio(type="filepath"), gr.Textbox()),
}


def answers(values):
    return [model.predict([model.prepare(value) for value in values])]


inputs, outputs = COMPONENTS[KIND]()
demo = gr.Interface(answers, inputs, outputs, api_name="predict", batch=True, max_batch_size=16)
demo.launch(server_name="127.0.0.1", server_port=PORT)
