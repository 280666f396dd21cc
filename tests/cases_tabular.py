"""Cases of tables: rows in, a row for each out."""

from __future__ import annotations

import json
import math
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from case_parts import Case


class Tabular(Case):
    """One to four rows; the first value of the bad row is no number."""

    complaint = "Row 1: many is no number for"

    @cached_property
    def config(self) -> dict[str, Any]:
        config: dict[str, Any] = json.loads((self.model / "config.json").read_text("utf-8"))
        about: dict[str, Any] = config["sklearn"]
        return about

    @cached_property
    def parts(self) -> Any:
        import skops.io

        return skops.io.load(self.model / self.config["model"]["file"])

    def table(self, data: list[list[Any]]) -> dict[str, Any]:
        """As gr.Dataframe takes it."""
        return {"headers": self.config["columns"], "data": data, "metadata": None}

    @property
    def bad(self) -> list[Any]:
        example = self.config["example_input"]
        row: list[Any] = [example[name][0] for name in self.config["columns"]]
        return [self.table([["many", *row[1:]]])]

    def inputs(self, count: int) -> list[list[Any]]:
        return [
            [self.table([self.row(np.random.default_rng(100 * i + n)) for n in range(1 + i % 4)])]
            for i in range(count)
        ]

    def row(self, chance: np.random.Generator) -> list[Any]:
        """Values of the columns."""
        raise NotImplementedError

    def frame(self, inputs: list[Any]) -> pd.DataFrame:
        """The rows of one input."""
        return pd.DataFrame(inputs[0]["data"], columns=inputs[0]["headers"])

    def same(self, answer: Any, expected: Any) -> bool:
        if answer["headers"] != expected["headers"]:
            return False
        if len(answer["data"]) != len(expected["data"]):
            return False
        cells = [[cell for row in one["data"] for cell in row] for one in (answer, expected)]
        return all(
            one == other
            if isinstance(other, str)
            else math.isclose(one, other, rel_tol=1e-4, abs_tol=self.tolerance)
            for one, other in zip(*cells)
        )


class TabularClassification(Tabular):
    def row(self, chance: np.random.Generator) -> list[Any]:
        island = ["Biscoe", "Dream", "Torgersen"][chance.integers(3)]
        return [int(chance.integers(3000, 5500)), round(float(chance.uniform(36, 54)), 1), island]

    def expected(self, inputs: list[Any]) -> dict[str, Any]:
        rows = self.frame(inputs)
        labels, scores = self.parts.predict(rows), self.parts.predict_proba(rows)
        return {
            "headers": ["label", *self.parts.classes_.tolist()],
            "data": [[label, *row] for label, row in zip(labels.tolist(), scores.tolist())],
        }


class TabularRegression(Tabular):
    def row(self, chance: np.random.Generator) -> list[Any]:
        values: list[Any] = chance.normal(0, 1, 4).round(3).tolist()
        return values

    def expected(self, inputs: list[Any]) -> dict[str, Any]:
        found = self.parts.predict(self.frame(inputs).to_numpy())
        return {"headers": ["estimate 1", "estimate 2"], "data": found.tolist()}


CASES: dict[str, type[Case]] = {
    "tabular-classification": TabularClassification,
    "tabular-regression": TabularRegression,
}
