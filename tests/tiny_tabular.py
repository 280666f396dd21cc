"""Scikit-learn models as the Hub has them: a folder with config.json and a .skops file.

python tests/tiny_tabular.py writes those that the template brings along
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sklearn
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes, load_iris
from sklearn.impute import KNNImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

TEMPLATE = Path(__file__).parent.parent / "template"
DIABETES = {
    "age": "age", "bmi": "bmi", "bp": "blood pressure", "s1": "cholesterol", "s2": "LDL",
    "s3": "HDL", "s4": "cholesterol / HDL", "s5": "log triglycerides", "s6": "glucose",
}  # fmt: skip


def write(folder: Path, model: Any, task: str, example: pd.DataFrame) -> None:
    """Save a fitted model with its config.json."""
    import skops.io

    folder.mkdir(parents=True, exist_ok=True)
    skops.io.dump(model, folder / "model.skops")
    write_config(folder, "model.skops", task, example)


def write_config(folder: Path, file: str, task: str, example: pd.DataFrame) -> None:
    """What the Hub says of a model of scikit-learn."""
    kind = "skops" if file.endswith(".skops") else "pickle"
    about = {
        "columns": list(example.columns),
        "environment": [f"scikit-learn={sklearn.__version__}"],
        "example_input": example.to_dict("list"),
        "model": {"file": file},
        "model_format": kind,
        "task": task,
    }
    text = json.dumps({"sklearn": about}, indent=2)
    (folder / "config.json").write_text(f"{text}\n", encoding="utf-8")


def iris(folder: Path) -> float:
    """Fisher's irises: which of three species; returns the accuracy on held-out flowers."""
    data = load_iris(as_frame=True)
    names = np.array([str(name) for name in data.target_names])
    train, test, known, wanted = train_test_split(
        data.data, names[data.target], random_state=0, stratify=data.target
    )
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(train, known)
    one_of_each = [int(np.flatnonzero(wanted == name)[0]) for name in data.target_names]
    write(folder, model, "tabular-classification", test.iloc[one_of_each])
    return float(model.score(test, wanted))


def diabetes(folder: Path) -> float:
    """How far diabetes has come after a year; returns R2 on held-out patients."""
    data = load_diabetes(as_frame=True, scaled=False)
    rows = data.data[list(DIABETES)].rename(columns=DIABETES)
    train, test, known, wanted = train_test_split(rows, data.target, random_state=0)
    model = make_pipeline(StandardScaler(), Ridge()).fit(train, known)
    write(folder, model, "tabular-regression", test.head(3))
    return float(model.score(test, wanted))


def classifier(folder: Path) -> None:
    """Penguins that nobody has seen: numbers and a text, and values may be missing."""
    chance = np.random.default_rng(0)
    species = chance.integers(0, 3, 300)
    rows = pd.DataFrame(
        {
            "mass (g)": (3000 + 800 * species + chance.normal(0, 700, 300)).round(),
            "beak (mm)": (40 + 4 * species + chance.normal(0, 5, 300)).round(1),
            "island": np.array(["Biscoe", "Dream", "Torgersen"])[
                (species + (chance.random(300) < 0.3)) % 3
            ],
        }
    )
    numbers = make_pipeline(KNNImputer(), StandardScaler())
    columns = make_column_transformer(
        (numbers, ["mass (g)", "beak (mm)"]), (OneHotEncoder(handle_unknown="ignore"), ["island"])
    )
    names = np.array(["adelie", "chinstrap", "gentoo"])[species]
    model = make_pipeline(columns, LogisticRegression()).fit(rows, names)
    write(folder, model, "tabular-classification", rows.head(2))


def regressor(folder: Path) -> None:
    """Two estimates for each row, trained on bare numbers without names."""
    chance = np.random.default_rng(1)
    rows = chance.normal(0, 1, (200, 4))
    targets = rows @ chance.normal(0, 3, (4, 2))
    model = make_pipeline(StandardScaler(), Ridge()).fit(rows, targets)
    write(folder, model, "tabular-regression", pd.DataFrame(rows[:2], columns=list("abcd")))


BUILDERS: dict[str, Callable[[Path], None]] = {
    "tabular-classification": classifier,
    "tabular-regression": regressor,
}


def of_template(model_type: str) -> Path:
    """Where the template has the model of a type."""
    (folder,) = TEMPLATE.glob(f"*'{model_type}' and model_id ==*")
    return folder


if __name__ == "__main__":
    for kind, make in {"tabular-classification": iris, "tabular-regression": diabetes}.items():
        print(kind, round(make(of_template(kind)), 3))
