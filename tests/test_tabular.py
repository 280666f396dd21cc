"""Models of scikit-learn: what is trusted, and what a table may hold."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from scripted import scripted
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from space_process import RunningSpace
from tiny_tabular import write, write_config

ROWS = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "b": [1.0, 0.0, 3.0, 1.0]})
LABELS = ["low", "low", "high", "high"]


class Unheard(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A type that skops has never heard of."""


class Evil:
    """Unpickling it leaves a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.trace),)


@pytest.fixture
def start(rendered: Callable[..., Path], tmp_path: Path) -> Callable[..., RunningSpace]:
    """A Space with another model; PyTorch is hidden from it, as its requirements name none."""

    def get(model: Path, model_type: str = "tabular-classification", **more: str) -> RunningSpace:
        space = rendered(model_type=model_type)
        code = (space / "model.py").read_text(encoding="utf-8")
        return scripted(tmp_path, space, code, MODEL_ID=str(model), **more)

    return get


def refused(space: RunningSpace) -> str:
    """The log of a Space that does not start."""
    with pytest.raises(AssertionError, match="did not start"):
        space.__enter__()
    assert "Traceback" not in space.log, space.log
    assert "The model could not be loaded; what is above says why." in space.log
    return space.log


def ask(space: RunningSpace, headers: list[str], *rows: list[Any]) -> httpx.Response:
    table = {"headers": headers, "data": list(rows)}
    return httpx.post(f"{space.url}/api/predict", json={"rows": table}, timeout=60)


def labels(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [row[0] for row in response.json()["result"]["data"]]


def complaint(response: httpx.Response) -> str:
    assert response.status_code == 422, response.text
    said: str = response.json()["detail"]
    return said


def test_a_pickle_is_never_opened_unless_the_owner_trusts_it(
    start: Callable[..., RunningSpace], tmp_path: Path
) -> None:
    model, trace = tmp_path / "model", tmp_path / "trace"
    model.mkdir()
    write_config(model, "model.pkl", "tabular-classification", ROWS)
    (model / "model.pkl").write_bytes(pickle.dumps(Evil(trace)))
    said = refused(start(model))
    assert "model.pkl is a pickle, which runs code of its author" in said
    assert "TRUST_PICKLE=1" in said
    assert not trace.exists()


def test_a_pickle_that_is_trusted_answers(
    start: Callable[..., RunningSpace], tmp_path: Path
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    write_config(model, "model.pkl", "tabular-classification", ROWS)
    fitted = LogisticRegression().fit(ROWS, LABELS)
    (model / "model.pkl").write_bytes(pickle.dumps(fitted))
    with start(model, TRUST_PICKLE="1") as space:
        assert labels(ask(space, ["a", "b"], [0, 1], [3, 1])) == ["low", "high"]


def test_a_file_of_skops_with_unknown_types_is_refused_and_they_are_named(
    start: Callable[..., RunningSpace], tmp_path: Path
) -> None:
    model = tmp_path / "model"
    write(model, Unheard(), "tabular-classification", ROWS)
    said = refused(start(model, TRUST_TYPES="sklearn.tree._tree.Tree, numpy.dtype"))
    assert "types that skops does not know to be harmless: test_tabular.Unheard." in said


def test_types_that_the_owner_trusts_are_loaded(
    start: Callable[..., RunningSpace], tmp_path: Path
) -> None:
    model = tmp_path / "model"
    forest = RandomForestClassifier(n_estimators=3, random_state=0).fit(ROWS, LABELS)
    write(model, forest, "tabular-classification", ROWS)
    with start(model, TRUST_TYPES="sklearn.tree._tree.Tree") as space:
        assert labels(ask(space, ["a", "b"], [0, 1], [3, 1])) == ["low", "high"]


@pytest.mark.parametrize("config", ["{}", '{"sklearn": {"columns": ["a"]}}'])
def test_a_folder_that_is_no_such_model_is_told_in_one_line(
    start: Callable[..., RunningSpace], tmp_path: Path, config: str
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text(config)
    assert "has no `columns` or no `model` of sklearn" in refused(start(model))


@pytest.fixture(scope="module")
def iris(
    rendered: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningSpace]:
    """With the model that the Space brings along, without PyTorch, as it is published."""
    space = rendered(model_type="tabular-classification")
    code = (space / "model.py").read_text(encoding="utf-8")
    folder = tmp_path_factory.mktemp("iris")
    with scripted(folder, space, code, MAX_INPUT=5) as running:
        yield running


SEPAL, PETAL = ["sepal length (cm)", "sepal width (cm)"], ["petal length (cm)", "petal width (cm)"]


def test_columns_are_told_by_their_names(iris: RunningSpace) -> None:
    """In whatever order, with others beside them."""
    expected = ["setosa", "virginica"]
    assert labels(ask(iris, SEPAL + PETAL, [5.1, 3.5, 1.4, 0.2], [6.7, 3, 5.2, 2.3])) == expected
    swapped = ask(iris, ["id", *PETAL, *SEPAL], ["x", 1.4, 0.2, 5.1, 3.5], ["y", 5.2, 2.3, 6.7, 3])
    assert labels(swapped) == expected


def test_numbers_may_be_typed_and_empty_rows_are_left_out(iris: RunningSpace) -> None:
    rows = [["", None, "", " "], ["5.1", " 3.5", "1.4", "2e-1"], [None] * 4]
    assert labels(ask(iris, SEPAL + PETAL, *rows)) == ["setosa"]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "Please fill in a row"),
        ([["", "", "", ""]], "Please fill in a row"),
        ([[5.1, 3.5, 1.4, 0.2]] * 6, "too long: 5 rows"),
        ([[None] * 4, [5.1, "", 1.4, 0.2]], "Row 2 has no value for sepal width (cm)."),
        ([["tall", 3.5, 1.4, 0.2]], "Row 1: tall is no number for sepal length (cm)."),
        ([["1e999", 3.5, 1.4, 0.2]], "Row 1: 1e999 is no number"),
        ([["nan", 3.5, 1.4, 0.2]], "Row 1: nan is no number"),
        ([[[1, 2], 3.5, 1.4, 0.2]], "Row 1: [1, 2] is no number"),
        ([[{"a": 1}, 3.5, 1.4, 0.2]], "Row 1: {'a': 1} is no number"),
        ([[5.1, 3.5]], "cannot be read"),
        ([[5.1, 3.5, 1.4, 0.2, 9]], "cannot be read"),
    ],
)
def test_what_is_wrong_with_a_table_is_told(
    iris: RunningSpace, rows: list[list[Any]], words: str
) -> None:
    assert words in complaint(ask(iris, SEPAL + PETAL, *rows))


def test_a_column_that_is_missing_is_named(iris: RunningSpace) -> None:
    said = complaint(ask(iris, [*SEPAL, PETAL[0]], [5.1, 3.5, 1.4]))
    assert said == "Row 1 has no value for petal width (cm)."


def test_the_page_shows_its_examples_as_kept_answers(iris: RunningSpace) -> None:
    """The rows of examples.json are what the page sends when they are clicked."""
    examples = json.loads((iris.folder / "examples" / "examples.json").read_text())
    for (rows,) in examples:
        answer = ask(iris, SEPAL + PETAL, *rows)
        assert len(labels(answer)) == len(rows)


def test_values_may_be_missing_where_the_model_fills_them_in(
    start: Callable[..., RunningSpace], tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    model = shutil.copytree(tiny_model("tabular-classification"), tmp_path / "model")
    with start(model) as space:
        headers = ["mass (g)", "beak (mm)", "island"]
        found = labels(ask(space, headers, [3100, None, "Biscoe"], [4700, 48.0, ""]))
        assert found == ["adelie", "gentoo"]
