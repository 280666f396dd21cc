"""How a review of a film sounds: one text, or many of them in a table."""

import asyncio

import gradio as gr

from serving.launch import DELETE_CACHE
from serving.server import Server

server = Server()


async def classify(text: str) -> dict[str, float]:
    """Classify a text.

    Args:
        text: A review of a film, in English.

    Returns:
        Both labels with their scores; the scores add up to 1.
    """
    return await server.answer(text)


async def classify_all(lines: str) -> list[list[str]]:
    """Classify each line by itself."""
    texts = [line for line in lines.splitlines() if line.strip()][:20]
    answers = await asyncio.gather(*map(server.answer, texts))
    return [[text, max(scores, key=scores.get)] for text, scores in zip(texts, answers)]


with gr.Blocks(title=server.card.title, delete_cache=DELETE_CACHE) as demo:
    gr.HTML(server.heading, padding=False)
    with gr.Tab("One review"):
        text = gr.Textbox(label="Review", lines=8, placeholder="What did you think?")
        label = gr.Label(label="It sounds", num_top_classes=2)
        button = gr.Button("How does it sound?", variant="primary")
        gr.Examples(
            server.examples,
            text,
            label,
            classify,
            run_on_click=True,
            cache_examples=False,
        )
    with gr.Tab("Many"):
        lines = gr.Textbox(label="One review a line", lines=12)
        table = gr.Dataframe(headers=["Review", "It sounds"], interactive=False)
        many = gr.Button("All of them", variant="primary")
    gr.on(
        [button.click, text.submit],
        classify,
        text,
        label,
        api_name="predict",
        concurrency_limit=server.concurrency_limit,
    )
    many.click(
        classify_all,
        lines,
        table,
        api_name=False,
        concurrency_limit=server.concurrency_limit,
    )

if __name__ == "__main__":
    server.launch(demo, classify)
