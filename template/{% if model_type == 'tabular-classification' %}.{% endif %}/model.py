"""The model: rows of a table in, their labels with scores out. Put your own code here."""

from typing import Any

import pandas as pd

from serving.runtime import runtime
from tabular import (
    Answer,
    Table,
    as_input,
    checked,
    load_model,
    read_table,
    split,
    takes_gaps,
)

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept

table: Table
model: Any
gaps: bool  # whether values may be missing


def load() -> None:
    """Load the model, once, before the first request."""
    global table, model, gaps
    table = read_table(runtime.model_id)
    model = load_model(runtime.model_id, table)
    gaps = takes_gaps(model, table)


def prepare(rows: list[list[Any]]) -> pd.DataFrame:
    """Check the rows of one request, while the model is busy with others."""
    return checked(table, rows, runtime.tier.max_input, gaps)


def size(rows: pd.DataFrame) -> int:
    """Rows of one request."""
    return len(rows)


def predict(batch: list[pd.DataFrame]) -> list[Answer]:
    """Classify the rows of all requests at once."""
    rows = as_input(model, pd.concat(batch, ignore_index=True))
    labels = [[str(label)] for label in model.predict(rows)]
    if not hasattr(model, "predict_proba"):
        return split(["label"], labels, batch)
    scores = model.predict_proba(rows).round(4).tolist()
    headers = ["label", *map(str, model.classes_)]
    return split(headers, [[*one, *row] for one, row in zip(labels, scores)], batch)
