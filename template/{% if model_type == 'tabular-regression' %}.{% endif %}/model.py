"""The model: rows of a table in, a number for each out. Put your own code here."""

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
DIGITS = 6  # that are shown

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
    """Estimate for the rows of all requests at once."""
    found = model.predict(as_input(model, pd.concat(batch, ignore_index=True)))
    estimates = found.reshape(len(found), -1).tolist()  # one number or several for each
    count = len(estimates[0])
    headers = [f"estimate {i + 1}" for i in range(count)] if count > 1 else ["estimate"]
    data = [[float(f"{one:.{DIGITS}g}") for one in row] for row in estimates]
    return split(headers, data, batch)
