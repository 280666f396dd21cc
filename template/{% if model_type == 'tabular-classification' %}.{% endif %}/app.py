"""Tabular classification: rows of a table in, their labels with scores out."""

from typing import Any

import gradio as gr
import pandas as pd

from serving.launch import DELETE_CACHE
from serving.server import Server
from tabular import read_table

server = Server()
table = read_table(server.model_id)


async def classify(rows: pd.DataFrame) -> dict[str, Any]:
    """Classify the rows of a table.

    Args:
        rows: The table, with the model's columns.

    Returns:
        A table with the label of each row and the score of every label.
    """
    return await server.answer(table.ordered(rows))


with gr.Blocks(title=server.card.title, delete_cache=DELETE_CACHE) as demo:
    gr.HTML(server.heading, padding=False)
    rows = gr.Dataframe(
        table.example,
        label="Rows",
        headers=table.columns,
        column_count=len(table.columns),
        datatype=table.datatypes,
        interactive=True,
    )
    button = gr.Button("Classify", variant="primary")
    labels = gr.Dataframe(
        label="Labels", headers=["label"], column_count=1, interactive=False
    )
    if table.fits(server.examples):
        gr.Examples(
            server.examples,
            rows,
            labels,
            classify,
            run_on_click=True,
            cache_examples=False,
        )
    button.click(
        classify,
        rows,
        labels,
        api_name="predict",
        concurrency_limit=server.concurrency_limit,
    )

if __name__ == "__main__":
    server.launch(demo, classify)
