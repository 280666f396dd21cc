"""Tables: which columns a model wants, and scikit-learn models as the Hub has them.

Such a model is a folder, or a repository on the Hub, with the model in one file and a
config.json that says what is in it:

    {"sklearn": {"columns": ["age", "city"], "example_input": {"age": [34], "city": ["Oslo"]},
                 "model": {"file": "model.skops"}, "model_format": "skops"}}
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import pandas as pd
from huggingface_hub import hf_hub_download

from serving.errors import InputError

LARGEST = 3e38  # numbers beyond it are none for many models
LONGEST_SHOWN = 40  # characters of a cell that an error repeats


class Answer(TypedDict):
    """A table as Gradio takes it: a row for each row that was asked for."""

    headers: list[str]
    data: list[list[Any]]


class Table(NamedTuple):
    """What config.json says of a model.

    Attributes:
        columns: of its table, in order.
        texts: those that hold text; the others hold numbers.
        example: some rows.
        file: the model's own.
        format: "skops", or "pickle".
    """

    columns: list[str]
    texts: list[str]
    example: list[list[Any]]
    file: str
    format: str

    @property
    def datatypes(self) -> list[Any]:
        """Of the columns, as gr.Dataframe calls them."""
        return ["str" if name in self.texts else "number" for name in self.columns]

    def ordered(self, rows: pd.DataFrame | list[list[Any]]) -> list[list[Any]]:
        """The rows with the model's columns in their order; NaN where there is none."""
        if isinstance(rows, pd.DataFrame):  # a program may name a column twice
            rows = rows.loc[:, ~rows.columns.duplicated()]
        values: list[list[Any]] = pd.DataFrame(
            rows, columns=self.columns
        ).values.tolist()
        return values

    def fits(self, examples: list[list[Any]]) -> bool:
        """Whether the examples have as many columns as the model."""
        widths = {len(row) for (rows, *_) in examples for row in rows}
        return widths == {len(self.columns)}


def read_table(model_id: str) -> Table:
    """Read config.json of a local folder or of a model on the Hub."""
    path = find(model_id, "config.json")
    config = json.loads(path.read_text(encoding="utf-8")).get("sklearn", {})
    example = config.get("example_input", {})
    columns = config.get("columns") or list(example)
    file = config.get("model", {}).get("file")
    if not columns or not file:
        sys.exit(
            f"config.json of {model_id} has no `columns` or no `model` of sklearn."
        )
    texts = [
        name
        for name in columns
        if any(isinstance(value, str) for value in example.get(name, []))
    ]
    known = pd.DataFrame(example, columns=columns).astype(object)
    is_skops = config.get("model_format") == "skops" or file.endswith(".skops")
    return Table(
        columns,
        texts,
        known.where(known.notna(), None).values.tolist(),
        file,
        "skops" if is_skops else "pickle",
    )


def find(model_id: str, name: str) -> Path:
    """A file of a local model, or of one on the Hub."""
    folder = Path(model_id)
    if folder.is_dir():
        return folder / name
    return Path(hf_hub_download(model_id, name))


def load_model(model_id: str, table: Table) -> Any:
    """Load the scikit-learn model.

    The owner of the Space decides what is trusted, with variables: a pickle runs whatever
    code its author put into it, and a file of skops may name types that could do harm.
    """
    path = find(model_id, table.file)
    if table.format == "skops":
        return load_skops(path)
    if os.environ.get("TRUST_PICKLE") != "1":
        sys.exit(
            f"{path} is a pickle, which runs code of its author when it is loaded. If you "
            "trust it, set the variable TRUST_PICKLE=1; better, save the model with skops."
        )
    import joblib

    return joblib.load(path)


def load_skops(path: Path) -> Any:
    """Load a file of skops, if all types in it are known to skops or trusted."""
    import skops.io

    trusted = re.split(r"[\s,]+", os.environ.get("TRUST_TYPES", ""))
    needed = skops.io.get_untrusted_types(file=path)
    unknown = ",".join(name for name in needed if name not in trusted)
    if unknown:
        sys.exit(
            f"{path} holds types that skops does not know to be harmless: {unknown}. If you "
            f"trust them, name them in a variable: TRUST_TYPES={unknown}"
        )
    return skops.io.load(path, trusted=needed)


def takes_gaps(model: Any, table: Table) -> bool:
    """Whether the model answers a row without values, as some fill in what is missing."""
    row = as_frame(table, [[None] * len(table.columns)])
    try:
        model.predict(as_input(model, row))
    except (ValueError, TypeError):
        return False
    return True


def checked(
    table: Table, rows: list[list[Any]], most: int, gaps: bool = False
) -> pd.DataFrame:
    """The rows that hold anything, as the model takes them.

    Args:
        rows: their values in the order of the columns.
        most: rows that are allowed.
        gaps: whether values may be missing.

    Raises:
        InputError: there are none or too many, or a value is missing or no number.
    """
    filled = {
        number: row
        for number, row in enumerate(rows, start=1)
        if not all(map(is_empty, row))
    }
    if not filled:
        raise InputError("Please fill in a row of the table first.")
    if len(filled) > most:
        raise InputError(f"This table is too long: {most:,} rows are the limit.")
    frame = as_frame(table, list(filled.values()))
    for (number, row), values in zip(filled.items(), frame.values.tolist()):
        for name, given, value in zip(table.columns, row, values):
            if is_empty(given):
                if not gaps:
                    raise InputError(f"Row {number} has no value for {name}.")
            elif name not in table.texts and not abs(value) < LARGEST:
                said = str(given)[:LONGEST_SHOWN]
                raise InputError(f"Row {number}: {said} is no number for {name}.")
    return frame


def is_empty(value: Any) -> bool:
    """Whether a cell is: Gradio sends None or an empty text, pandas has NaN."""
    is_nan = isinstance(value, float) and math.isnan(value)
    return value is None or is_nan or not str(value).strip()


def is_beyond_floats(value: Any) -> bool:
    """Whether it is a whole number that is too large even for a float."""
    return isinstance(value, int) and abs(value) > LARGEST


def as_frame(table: Table, rows: list[list[Any]]) -> pd.DataFrame:
    """Rows as a table of numbers and texts; NaN where there is no number."""
    frame = pd.DataFrame(rows, columns=table.columns, dtype=object)
    for name in table.columns:
        if name in table.texts:
            frame[name] = [None if is_empty(one) else str(one) for one in frame[name]]
        else:
            cells = [None if is_beyond_floats(one) else one for one in frame[name]]
            frame[name] = pd.to_numeric(
                pd.Series(cells, dtype=object), errors="coerce"
            ).astype(float)
    return frame


def as_input(model: Any, frame: pd.DataFrame) -> Any:
    """What the model was trained with: a table with names, or bare numbers."""
    return frame if hasattr(model, "feature_names_in_") else frame.to_numpy()


def split(
    headers: list[str], data: list[list[Any]], batch: list[pd.DataFrame]
) -> list[Answer]:
    """The rows of the answer, cut as the rows of the requests were."""
    answers, start = [], 0
    for frame in batch:
        rows = data[start : start + len(frame)]
        answers.append(Answer(headers=headers, data=rows))
        start += len(frame)
    return answers
