"""Question answering: a question and a text in, the answer in the text out."""

from typing import Any

import gradio as gr

from serving.launch import DELETE_CACHE
from serving.server import Server

NO_ANSWER = "The text does not answer this."

server = Server()


async def answer(question: str, text: str) -> tuple[str, dict[str, Any]]:
    """Answer a question with words of a text.

    Args:
        question: The question.
        text: The text that may answer it, of any length.

    Returns: The answer, or a sentence that there is none; and the text with where the
    answer starts and ends, in characters, and its score.
    """
    found = await server.answer(question, text)
    words = found[0]["word"] if found else NO_ANSWER
    return words, {"text": text, "entities": found}


with gr.Blocks(title=server.card.title, delete_cache=DELETE_CACHE) as demo:
    gr.HTML(server.heading, padding=False)
    with gr.Row():
        with gr.Column():
            question = gr.Textbox(label="Question")
            text = gr.Textbox(label="Text", lines=8)
            button = gr.Button("Answer", variant="primary")
        with gr.Column():
            words = gr.Textbox(label="Answer", buttons=["copy"])
            marked = gr.HighlightedText(
                label="Where it stands", color_map={"answer": "blue"}
            )
    gr.Examples(
        server.examples,
        [question, text],
        [words, marked],
        answer,
        run_on_click=True,
        cache_examples=False,
    )
    gr.on(
        [button.click, question.submit, text.submit],
        answer,
        [question, text],
        [words, marked],
        api_name="predict",
        concurrency_limit=server.concurrency_limit,
    )

if __name__ == "__main__":
    server.launch(demo, answer)
