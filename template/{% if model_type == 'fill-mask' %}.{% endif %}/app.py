"""Fill-mask: a text with a gap in, words for the gap out."""

import gradio as gr

from serving.launch import DELETE_CACHE
from serving.server import Server

server = Server()


async def fill(text: str) -> dict[str, float]:
    """Guess the word that is missing in a text.

    Args:
        text: The text, with ___ (or [MASK] or <mask>) in place of one word.

    Returns:
        The likeliest words with their scores; those of all words add up to 1.
    """
    return await server.answer(text)


with gr.Blocks(title=server.card.title, delete_cache=DELETE_CACHE) as demo:
    gr.HTML(server.heading, padding=False)
    with gr.Row():
        with gr.Column():
            text = gr.Textbox(
                label="Text",
                info="Three underscores stand for the missing word",
                lines=3,
            )
            button = gr.Button("Fill", variant="primary")
        words = gr.Label(label="Words", num_top_classes=10)
    gr.Examples(
        server.examples, text, words, fill, run_on_click=True, cache_examples=False
    )
    gr.on(
        [button.click, text.submit],
        fill,
        text,
        words,
        api_name="predict",
        concurrency_limit=server.concurrency_limit,
    )

if __name__ == "__main__":
    server.launch(demo, fill)
