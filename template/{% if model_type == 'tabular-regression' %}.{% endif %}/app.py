"""Tabular regression: rows of a table in, a number for each out."""

from typing import Any

import gradio as gr
import pandas as pd

from serving.launch import DELETE_CACHE
from serving.server import Server
from tabular import read_table

server = Server()
table = read_table(server.model_id)


async def estimate(rows: pd.DataFrame) -> dict[str, Any]:
    """Estimate a number for each row of a table.

    Args:
        rows: The table, with the model's columns.

    Returns:
        A table with the estimate for each row.
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
    button = gr.Button("Estimate", variant="primary")
    estimates = gr.Dataframe(
        label="Estimates", headers=["estimate"], column_count=1, interactive=False
    )
    if table.fits(server.examples):
        gr.Examples(
            server.examples,
            rows,
            estimates,
            estimate,
            run_on_click=True,
            cache_examples=False,
        )
    button.click(
        estimate,
        rows,
        estimates,
        api_name="predict",
        concurrency_limit=server.concurrency_limit,
    )

if __name__ == "__main__":
    server.launch(demo, estimate)
