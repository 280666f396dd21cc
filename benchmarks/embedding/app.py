"""A Space with the model of the comparison."""

import gradio as gr
from serving.launch import DELETE_CACHE
from serving.server import Server

server = Server()


async def embed(text: str) -> list[float]:
    """Embed a text."""
    return await server.answer(text)


with gr.Blocks(title=server.card.title, delete_cache=DELETE_CACHE) as demo:
    text = gr.Textbox(label="Text")
    embedding = gr.JSON(label="Embedding")
    gr.Examples(
        [["A man is eating."], ["Someone has lunch in the garden behind the house."]],
        text,
    )
    text.submit(
        embed,
        text,
        embedding,
        api_name="predict",
        concurrency_limit=server.concurrency_limit,
    )

if __name__ == "__main__":
    server.launch(demo, embed)
