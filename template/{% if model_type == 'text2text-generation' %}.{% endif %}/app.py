"""Text to text: an instruction in, the answer out."""

import gradio as gr

from serving.launch import DELETE_CACHE
from serving.server import Server

server = Server()


async def answer(text: str) -> str:
    """Follow an instruction, or rewrite a text as the model was trained to.

    Args:
        text: The instruction, with the text that it is about.

    Returns:
        The answer.
    """
    return await server.answer(text)


with gr.Blocks(title=server.card.title, delete_cache=DELETE_CACHE) as demo:
    gr.HTML(server.heading, padding=False)
    with gr.Row():
        with gr.Column():
            text = gr.Textbox(label="Instruction", lines=5)
            button = gr.Button("Answer", variant="primary")
        words = gr.Textbox(label="Answer", lines=5, buttons=["copy"])
    gr.Examples(
        server.examples, text, words, answer, run_on_click=True, cache_examples=False
    )
    gr.on(
        [button.click, text.submit],
        answer,
        text,
        words,
        api_name="predict",
        concurrency_limit=server.concurrency_limit,
    )

if __name__ == "__main__":
    server.launch(demo, answer)
