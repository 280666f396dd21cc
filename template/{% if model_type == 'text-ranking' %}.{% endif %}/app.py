"""Text ranking: a query and passages in, the passages by relevance out."""

import gradio as gr

from serving.launch import DELETE_CACHE
from serving.server import Server

server = Server()


async def rank(query: str, passages: str) -> list[list[float | str]]:
    """Sort passages by how well they answer a query.

    Args:
        query: What is searched for.
        passages: The passages, one per line.

    Returns:
        Rows of score and passage, the best first. The scale is the model's own.
    """
    rows = await server.answer(query, passages)
    return [[round(score, 4), passage] for score, passage in rows]


with gr.Blocks(title=server.card.title, delete_cache=DELETE_CACHE) as demo:
    gr.HTML(server.heading, padding=False)
    with gr.Row():
        with gr.Column():
            query = gr.Textbox(label="Query")
            passages = gr.Textbox(label="Passages", info="One per line", lines=8)
            button = gr.Button("Rank", variant="primary")
        ranking = gr.Dataframe(
            label="Ranking",
            headers=["Score", "Passage"],
            datatype=["number", "str"],
            column_widths=["28%", "72%"],
            wrap=True,
            interactive=False,
        )
    gr.Examples(
        server.examples,
        [query, passages],
        ranking,
        rank,
        run_on_click=True,
        cache_examples=False,
    )
    gr.on(
        [button.click, query.submit, passages.submit],
        rank,
        [query, passages],
        ranking,
        api_name="predict",
        concurrency_limit=server.concurrency_limit,
    )

if __name__ == "__main__":
    server.launch(demo, rank)
